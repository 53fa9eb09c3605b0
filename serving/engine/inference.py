"""A model as the Open Inference Protocol sees it: frames in, scores, verdicts and maps out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andon.models.types.errors import ImageError
from andon.models.types.vision import Frame, Inspection
from andon.models.vision.decoding import LIMITS
from andon.serving.engine.engine import Encode
from andon.serving.engine.errors import RequestError
from andon.serving.engine.repository import Model
from andon.serving.engine.tensors import (
    BYTES,
    FP32,
    FP64,
    UINT8,
    OutputHeader,
    Reply,
    Request,
    Tensor,
    decode_request,
    encode_reply,
    read_uint8,
)

PLATFORM = "onnxruntime_onnx"
INPUT = "image"
MAX_BATCH = 32
"""Frames a request. Their score maps may be far larger than they are: the answer must stay bounded too."""

_CHANNELS = 3


Values = NDArray[np.float32] | NDArray[np.float64] | list[str]

# Score and threshold keep the inspector's own precision: a client that compares them must come to the same verdict.
_OUTPUTS: Mapping[str, Callable[[Sequence[Inspection]], Values]] = {
    "score": lambda inspections: np.array([each.score for each in inspections], np.float64),
    "threshold": lambda inspections: np.array([each.threshold for each in inspections], np.float64),
    "verdict": lambda inspections: [each.verdict.value for each in inspections],
    "score_map": lambda inspections: np.stack([each.score_map for each in inspections]),
}


def metadata(model: Model) -> dict[str, Any]:
    """Describe the inputs and outputs of ``model``; -1 stands for any extent."""
    return {
        "name": model.name,
        "versions": [model.version],
        "platform": PLATFORM,
        "inputs": [{"name": INPUT, "datatype": UINT8, "shape": [-1, -1, -1, _CHANNELS]}],
        "outputs": [
            {"name": name, "datatype": datatype, "shape": [-1, *shape]}
            for name, datatype, shape in _output_types(model)
        ],
    }


def configuration(model: Model) -> dict[str, Any]:
    """Describe ``model`` as Triton's model configuration does, where a shape leaves out the batch."""
    return {
        "name": model.name,
        "platform": PLATFORM,
        "backend": "onnxruntime",
        "version_policy": {"latest": {"num_versions": 1}},
        "max_batch_size": MAX_BATCH,
        "input": [{"name": INPUT, "data_type": f"TYPE_{UINT8}", "dims": [-1, -1, _CHANNELS]}],
        "output": [
            {
                "name": name,
                "data_type": "TYPE_STRING" if datatype == BYTES else f"TYPE_{datatype}",
                "dims": shape or [1],
            }
            for name, datatype, shape in _output_types(model)
        ],
        "parameters": {"bundle_digest": {"string_value": model.digest}},
    }


def read_inference(model: Model, body: bytes, header_length: int | None) -> tuple[Sequence[Frame], Encode[Reply]]:
    """Read the frames of a request to ``model``, with what encodes their inspections as it asks for.

    Raises
    ------
    RequestError
        The request is not as the protocol or the model's metadata say.
    ImageError
        A frame is too small or too large.
    """
    request = decode_request(body, header_length)
    wanted = _wanted(request)

    def encode(inspections: Sequence[Inspection], _decode_ms: float) -> Reply:
        head = {"model_name": model.name, "model_version": model.version}
        if request.header.id is not None:
            head["id"] = request.header.id
        return encode_reply(
            head,
            [
                (Tensor(output.name, _OUTPUTS[output.name](inspections)), request.header.wants_binary(output))
                for output in wanted
            ],
        )

    return _frames(request), encode


def _output_types(model: Model) -> list[tuple[str, str, list[int]]]:
    contract = model.manifest.input
    return [
        ("score", FP64, []),
        ("threshold", FP64, []),
        ("verdict", BYTES, []),
        ("score_map", FP32, [contract.height, contract.width]),
    ]


def _wanted(request: Request) -> Sequence[OutputHeader]:
    names = [output.name for output in request.header.outputs]
    for name in names:
        if name not in _OUTPUTS or names.count(name) > 1:
            raise RequestError("serving.output", name, known=", ".join(_OUTPUTS))
    return request.header.outputs or [OutputHeader(name) for name in _OUTPUTS]


def _frames(request: Request) -> Sequence[Frame]:
    names = [each.name for each in request.header.inputs]
    if names != [INPUT]:
        raise RequestError("serving.inputs", "inputs", found=", ".join(names) or "-", expected=INPUT)
    _check_shape(request.header.inputs[0].shape)
    return list(read_uint8(request, 0))


def _check_shape(shape: Sequence[int]) -> None:
    if len(shape) != 4 or shape[3] != _CHANNELS or not 1 <= shape[0] <= MAX_BATCH:
        raise RequestError("serving.shape", INPUT, found=str(list(shape)), limit=MAX_BATCH)
    _, height, width, _ = shape
    if min(height, width) < LIMITS.min_side_px:
        raise ImageError("image.too_small", INPUT, found=f"{width}x{height}", limit=LIMITS.min_side_px)
    if height * width > LIMITS.max_megapixels * 1_000_000:
        raise ImageError("image.too_many_pixels", INPUT, limit=LIMITS.max_megapixels)
