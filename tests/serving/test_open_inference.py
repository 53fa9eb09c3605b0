import gzip
import zlib
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from andon.models.types.vision import Frame
from andon.serving.engine.models import ServedInspector
from andon.serving.engine.repository import ModelRepository

INFER = "/v2/models/plates/infer"
Draw = Callable[..., Frame]


def request_of(frames: Frame, **more: object) -> dict[str, Any]:
    tensor = {"name": "image", "datatype": "UINT8", "shape": frames.shape, "data": frames.ravel().tolist()}
    return {"inputs": [tensor], **more}


def binary_of(frames: Frame, **more: object) -> tuple[bytes, dict[str, str]]:
    tensor = {
        "name": "image",
        "datatype": "UINT8",
        "shape": frames.shape,
        "parameters": {"binary_data_size": frames.nbytes},
    }
    header = msgspec.json.encode({"inputs": [tensor], **more})
    return header + frames.tobytes(), {"Inference-Header-Content-Length": str(len(header))}


def assert_error(response: Any, status: int) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.json().keys() == {"error"}


def test_every_frame_of_a_batch_is_judged_by_the_inspector(
    client: TestClient, repository: ModelRepository, draw_plate: Draw
) -> None:
    frames = np.stack([draw_plate(3), draw_plate(4, True)])
    reply = client.post(INFER, json=request_of(frames, id="x")).json()
    inspections = [repository.model_of(ServedInspector, "plates").inspector.inspect(frame) for frame in frames]
    assert (reply["model_name"], reply["id"]) == ("plates", "x")
    assert reply["model_version"] == repository.model("plates").version
    outputs = {each["name"]: each for each in reply["outputs"]}
    assert list(outputs) == ["score", "threshold", "verdict", "score_map"]
    assert outputs["score"]["data"] == [each.score for each in inspections]
    assert outputs["verdict"]["data"] == [each.verdict.value for each in inspections] == ["OK", "NG"]
    assert outputs["score_map"]["shape"] == [2, 64, 64]
    maps = np.array(outputs["score_map"]["data"], np.float32).reshape(2, 64, 64)
    np.testing.assert_array_equal(maps, np.stack([each.score_map for each in inspections]))


def test_outputs_are_those_asked_for_each_in_its_form(client: TestClient, draw_plate: Draw) -> None:
    outputs = [{"name": "verdict", "parameters": {"binary_data": False}}, {"name": "score"}]
    parameters = {"binary_data_output": True}
    body, headers = binary_of(draw_plate(3)[None], outputs=outputs, parameters=parameters)
    response = client.post(INFER, content=body, headers=headers)
    length = int(response.headers["inference-header-content-length"])
    verdict, score = msgspec.json.decode(response.content[:length])["outputs"]
    assert verdict == {"name": "verdict", "datatype": "BYTES", "shape": [1], "data": ["OK"]}
    assert score["parameters"] == {"binary_data_size": 8} and "data" not in score
    assert len(response.content) == length + 8


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compressed_requests_are_read(
    client: TestClient, draw_plate: Draw, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    body, headers = binary_of(draw_plate(3)[None])
    response = client.post(INFER, content=compress(body), headers={**headers, "Content-Encoding": encoding})
    assert response.status_code == 200
    bomb = compress(bytes(8 << 20))
    assert_error(client.post(INFER, content=bomb, headers={**headers, "Content-Encoding": encoding}), 413)


def test_unknown_members_are_passed_over(client: TestClient, draw_plate: Draw) -> None:
    request = request_of(draw_plate(3)[None], colour="red", parameters={"priority": 1, "custom": {"a": []}})
    assert client.post(INFER, json=request).status_code == 200


def test_what_is_no_request_is_refused(client: TestClient, draw_plate: Draw) -> None:
    frames = draw_plate(3)[None]
    body, headers = binary_of(frames)
    length = int(headers["Inference-Header-Content-Length"])
    (tensor,) = request_of(frames)["inputs"]
    cases: list[dict[str, Any]] = [
        {"content": b""},
        {"content": b"{"},
        {"content": b"\xff\xfe\x00"},
        {"content": b'{"inputs": [NaN]}'},
        {"json": {"inputs": []}},
        {"json": {"inputs": [tensor, tensor]}},
        {"json": {"inputs": [{**tensor, "name": "other"}]}},
        {"json": {"inputs": [{**tensor, "datatype": "FP32"}]}},
        {"json": {"inputs": [{**tensor, "shape": [1, 64, 64]}]}},
        {"json": {"inputs": [{**tensor, "shape": [1, 64, 64, 4]}]}},
        {"json": {"inputs": [{**tensor, "shape": [0, 64, 64, 3]}]}},
        {"json": {"inputs": [{**tensor, "shape": [64, 16, 4, 3]}]}},
        {"json": {"inputs": [{**tensor, "shape": [1, 8, 512, 3]}]}},
        {"json": {"inputs": [{**tensor, "shape": [1, 2**20, 2**20, 3]}]}},
        {"json": request_of(np.zeros((33, 16, 16, 3), np.uint8))},
        {"json": request_of(frames, outputs=[{"name": "other"}])},
        {"json": request_of(frames, outputs=[{"name": "score"}, {"name": "score"}])},
        {"content": body[:-1], "headers": headers},
        {"content": body + b"x", "headers": headers},
        {"content": body[:length], "headers": headers},
        {"content": body},
        {"content": body, "headers": {**headers, "Content-Encoding": "gzip"}},
        {"content": body, "headers": {**headers, "Content-Encoding": "br"}},
    ]
    for request in cases:
        assert_error(client.post(INFER, **request), 400)
    for found in ("-1", "x", "", str(length - 1), str(length + 1), str(10**9), "9" * 5000, "\u00b2", "0"):
        assert_error(
            client.post(INFER, content=body, headers={b"Inference-Header-Content-Length": found.encode()}), 400
        )
    assert_error(client.post(INFER, content=bytes((1 << 20) + 1)), 413)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.text(st.characters(max_codepoint=255, min_codepoint=32), max_size=20))
