import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient
from tests.motors import motor_signal
from tests.serving.signal_requests import said_of, send

from andon.models.bundle.bundle import VisionBundle
from andon.models.types.vision import Frame


def figures(client: TestClient) -> dict[tuple[str, str], float]:
    """Samples by name and by their verdict or version."""
    text = client.get("/metrics").text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(each.name, each.labels.get("verdict", each.labels.get("version", ""))): each.value for each in samples}


def test_requests_are_counted_under_tritons_names(
    client: TestClient, tiny_bundle: VisionBundle, draw_plate: Callable[..., Frame], png: Callable[[Frame], bytes]
) -> None:
    url, version = "/api/v1/inspections", tiny_bundle.digest[:12]
    assert figures(client)["nv_inference_request_success", version] == 0
    client.post(url, content=png(draw_plate(3)))
    client.post(url, content=png(draw_plate(3, True)))
    client.post(url, content=b"no image")
    found = figures(client)
    expected = {
        "nv_inference_request_success": 2,
        "nv_inference_request_failure": 1,
        "nv_inference_count": 2,
        "nv_inference_exec_count": 2,
        "nv_inference_pending_request_count": 0,
    }
    assert {name: found[name, version] for name in expected} == expected
    whole = found["nv_inference_request_duration_us", version]
    parts = ("nv_inference_queue_duration_us", "nv_inference_compute_infer_duration_us")
    assert 0 < sum(found[name, version] for name in parts) <= whole
    assert found["andon_verdicts_total", "OK"] == found["andon_verdicts_total", "NG"] == 1
    for name in ("andon_queue_seconds", "andon_decode_seconds", "andon_inspect_seconds"):
        assert found[f"{name}_count", ""] == 2
        assert found[f"{name}_sum", ""] > 0


class Links(HTMLParser):
    """Collects what a page loads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("src", "href") and value]


def test_the_documentation_page_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs").text
    links = Links(page).found
    assert {link.rsplit(".", 1)[-1] for link in links} == {"js", "css", "png"}
    for link in links:
        response = client.get(link)
        assert response.status_code == 200
        assert len(response.content) > 1000
    assert not re.search("https?://", page)


def test_every_route_is_described(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    model, versioned = "/v2/models/{model}", "/v2/models/{model}/versions/{version}"
    expected = {("POST", f"{base}/infer") for base in (model, versioned)}
    expected |= {("GET", base + path) for base in (model, versioned) for path in ("", "/ready", "/config", "/stats")}
    expected |= {("GET", f"/v2{path}") for path in ("", "/health/live", "/health/ready", "/models/stats")}
    expected |= {
        ("POST", f"/v2/repository{path}") for path in ("/index", "/models/{model}/load", "/models/{model}/unload")
    }
    expected |= {("POST", "/api/v1/inspections"), ("POST", "/api/v1/signals")}
    expected |= {("GET", "/api/v1/bundles"), ("GET", "/api/v1/bundles/{name}")}
    assert described == expected | {("GET", "/metrics")}
    for path, methods in document["paths"].items():
        for operation in methods.values():
            named = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path))


@pytest.mark.parametrize(
    ("path", "types", "parameters"),
    [
        (
            "/api/v1/inspections",
            {"multipart/form-data", "image/jpeg", "image/png", "application/octet-stream"},
            {"model", "serial", "station", "Idempotency-Key"},
        ),
        (
            "/api/v1/signals",
            {"application/json", "application/octet-stream", "audio/wav"},
            {"asset", "sensor", "rate_hz", "rpm", "unit", "time", "bearing", "orders", "machine", "model"},
        ),
        (
            "/v2/models/{model}/infer",
            {"application/json", "application/octet-stream"},
            {"model", "Inference-Header-Content-Length"},
        ),
    ],
)
def test_bodies_are_described(client: TestClient, path: str, types: set[str], parameters: set[str]) -> None:
    operation = client.get("/openapi.json").json()["paths"][path]["post"]
    assert operation["requestBody"]["content"].keys() == types
    assert {each["name"] for each in operation["parameters"]} == parameters


def test_an_inspection_has_the_members_described(
    client: TestClient, draw_plate: Callable[..., Frame], png: Callable[[Frame], bytes]
) -> None:
    answer = client.post("/api/v1/inspections", content=png(draw_plate(3, True))).json()
    operation = client.get("/openapi.json").json()["paths"]["/api/v1/inspections"]["post"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer.keys() == schema["properties"].keys()
    assert answer["defects"][0].keys() == schema["properties"]["defects"]["items"]["properties"].keys()


@pytest.mark.usefixtures("motors")
def test_a_signals_answer_has_the_members_described(client: TestClient) -> None:
    signal = motor_signal(0, snr_db=0.0)
    about = said_of(signal, asset=signal.asset, sensor=signal.sensor)
    answer = send(client, signal, about)
    document = client.get("/openapi.json").json()["paths"]["/api/v1/signals"]["post"]
    schema = document["responses"]["200"]["content"]["application/json"]["schema"]["properties"]
    assert answer.keys() == schema.keys()
    assert answer["health"].keys() == schema["health"]["properties"].keys()
    for listed in ("evidence", "ranked"):
        assert answer[listed][0].keys() == schema[listed]["items"]["properties"].keys()
    assert answer["sensor"].keys() == schema["sensor"]["properties"].keys()
    body = document["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"].keys() == {"samples", *(each["name"] for each in document["parameters"])}
