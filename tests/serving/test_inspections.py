from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from andon.models.bundle.bundle import VisionBundle
from andon.models.types.vision import Frame
from andon.models.vision.documents import inspection_document
from andon.serving.api.inspections import CURL_DEFAULT
from andon.serving.engine.models import ServedInspector
from andon.serving.engine.repository import ModelRepository

URL = "/api/v1/inspections"
Draw = Callable[..., Frame]
Png = Callable[[Frame], bytes]


def assert_problem(response: Any, status: int, code: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem.keys() == {"type", "title", "status", "detail", "code"}
    assert (problem["status"], problem["code"]) == (status, code)


@pytest.mark.parametrize("defective", [False, True])
def test_the_answer_is_what_the_inspector_says(
    client: TestClient, repository: ModelRepository, draw_plate: Draw, png: Png, defective: bool
) -> None:
    frame = draw_plate(3, defective)
    form = {"serial": "A 1", "station": "线 2", "model": "plates"}
    answer = client.post(URL, files={"image": ("板 1.png", png(frame))}, data=form).json()
    model = repository.model_of(ServedInspector, "plates")
    expected = inspection_document(model.inspector.inspect(frame), 0.0)
    assert {name: answer[name] for name in expected if name != "milliseconds"} == {
        name: value for name, value in expected.items() if name != "milliseconds"
    }
    assert answer["verdict"] == ("NG" if defective else "OK")
    assert bool(answer["defects"]) == defective
    assert {name: answer[name] for name in form} == form
    assert answer["path"] == "板 1.png"
    assert answer["bundle_digest"] == model.digest
    assert (answer["part"], len(answer["ledger_hash"])) == ("A 1", 64)
    assert UUID(answer["id"]).version == 7
    assert datetime.fromisoformat(answer["time"]).utcoffset() == timedelta(0)
    assert answer["milliseconds"]["total"] > answer["milliseconds"]["decode"] > 0


@pytest.mark.parametrize(
    "content_type", ["image/png", "IMAGE/JPEG; x=y", "application/octet-stream", CURL_DEFAULT, None]
)
def test_the_image_may_be_the_body(client: TestClient, draw_plate: Draw, png: Png, content_type: str | None) -> None:
    headers = {"content-type": content_type} if content_type else {}
    query = {"model": "plates", "serial": "A1", "station": "S1"}
    answer = client.post(URL, params=query, content=png(draw_plate(3)), headers=headers).json()
    assert {name: answer[name] for name in query} == query
    assert answer["path"] is None
    assert answer["verdict"] == "OK"


def test_the_name_is_needed_where_two_models_serve(
    client: TestClient,
    repository: ModelRepository,
    put_bundle: Callable[[VisionBundle, str], Path],
    variant: Callable[[int], VisionBundle],
    draw_plate: Draw,
    png: Png,
) -> None:
    image = png(draw_plate(3))
    assert client.post(URL, content=image).json()["model"] == "plates"
    put_bundle(variant(1), "more")
    repository.poll()
    assert_problem(client.post(URL, content=image), 404, "serving.model_needed")
    assert client.post(URL, content=image, params={"model": "more"}).json()["bundle_digest"] == variant(1).digest


def test_the_same_key_gets_the_same_answer_however_it_is_sent(client: TestClient, draw_plate: Draw, png: Png) -> None:
    image, headers = png(draw_plate(3)), {"Idempotency-Key": "k"}
    first = client.post(URL, content=image, params={"serial": "A"}, headers=headers)
    again = client.post(URL, files={"image": image}, data={"serial": "A"}, headers=headers)
    assert again.content == first.content
    assert client.post(URL, content=image, params={"serial": "A"}).json()["id"] != first.json()["id"]
    for params, content in (({"serial": "B"}, image), ({"serial": "A"}, png(draw_plate(4)))):
        refused = client.post(URL, content=content, params=params, headers=headers)
        assert_problem(refused, 422, "serving.key_reused")


def test_a_failed_request_may_be_sent_again_under_its_key(client: TestClient, draw_plate: Draw, png: Png) -> None:
    headers = {"Idempotency-Key": "k"}
    assert_problem(client.post(URL, content=b"x", headers=headers), 400, "image.unknown_format")
    assert client.post(URL, content=png(draw_plate(3)), headers=headers).status_code == 200


def test_what_cannot_be_used_is_a_problem(client: TestClient, draw_plate: Draw, png: Png) -> None:
    image = png(draw_plate(3))
    form = "multipart/form-data; boundary=b"
    cases: list[tuple[int, str, dict[str, Any]]] = [
        (400, "image.empty", {"content": b""}),
        (400, "image.unknown_format", {"content": b"no image"}),
        (400, "image.truncated", {"content": image[: len(image) // 2]}),
        (400, "image.too_small", {"content": png(draw_plate(3)[:4, :4])}),
        (400, "image.empty", {"files": {"image": b""}}),
        (404, "serving.model_unknown", {"content": image, "params": {"model": "other"}}),
        (404, "serving.model_unknown", {"files": {"image": image}, "data": {"model": "other"}}),
        (413, "serving.too_large", {"content": bytes((1 << 20) + 1)}),
        (413, "serving.too_large", {"content": iter([bytes(1 << 20), b"x"])}),
        (415, "serving.media_type", {"content": image, "headers": {"content-type": "text/html"}}),
        (400, "image.unknown_format", {"data": {"image": "x"}}),
        (415, "serving.no_image", {"files": {"picture": image}}),
        (400, "serving.form", {"content": b"", "headers": {"content-type": form}}),
        (400, "serving.form", {"content": b"garbage", "headers": {"content-type": form}}),
        (400, "serving.form", {"content": image, "headers": {"content-type": "multipart/form-data"}}),
        (400, "serving.form", {"content": b"--b\r\n" * 9, "headers": {"content-type": form}}),
        (400, "serving.form", {"files": {"image": image, "serial": b"\xff"}}),
        (400, "serving.form_parts", {"files": [("image", image), ("image", image)]}),
        (400, "serving.form_parts", {"files": {f"f{each}": b"" for each in range(50)}}),
        (400, "code.long", {"content": image, "params": {"serial": "x" * 257}}),
        (400, "serving.field_length", {"content": image, "headers": {"idempotency-key": "x" * 257}}),
    ]
    for status, code, request in cases:
        assert_problem(client.post(URL, **request), status, code)


def test_a_form_that_is_cut_off_anywhere_is_refused(client: TestClient, draw_plate: Draw, png: Png) -> None:
    request = client.build_request("POST", URL, files={"image": png(draw_plate(3))}, data={"serial": "A"})
    body = request.read()
    for end in range(0, len(body) - 4, 97):
        response = client.post(URL, content=body[:end], headers={"content-type": request.headers["content-type"]})
        assert response.status_code == 400, end


@pytest.mark.parametrize("said", [{"data": {"serail": "A1"}}, {"params": {"serail": "A1"}}])
def test_a_misspelt_field_is_not_passed_over(
    client: TestClient, draw_plate: Draw, png: Png, said: dict[str, Any]
) -> None:
    """The part would be kept without its serial number."""
    response = client.post(URL, files={"image": png(draw_plate(3))}, **said)
    assert_problem(response, 400, "serving.parameters")
    assert "serail" in response.json()["detail"]
    assert "serial" in response.json()["detail"].partition("expected")[2]


def test_a_file_is_named_in_its_error(client: TestClient) -> None:
    problem = client.post(URL, files={"image": ("板 7.jpg", b"text")}).json()
    assert problem["detail"].startswith("板 7.jpg:")


def test_the_callers_language_is_spoken(client: TestClient) -> None:
    details = {
        language: client.post(URL, content=b"", headers={"Accept-Language": language}).json()["detail"]
        for language in ("zh-CN,en;q=0.5", "en", "fr", "q=;;,,=-", "zh;q=x")
    }
    assert details["zh-CN,en;q=0.5"] == "image：文件为空；应为图像"
    assert details["en"] == details["fr"] == details["q=;;,,=-"]


@pytest.mark.parametrize(("method", "path", "status"), [("DELETE", URL, 405), ("GET", "/api/v1/nothing", 404)])
def test_other_addresses_and_methods_are_problems(client: TestClient, method: str, path: str, status: int) -> None:
    assert_problem(client.request(method, path), status, {404: "serving.route_unknown", 405: "serving.method"}[status])


def test_bundles_are_listed_and_shown(
    client: TestClient,
    repository: ModelRepository,
    put_bundle: Callable[[VisionBundle, str], Path],
    break_bundle: Callable[[Path], None],
    variant: Callable[[int], VisionBundle],
    tiny_bundle: VisionBundle,
) -> None:
    break_bundle(put_bundle(variant(1), "broken"))
    repository.poll()
    listed = client.get("/api/v1/bundles").json()
    assert listed["next"] is None
    broken, plates = listed["items"]
    assert (broken["name"], broken["state"], broken["bundle_digest"]) == ("broken", "UNAVAILABLE", None)
    assert "bank.npy" in broken["reason"]
    assert plates == {
        "name": "plates",
        "version": tiny_bundle.digest[:12],
        "bundle_digest": tiny_bundle.digest,
        "state": "READY",
        "reason": None,
    }
    shown = client.get("/api/v1/bundles/plates").json()
    assert shown["manifest"]["operating_point"]["threshold"] == tiny_bundle.manifest.operating_point.threshold
    assert client.get("/api/v1/bundles/broken").json()["manifest"] is None
    assert_problem(client.get("/api/v1/bundles/other"), 404, "serving.model_unknown")
