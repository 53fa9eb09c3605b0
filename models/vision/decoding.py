"""Turn the bytes of an image file into a frame, refusing what cannot be inspected honestly."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from andon.models.types.errors import ImageError
from andon.models.types.vision import Frame

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """The largest and smallest image that is taken.

    80 megapixels is above any area-scan camera in use on a line and decodes into 240 MB. Under 16 pixels a side the
    smallest feature cell (8 pixels) has no neighbour.
    """

    max_megapixels: int = 80
    max_megabytes: int = 256
    min_side_px: int = 16


LIMITS = ImageLimits()


def read_image(path: Path, limits: ImageLimits = LIMITS) -> Frame:
    """Read the image file at ``path``.

    Raises
    ------
    ImageError
        The file cannot be read, is too large, or ``decode_image`` refuses it.
    """
    return decode_image(read_image_bytes(path, limits), str(path), limits)


def read_image_bytes(path: Path, limits: ImageLimits = LIMITS) -> bytes:
    """Read the file at ``path`` without decoding it, refusing a larger one than ``limits`` allows."""
    try:
        size = path.stat().st_size
        if size > limits.max_megabytes * 2**20:
            raise ImageError("image.too_many_bytes", str(path), found=size >> 20, limit=limits.max_megabytes)
        return path.read_bytes()
    except OSError as error:
        raise ImageError("image.unreadable", str(path), reason=error.strerror or str(error)) from error


def decode_image(encoded: bytes, subject: str, limits: ImageLimits = LIMITS) -> Frame:
    """Decode an image file to 8-bit RGB as a viewer would show it.

    The orientation tag is applied, transparency is dropped, grey is repeated over three channels, and 16-bit grey keeps
    its high byte: the scale never depends on the image's own maximum.

    Parameters
    ----------
    encoded
        The whole file.
    subject
        What to call it in an error.

    Returns
    -------
    Frame
        uint8 ``[height, width, 3]``.

    Raises
    ------
    ImageError
        Empty, not an image, truncated, too many pixels by its header, too small, or a pixel format without a fixed scale.
    """
    if not encoded:
        raise ImageError("image.empty", subject)
    with _open(encoded, subject, limits) as picture:
        _check_header(picture, subject, limits)
        try:
            picture.load()
            ImageOps.exif_transpose(picture, in_place=True)
            return _to_rgb(picture, subject)
        except (OSError, SyntaxError, ValueError, EOFError, IndexError) as error:
            raise ImageError("image.truncated", subject, reason=" ".join(str(error).split())) from error


def image_media_type(encoded: bytes) -> str:
    """Say of which kind an image is that was decoded before, such as ``image/jpeg``."""
    return Image.MIME.get(_open(encoded, "image", LIMITS).format or "", "application/octet-stream")


def _open(encoded: bytes, subject: str, limits: ImageLimits) -> Image.Image:
    try:
        return Image.open(BytesIO(encoded), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageError("image.too_many_pixels", subject, limit=limits.max_megapixels) from error
    except UnidentifiedImageError as error:
        raise ImageError("image.unknown_format", subject, known=", ".join(FORMATS)) from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError) as error:
        raise ImageError("image.truncated", subject, reason=" ".join(str(error).split())) from error


def _check_header(picture: Image.Image, subject: str, limits: ImageLimits) -> None:
    width, height = picture.size
    if width * height > limits.max_megapixels * 1_000_000:
        raise ImageError("image.too_many_pixels", subject, limit=limits.max_megapixels)
    if min(width, height) < limits.min_side_px:
        raise ImageError("image.too_small", subject, found=f"{width}x{height}", limit=limits.min_side_px)
    if picture.mode in ("F", "I"):
        raise ImageError("image.pixel_format", subject, found=picture.mode)


def _to_rgb(picture: Image.Image, subject: str) -> Frame:
    if picture.mode.startswith("I;16"):
        grey: NDArray[np.uint8] = (np.asarray(picture) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    frame: Frame = np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
    return frame
