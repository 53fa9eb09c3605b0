"""Images by the Open Inference Protocol: frames in, scores, verdicts and maps out."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from andon.models.bundle.manifest import InputContract
from andon.models.types.errors import ImageError
from andon.models.types.vision import Frame, Inspection, Inspector
from andon.models.vision.decoding import LIMITS
from andon.serving.engine.contract import Batch, Contract, Output, Port
from andon.serving.engine.errors import RequestError
from andon.serving.engine.tensors import BYTES, FP32, FP64, UINT8, Request, read_uint8

MAX_FRAMES = 32
"""Frames a request. Their score maps may be far larger than they are: the answer must stay bounded too."""

_CHANNELS = 3
_IMAGE = Port("image", UINT8, (-1, -1, _CHANNELS))

Inspections = Sequence[Inspection]


def inspector_contract(inspector: Inspector, size: InputContract) -> Contract[Inspections]:
    """Describe what ``inspector`` takes and gives.

    Score and threshold keep the inspector's own precision: a client that compares them must come to the same verdict.
    """
    return Contract(
        inputs=(_IMAGE,),
        outputs=(
            Output(Port("score", FP64), lambda judged: np.array([each.score for each in judged], np.float64)),
            Output(Port("threshold", FP64), lambda judged: np.array([each.threshold for each in judged], np.float64)),
            Output(Port("verdict", BYTES), inspection_verdicts),
            Output(
                Port("score_map", FP32, (size.height, size.width)),
                lambda judged: np.stack([each.score_map for each in judged]),
            ),
        ),
        max_batch=MAX_FRAMES,
        read=partial(_read, inspector),
        verdicts=inspection_verdicts,
    )


def inspect_all(inspector: Inspector, frames: Sequence[Frame]) -> Inspections:
    """Inspect one frame after the other."""
    return [inspector.inspect(frame) for frame in frames]


def inspection_verdicts(judged: Inspections) -> list[str]:
    """List the verdicts."""
    return [each.verdict.value for each in judged]


def _read(inspector: Inspector, request: Request) -> Batch[Inspections]:
    frames = _frames(request)
    return Batch(len(frames), partial(inspect_all, inspector, frames))


def _frames(request: Request) -> Sequence[Frame]:
    _check_shape(request.shape(_IMAGE.name))
    return list(read_uint8(request, _IMAGE.name))


def _check_shape(shape: Sequence[int]) -> None:
    if len(shape) != 4 or shape[3] != _CHANNELS or not 1 <= shape[0] <= MAX_FRAMES:
        raise RequestError("serving.shape", _IMAGE.name, found=str(list(shape)), limit=MAX_FRAMES)
    _, height, width, _ = shape
    if min(height, width) < LIMITS.min_side_px:
        raise ImageError("image.too_small", _IMAGE.name, found=f"{width}x{height}", limit=LIMITS.min_side_px)
    if height * width > LIMITS.max_megapixels * 1_000_000:
        raise ImageError("image.too_many_pixels", _IMAGE.name, limit=LIMITS.max_megapixels)
