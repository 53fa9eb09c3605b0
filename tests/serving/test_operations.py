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
from andon.serving.security.access import TABLE, rule_of


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


UNDESCRIBED = {
    "GET /docs",
    "GET /docs/assets/**",
    "GET /openapi.json",
    # Only where single sign-on is configured.
    "GET /auth/login",
    "GET /auth/callback",
    "POST /auth/logout",
}
"""Rows of the table of roles without a description in the OpenAPI document."""


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


def test_every_route_is_described_and_has_its_role(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert {("POST", "/v2/models/{model}/infer"), ("POST", "/api/v1/inspections"), ("GET", "/metrics")} <= described
    without_a_row = {each for each in described if rule_of(*each).action == each[0]}
    assert without_a_row == set(), "nobody has thought about who may call these"
    used = {rule_of(*each).action for each in described}
    unused = {f"{method} {path}" for method, path, _ in TABLE} - used
    assert unused == UNDESCRIBED
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
            {"model", "serial", "station", "recipe", "read_code", "Idempotency-Key"},
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