def test_no_bytes_make_it_fail(client: TestClient, body: bytes, header: str) -> None:
    headers = {
        name: header.strip().encode("latin-1")
        for name in (b"Inference-Header-Content-Length", b"Accept-Language", b"Content-Type", b"Idempotency-Key")
    }
    for path in (INFER, "/v2/repository/index", "/api/v1/inspections"):
        assert client.post(path, content=body, headers=headers).status_code < 500


@pytest.mark.parametrize("path", ["", "/config", "/stats", "/versions/1", "/versions/1/config", "/versions/1/stats"])
def test_an_unknown_model_or_version_is_not_found(client: TestClient, path: str) -> None:
    assert_error(client.get(f"/v2/models/other{path}"), 404)
    if path.startswith("/versions"):
        assert_error(client.get(f"/v2/models/plates{path}"), 404)


def test_an_unknown_model_is_not_ready_and_not_inferred_with(client: TestClient) -> None:
    assert_error(client.get("/v2/models/other/ready"), 400)
    assert_error(client.get("/v2/models/plates/versions/1/ready"), 400)
    assert_error(client.post("/v2/models/other/infer", content=b"{}"), 404)
    assert_error(client.post("/v2/models/plates/versions/1/infer", content=b"{}"), 404)
    assert_error(client.post("/v2/repository/models/other/load"), 404)
    assert_error(client.post("/v2/repository/models/..%2Fplates/load"), 404)
    assert_error(client.post("/v2/repository/models/other/unload"), 404)
    assert_error(client.get("/v2/nothing"), 404)
    assert_error(client.get(INFER), 405)


def test_health_is_json_as_kserve_reads_it(client: TestClient) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    client.post("/v2/repository/models/plates/unload")
    assert client.get("/v2/health/live").json() == {"live": True}
    response = client.get("/v2/health/ready")
    assert (response.status_code, response.json()) == (503, {"ready": False})


def test_the_index_says_what_serves_and_why_not(client: TestClient) -> None:
    index = "/v2/repository/index"
    assert [each["state"] for each in client.post(index).json()] == ["READY"]
    client.post("/v2/repository/models/plates/unload")
    assert [(each["name"], each["state"]) for each in client.post(index).json()] == [("plates", "UNAVAILABLE")]
    assert client.post(index).json()[0]["reason"]
    assert client.post(index, json={"ready": True}).json() == []
    assert_error(client.post(index, content=b"{"), 400)
    assert_error(client.post(index, json={"ready": "yes"}), 400)


def test_a_bundle_that_cannot_be_loaded_is_an_error(
    client: TestClient, bundle_dir: str, break_bundle: Callable[[str], None], draw_plate: Draw
) -> None:
    break_bundle(bundle_dir)
    response = client.post("/v2/repository/models/plates/load")
    assert_error(response, 400)
    assert "bank.npy" in response.json()["error"]
    assert client.post(INFER, json=request_of(draw_plate(3)[None])).status_code == 200


def test_errors_stay_short_however_long_what_they_quote(client: TestClient) -> None:
    tensor = {"name": "x" * 100_000, "datatype": "UINT8", "shape": [1]}
    response = client.post(INFER, json={"inputs": [tensor]})
    assert_error(response, 400)
    assert len(response.content) < 1000
