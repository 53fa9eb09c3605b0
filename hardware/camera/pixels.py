"""What a camera sends, as RGB; pixel formats by the names of GenICam's Pixel Format Naming Convention (PFNC 2.4)."""

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from andon.models.types.camera import CameraSettingError
from andon.models.types.vision import Frame

Bytes = NDArray[np.uint8]


def to_rgb(data: Bytes, pixel_format: str, width_px: int, height_px: int, subject: str) -> Frame:
    """Turn the bytes of a buffer into a frame that does not share its memory.

    Parameters
    ----------
    data
        The pixels, row by row without padding; what is missing at the end (an incomplete frame) is black.
    pixel_format
        ``Mono8``, ``RGB8``, ``BGR8``, ``RGBa8``, ``BayerRG8``, ``BayerGR8``, ``BayerGB8`` or ``BayerBG8``.

    Returns
    -------
    Frame
        uint8 ``[height, width, 3]``.

    Raises
    ------
    CameraSettingError
        The format is another; it is named.
    """
    channels = channels_of(pixel_format, subject)
    whole = _filled(data, width_px * height_px * channels).reshape(height_px, width_px, channels)
    return np.ascontiguousarray(_FORMATS[pixel_format][1](whole))


def channels_of(pixel_format: str, subject: str) -> int:
    """Return how many bytes a pixel has. Raises ``CameraSettingError`` for a format that is not taken."""
    if pixel_format not in _FORMATS:
        raise CameraSettingError("camera.pixel_format", subject, found=pixel_format, known=", ".join(_FORMATS))
    return _FORMATS[pixel_format][0]


def _filled(data: Bytes, size: int) -> Bytes:
    """Copy the first ``size`` bytes: the buffer goes back to the camera."""
    flat = np.zeros(size, dtype=np.uint8)
    there = data.reshape(-1)[:size]
    flat[: there.size] = there
    return flat


def _converted(code: int) -> Callable[[Bytes], Bytes]:
    return lambda whole: np.asarray(cv2.cvtColor(whole, code), dtype=np.uint8)


# OpenCV names a Bayer pattern by the second row's second and third pixel, the convention by the first row's first two.
_FORMATS: Mapping[str, tuple[int, Callable[[Bytes], Bytes]]] = {
    "Mono8": (1, lambda whole: np.repeat(whole, 3, axis=2)),
    "RGB8": (3, lambda whole: whole),
    "BGR8": (3, lambda whole: whole[..., ::-1]),
    "RGBa8": (4, lambda whole: whole[..., :3]),
    "BayerRG8": (1, _converted(cv2.COLOR_BayerBG2RGB)),
    "BayerGR8": (1, _converted(cv2.COLOR_BayerGB2RGB)),
    "BayerGB8": (1, _converted(cv2.COLOR_BayerGR2RGB)),
    "BayerBG8": (1, _converted(cv2.COLOR_BayerRG2RGB)),
}
