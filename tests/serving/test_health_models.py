"""A health model in service beside a detector: by the Open Inference Protocol, and nowhere else by mistake."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from numpy.typing import NDArray
from starlette.testclient import TestClient
from tests.pumps import ASSETS, pump_rows
from tritonclient.utils import InferenceServerException

from andon.models.bundle.bundle import HealthBundle
from andon.models.health.mahalanobis import distances
from andon.models.health.watching import transformed
from andon.models.types.vision import Frame
from andon.serving.engine.errors import RequestError, UnknownModelError
from andon.serving.engine.models import ServedHealth, ServedInspector
from andon.serving.engine.repository import ModelRepository

pytestmark = pytest.mark.usefixtures("pumps")

INFER = "/v2/models/pumps/infer"
NAMES = ("flow", "pressure", "ripple")


def measured(asset: str, count: int) -> NDArray[np.float64]:
    """Measures of a running pump: ``[count, 3]``."""
    return np.array([[row[name] for name in NAMES] for row in pump_rows(asset, count, seed=3)[:count]], np.float64)


def request_of(features: NDArray[np.float64], assets: list[str] | None = None, **more: object) -> dict[str, Any]:
    inputs: list[dict[str, Any]] = [
        {"name": "features", "datatype": "FP64", "shape": features.shape, "data": features.tolist()}
    ]
    if assets is not None:
        inputs.append({"name": "asset", "datatype": "BYTES", "shape": [len(assets)], "data": assets})
    return {"inputs": inputs, **more}


@pytest.fixture
def remote(server: str) -> Iterator[Any]:
    with triton.InferenceServerClient(server) as connected:
        yield connected


def test_both_kinds_are_listed_and_found_by_kind(repository: ModelRepository) -> None:
    assert [model.name for model in repository.models()] == ["plates", "pumps"]
    assert [model.name for model in repository.models_of(ServedInspector)] == ["plates"]
    (pumps,) = repository.models_of(ServedHealth)
    assert pumps is repository.model_of(ServedHealth, "pumps") is repository.model_of(ServedHealth, None)
    assert pumps.health.contract.names == NAMES


def test_a_model_of_another_kind_is_not_taken_for_one(repository: ModelRepository) -> None:
    with pytest.raises(RequestError) as raised:
        repository.model_of(ServedHealth, "plates")
    assert (raised.value.code, raised.value.params["found"]) == ("serving.model_kind", "vision/patchcore")
    assert raised.value.params["known"] == "pumps"
    with pytest.raises(UnknownModelError):
        repository.model_of(ServedHealth, "other")


def test_the_only_detector_needs_no_name_beside_a_health_model(
    client: TestClient, draw_plate: Callable[..., Frame], png: Callable[[Frame], bytes]
) -> None:
    answer = client.post("/api/v1/inspections", content=png(draw_plate(3)))
    assert (answer.status_code, answer.json()["model"]) == (200, "plates")


def test_an_inspection_by_a_health_model_is_a_problem(
    client: TestClient, draw_plate: Callable[..., Frame], png: Callable[[Frame], bytes]
) -> None:
    response = client.post("/api/v1/inspections", params={"model": "pumps"}, content=png(draw_plate(3)))
    assert (response.status_code, response.json()["code"]) == (400, "serving.model_kind")
    assert "equipment/health" in response.json()["detail"]
    assert "plates" in response.json()["detail"]


def test_the_bundle_is_shown(client: TestClient, health_bundle: HealthBundle) -> None:
    shown = client.get("/api/v1/bundles/pumps").json()
    assert (shown["state"], shown["bundle_digest"]) == ("READY", health_bundle.digest)
    assert shown["manifest"]["settings"]["gate"]["axes"][0]["name"] == "rpm"
    states = {each["name"]: each["state"] for each in client.post("/v2/repository/index").json()}
    assert states == {"plates": "READY", "pumps": "READY"}


def test_a_client_learns_what_it_takes_and_gives(remote: Any) -> None:
    metadata = remote.get_model_metadata("pumps")
    assert metadata["inputs"] == [
        {"name": "features", "datatype": "FP64", "shape": [-1, 3]},
        {"name": "asset", "datatype": "BYTES", "shape": [-1]},
        {"name": "state", "datatype": "BYTES", "shape": [-1]},
    ]
    assert metadata["outputs"] == [
        {"name": "score", "datatype": "FP64", "shape": [-1]},
        {"name": "contributions", "datatype": "FP64", "shape": [-1, 3]},
    ]
    configured = remote.get_model_config("pumps")["input"]
    assert [each.get("optional", False) for each in configured] == [False, True, True]


@pytest.mark.parametrize("binary", [True, False])
def test_scores_equal_those_of_the_model_in_numpy(remote: Any, repository: ModelRepository, binary: bool) -> None:
    model = repository.model_of(ServedHealth, "pumps").health
    features, assets = np.vstack([measured(asset, 4) for asset in ASSETS]), np.repeat(np.array(list(ASSETS), object), 4)
    inputs = [triton.InferInput("features", [8, 3], "FP64"), triton.InferInput("asset", [8], "BYTES")]
    inputs[0].set_data_from_numpy(features, binary_data=binary)
    inputs[1].set_data_from_numpy(assets, binary_data=binary)
    result = remote.infer("pumps", inputs)
    for asset, state in model.baselines:
        baseline, own = model.baselines[asset, state], assets == asset
        rows = np.array([transformed(model.contract, dict(zip(NAMES, row, strict=True))) for row in features[own]])
        expected = distances(rows, baseline.mean, baseline.whitener)
        np.testing.assert_allclose(result.as_numpy("score")[own], expected.score, rtol=1e-9)
        np.testing.assert_allclose(result.as_numpy("contributions")[own], expected.contributions, rtol=1e-7)


def test_the_state_names_the_baseline_as_the_asset_does(client: TestClient) -> None:
    features = measured("泵 2", 2)
    by_asset = client.post(INFER, json=request_of(features, ["泵 2"] * 2)).json()
    request = request_of(features)
    states = {"name": "state", "datatype": "BYTES", "shape": [2], "data": ["running/rpm:1"] * 2}
    request["inputs"].append(states)
    assert client.post(INFER, json=request).json()["outputs"] == by_asset["outputs"]


def test_requests_are_counted_without_verdicts(client: TestClient, remote: Any) -> None:
    client.post(INFER, json=request_of(measured("pump 1", 5), ["pump 1"] * 5))
    client.post(INFER, json=request_of(measured("pump 1", 5)))
    (statistics,) = client.get("/v2/models/pumps/stats").json()["model_stats"]
    assert (statistics["inference_count"], statistics["execution_count"]) == (5, 1)
    assert statistics["inference_stats"]["fail"]["count"] == 1
    text = client.get("/metrics").text
    assert 'andon_inspect_seconds_count{model="pumps"} 1.0' in text
    assert 'andon_verdicts_total{model="pumps"' not in text


def test_what_is_no_request_is_refused(client: TestClient) -> None:
    features = measured("pump 1", 2)
    named = ["pump 1"] * 2
    (tensor, assets) = request_of(features, named)["inputs"]
    flat = {**tensor, "data": features.ravel().tolist()}
    cases: list[tuple[dict[str, Any], str]] = [
        (request_of(features), "names no baseline or several"),
        (request_of(features, ["pump 1", "other"]), "other"),
        (request_of(features, ["pump 1"]), "1 elements"),
        (request_of(features[:, :2], named), "[1 to 1024, 3]"),
        (request_of(features[:0], []), "[1 to 1024, 3]"),
        (request_of(np.zeros((1025, 3))), "[1 to 1024, 3]"),
        (request_of(-features, named), "for ripple"),
        (request_of(features, named, outputs=[{"name": "verdict"}]), "score, contributions"),
        ({"inputs": [assets]}, "features, asset, state"),
        ({"inputs": [tensor, assets, assets]}, "features, asset, state"),
        ({"inputs": [{**tensor, "datatype": "FP32"}, assets]}, "FP64"),
        ({"inputs": [{**tensor, "data": [[1, 2, 3], [4, 5]]}, assets]}, "unequal"),
        ({"inputs": [{**tensor, "data": [[1, 2, 3]]}, assets]}, "(1, 3)"),
        ({"inputs": [{**flat, "data": [1, 2, 3]}, assets]}, "3 elements"),
        ({"inputs": [{**flat, "data": [*flat["data"][:5], "x"]}, assets]}, "JSON"),
        ({"inputs": [flat, {**assets, "data": ["pump 1", 2]}]}, "JSON"),
    ]
    for request, said in cases:
        response = client.post(INFER, json=request)
        assert response.status_code == 400, (said, response.text)
        assert said in response.json()["error"]
    assert client.post(INFER, json={"inputs": [flat, assets]}).status_code == 200


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_measures_that_are_no_numbers_are_refused(remote: Any, value: float) -> None:
    features = measured("pump 1", 1)
    features[0, 1] = value
    inputs = [triton.InferInput("features", [1, 3], "FP64"), triton.InferInput("asset", [1], "BYTES")]
    inputs[0].set_data_from_numpy(features)
    inputs[1].set_data_from_numpy(np.array(["pump 1"], object))
    with pytest.raises(InferenceServerException, match="for pressure"):
        remote.infer("pumps", inputs)


def test_a_broken_health_bundle_is_refused_and_blocks_no_other(repository: ModelRepository, pumps: Path) -> None:
    model = repository.model("pumps")
    means = bytearray((pumps / "means.npy").read_bytes())
    means[-1] ^= 1
    (pumps / "means.npy").write_bytes(means)
    repository.poll()
    refusal = repository.entry("pumps").refusal
    assert refusal is not None and refusal.code == "bundle.changed_file"
    assert repository.model("pumps") is model
    assert repository.model("plates")
