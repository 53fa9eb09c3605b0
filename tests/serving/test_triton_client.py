"""Triton's own client against a server on a port."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

from andon.models.bundle.bundle import VisionBundle
from andon.models.bundle.runtime import make_inspector
from andon.models.types.vision import Frame

Draw = Callable[..., Frame]


OUTPUTS = ("score", "threshold", "verdict", "score_map")


@pytest.fixture
def remote(server: str) -> Iterator[Any]:
    with triton.InferenceServerClient(server, concurrency=4) as connected:
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
    outputs = (
        None
        if binary_output is None
        else [triton.InferRequestedOutput(name, binary_data=binary_output) for name in OUTPUTS]
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


@pytest.mark.parametrize("binary", OUTPUTS)
def test_each_output_is_in_the_form_asked_for_it(remote: Any, draw_plate: Draw, binary: str) -> None:
    outputs = [triton.InferRequestedOutput(name, binary_data=name == binary) for name in reversed(OUTPUTS)]
    result = remote.infer("plates", [image_input(draw_plate(3)[None])], outputs=outputs)
    described = result.get_response()["outputs"]
    assert [each["name"] for each in described] == list(reversed(OUTPUTS)), "in the order asked for"
    for each in described:
        assert ("data" in each) != (each["name"] == binary)
        assert result.as_numpy(each["name"]) is not None
    assert [str(each, "utf-8") if isinstance(each, bytes) else each for each in result.as_numpy("verdict")] == ["OK"]


def test_requests_that_run_at_once_keep_their_ids(remote: Any, draw_plate: Draw) -> None:
    frames = {str(seed): draw_plate(seed, seed % 2 == 1) for seed in range(8)}
    asked = {
        name: remote.async_infer("plates", [image_input(frame[None])], request_id=name)
        for name, frame in frames.items()
    }
    for name, waiting in asked.items():
        result = waiting.get_result()
        assert result.get_response()["id"] == name
        alone = remote.infer("plates", [image_input(frames[name][None])])
        assert result.as_numpy("score").tolist() == alone.as_numpy("score").tolist()


def test_the_asynchronous_client_is_answered(server: str, draw_plate: Draw) -> None:
    async def ask() -> list[str]:
        async with triton_aio.InferenceServerClient(server) as connected:
            assert await connected.is_server_ready() and await connected.is_model_ready("plates")
            tensor = triton_aio.InferInput("image", [1, 64, 64, 3], "UINT8")
            tensor.set_data_from_numpy(draw_plate(4, True)[None])
            results = await asyncio.gather(*(connected.infer("plates", [tensor], request_id=str(n)) for n in range(4)))
            return [result.get_response()["id"] for result in results]

    assert asyncio.run(ask()) == ["0", "1", "2", "3"]


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_a_client_that_takes_compressed_answers_is_answered(remote: Any, draw_plate: Draw, algorithm: str) -> None:
    frames = draw_plate(3)[None]
    result = remote.infer("plates", [image_input(frames)], response_compression_algorithm=algorithm)
    plain = remote.infer("plates", [image_input(frames)])
    np.testing.assert_array_equal(result.as_numpy("score_map"), plain.as_numpy("score_map"))


def test_versions_are_minded(remote: Any, tiny_bundle: VisionBundle, draw_plate: Draw) -> None:
    version = tiny_bundle.digest[:12]
    result = remote.infer("plates", [image_input(draw_plate(3)[None])], model_version=version)
    assert result.get_response()["model_version"] == version
    assert remote.get_model_metadata("plates", version) == remote.get_model_metadata("plates")
    assert remote.get_inference_statistics("plates", version)["model_stats"][0]["version"] == version
    with pytest.raises(InferenceServerException, match="version 1"):
        remote.infer("plates", [image_input(draw_plate(3)[None])], model_version="1")


def test_the_configuration_is_one_that_triton_would_take(remote: Any, tiny_bundle: VisionBundle) -> None:
    configuration = remote.get_model_config("plates", tiny_bundle.digest[:12])
    assert (configuration["name"], configuration["backend"]) == ("plates", "onnxruntime")
    assert configuration["input"] == [{"name": "image", "data_type": "TYPE_UINT8", "dims": [-1, -1, 3]}]
    kinds = {each["name"]: (each["data_type"], each["dims"]) for each in configuration["output"]}
    assert kinds["verdict"] == ("TYPE_STRING", [1])
    assert kinds["score_map"] == ("TYPE_FP32", [64, 64])
    assert configuration["parameters"]["bundle_digest"]["string_value"] == tiny_bundle.digest


def test_what_is_not_offered_is_refused_and_never_passed_over(remote: Any, server: str, draw_plate: Draw) -> None:
    """Silence would be worse: the client would read memory that nobody wrote, or scores for classes."""
    image = image_input(draw_plate(3)[None])
    shared_output, shared_input = (
        triton.InferRequestedOutput("score"),
        triton.InferInput("image", [1, 64, 64, 3], "UINT8"),
    )
    shared_output.set_shared_memory("region", 8)
    shared_input.set_shared_memory("region", 64 * 64 * 3)
    for inputs, outputs in (
        ([image], [triton.InferRequestedOutput("score", class_count=3)]),
        ([image], [shared_output]),
        ([shared_input], None),
    ):
        with pytest.raises(InferenceServerException, match="not offered") as raised:
            remote.infer("plates", inputs, outputs=outputs)
        assert raised.value.status() == "400"
    for asked in (remote.get_system_shared_memory_status, remote.get_cuda_shared_memory_status):
        with pytest.raises(InferenceServerException):
            asked()
    extensions = remote.get_server_metadata()["extensions"]
    assert not {"classification", "system_shared_memory", "cuda_shared_memory"} & set(extensions)
    for parameters in ({"config": "{}"}, {"config": "{}", "files": {"file:1/model.onnx": b"x"}}):
        with pytest.raises(InferenceServerException, match="not offered"):
            remote.load_model("plates", **parameters)
    assert httpx.post(f"http://{server}/v2/repository/models/plates/load", content=b"{").status_code == 400
    assert remote.is_model_ready("plates")


def test_errors_are_told_in_the_protocols_form(remote: Any, draw_plate: Draw) -> None:
    frames = draw_plate(3)
    wrong_type = triton.InferInput("image", [1, 64, 64, 3], "FP32")
    wrong_type.set_data_from_numpy(frames[None].astype(np.float32))
    wrong_name = triton.InferInput("picture", [1, 64, 64, 3], "UINT8")
    wrong_name.set_data_from_numpy(frames[None])
    for inputs, said in (
        ([image_input(frames)], "shape"),
        ([wrong_type], "FP32"),
        ([wrong_name], "picture"),
        ([image_input(frames[None]), image_input(frames[None])], "each once"),
    ):
        with pytest.raises(InferenceServerException, match=said) as raised:
            remote.infer("plates", inputs)
        assert raised.value.status() == "400"
    for asked in (remote.get_model_metadata, remote.get_model_config, remote.get_inference_statistics):
        with pytest.raises(InferenceServerException, match="other") as raised:
            asked("other")
        assert raised.value.status() == "404"
