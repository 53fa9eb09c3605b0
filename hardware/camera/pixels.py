"""What a camera sends, as RGB; pixel formats by the names of GenICam's Pixel Format Naming Convention (PFNC 2.4)."""

from collections.abc import Mapping

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
    if pixel_format not in _FORMATS:
        raise CameraSettingError("camera.pixel_format", subject, found=pixel_format, known=", ".join(_FORMATS))
    channels, code = _FORMATS[pixel_format]
    whole = _filled(data, width_px * height_px * channels).reshape(height_px, width_px, channels)
    return whole.copy() if code is None else np.asarray(cv2.cvtColor(whole, code), dtype=np.uint8)


def _filled(data: Bytes, size: int) -> Bytes:
    """Return the first ``size`` bytes."""
    there = data.reshape(-1)[:size]
    return there if there.size == size else np.pad(there, (0, size - there.size))


# OpenCV names a Bayer pattern by the second row's second and third pixel, the convention by the first row's first two.
_FORMATS: Mapping[str, tuple[int, int | None]] = {
    "Mono8": (1, cv2.COLOR_GRAY2RGB),
    "RGB8": (3, None),
    "BGR8": (3, cv2.COLOR_BGR2RGB),
    "RGBa8": (4, cv2.COLOR_RGBA2RGB),
    "BayerRG8": (1, cv2.COLOR_BayerBG2RGB),
    "BayerGR8": (1, cv2.COLOR_BayerGB2RGB),
    "BayerGB8": (1, cv2.COLOR_BayerGR2RGB),
    "BayerBG8": (1, cv2.COLOR_BayerRG2RGB),
}
"""How many bytes a pixel has, and OpenCV's conversion; it writes to memory of its own."""
