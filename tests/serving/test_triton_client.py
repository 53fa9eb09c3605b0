"""Triton's own client against a server on a port."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from andon.models.bundle.bundle import VisionBundle
from andon.models.bundle.runtime import make_inspector
from andon.models.types.vision import Frame

Draw = Callable[..., Frame]


@pytest.fixture
def remote(server: str) -> Iterator[Any]:
    with triton.InferenceServerClient(server) as connected:
        yield connected


def image_input(frames: Frame, binary: bool = True) -> Any:
    tensor = triton.InferInput("image", list(frames.shape), "UINT8")
    tensor.set_data_from_numpy(frames, binary_data=binary)
    return tensor


def test_health_and_metadata(remote: Any, tiny_bundle: VisionBundle) -> None:
    assert remote.is_server_live()
    assert remote.is_server_ready()
    assert remote.is_model_ready("plates")
    assert remote.is_model_ready("plates", tiny_bundle.digest[:12])
    assert not remote.is_model_ready("other")
    assert "binary_tensor_data" in remote.get_server_metadata()["extensions"]
    metadata = remote.get_model_metadata("plates")
    assert metadata["versions"] == [tiny_bundle.digest[:12]]
    assert metadata["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, -1, -1, 3]}]
    assert {each["name"]: each["shape"] for each in metadata["outputs"]}["score_map"] == [-1, 64, 64]
    assert remote.get_model_config("plates")["max_batch_size"] == 32


@pytest.mark.parametrize("binary_input", [True, False])
@pytest.mark.parametrize("binary_output", [True, False, None])
@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
def test_scores_equal_the_inspectors_bit_for_bit(
    remote: Any,
    tiny_bundle: VisionBundle,
    draw_plate: Draw,
    binary_input: bool,
    binary_output: bool | None,
    compression: str | None,
) -> None:
    frames = np.stack([draw_plate(3, False, 72), draw_plate(5, True, 72)])
    names = ("score", "threshold", "verdict", "score_map")
    outputs = (
        None
        if binary_output is None
        else [triton.InferRequestedOutput(name, binary_data=binary_output) for name in names]
    )
    result = remote.infer(
        "plates",
        [image_input(frames, binary_input)],
        outputs=outputs,
        request_id="7",
        request_compression_algorithm=compression,
    )
    inspector = make_inspector(tiny_bundle)
    expected = [inspector.inspect(frame) for frame in frames]
    assert result.get_response()["id"] == "7"
    assert result.as_numpy("score").tolist() == [each.score for each in expected]
    assert result.as_numpy("threshold").tolist() == [each.threshold for each in expected]
    verdicts = [each.decode() if isinstance(each, bytes) else each for each in result.as_numpy("verdict")]
    assert verdicts == [each.verdict for each in expected]
    np.testing.assert_array_equal(result.as_numpy("score_map"), np.stack([each.score_map for each in expected]))


def test_index_load_and_unload(remote: Any, draw_plate: Draw) -> None:
    assert [(each["name"], each["state"]) for each in remote.get_model_repository_index()] == [("plates", "READY")]
    remote.unload_model("plates")
    assert not remote.is_model_ready("plates")
    assert not remote.is_server_ready()
    with pytest.raises(InferenceServerException):
        remote.infer("plates", [image_input(draw_plate(3)[None])])
    remote.load_model("plates")
    assert remote.is_model_ready("plates")
    with pytest.raises(InferenceServerException):
        remote.load_model("other")


def test_statistics_count(remote: Any, draw_plate: Draw) -> None:
    for count in (1, 3):
        remote.infer("plates", [image_input(np.stack([draw_plate(3)] * count))])
    with pytest.raises(InferenceServerException):
        remote.infer("plates", [image_input(draw_plate(3))])
    (statistics,) = remote.get_inference_statistics("plates")["model_stats"]
    assert (statistics["inference_count"], statistics["execution_count"]) == (4, 2)
    assert statistics["inference_stats"]["success"]["count"] == 2
    assert statistics["inference_stats"]["fail"]["count"] == 1
    assert statistics["inference_stats"]["compute_infer"]["ns"] > 0
    assert remote.get_inference_statistics()["model_stats"] == [statistics]
