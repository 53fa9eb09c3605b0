"""Codes read from an image of the part, with zxing-cpp."""

from dataclasses import dataclass

import cv2
import numpy as np
import zxingcpp
from numpy.typing import NDArray
from zxingcpp import Barcode, BarcodeFormat, ContentType, TextMode

from andon.models.codes.errors import CodeError
from andon.models.codes.parsing import PartCode, parse_code
from andon.models.types.vision import Frame

_MATRIX = (BarcodeFormat.QRCode, BarcodeFormat.MicroQRCode, BarcodeFormat.RMQRCode, BarcodeFormat.DataMatrix)
_LINEAR = (BarcodeFormat.DataBar, BarcodeFormat.Code128)
_FORMATS = zxingcpp.BarcodeFormats([*_MATRIX, *_LINEAR])
_MAX_ENLARGED_PX = 25_000_000
"""Larger images are searched once: at twice their size they would take seconds and hundreds of megabytes."""

Corner = tuple[int, int]
"""Pixels from the left and from the top."""


@dataclass(frozen=True, slots=True)
class ReadCode:
    """One symbol in an image.

    Parameters
    ----------
    text
        Its contents as a scanner transmits them: the symbology identifier (ISO/IEC 15424), then the characters, ASCII
        29 for each FNC1.
    symbology
        ``QRCode``, ``MicroQRCode``, ``RMQRCode``, ``DataMatrix``, ``DataBar`` or ``Code128``.
    corners
        Top left, top right, bottom right and bottom left of the symbol as it was printed, however it is turned in the
        image.
    """

    text: str
    symbology: str
    corners: tuple[Corner, Corner, Corner, Corner]


def read_codes(frame: Frame) -> tuple[ReadCode, ...]:
    """Read the QR codes and Data Matrices in an image, and the linear symbols that are GS1's (DataBar, GS1-128).

    Other linear symbols are ignored: on parts they are the labels of what was built in. Symbols may be turned by any
    angle, or light on dark; a module has to be 3 pixels wide, 4 where the image is blurred. A mirrored Data Matrix is
    not found.

    Where nothing is found, the image is searched again at twice its size: that finds most of the few Data Matrices
    which the first search misses among other rectangles.
    """
    grey = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)
    found = _scan(grey)
    if found or grey.size > _MAX_ENLARGED_PX:
        return tuple(_read_code(each, 1) for each in found)
    doubled = np.asarray(cv2.resize(grey, None, fx=2, fy=2), np.uint8)
    return tuple(_read_code(each, 2) for each in _scan(doubled))


def part_code_in(frame: Frame) -> PartCode:
    """Read the one part code in an image. The same code in several symbols is one.

    Raises
    ------
    CodeError
        There is no symbol, one holds what ``parse_code`` refuses, or two hold different codes.
    """
    codes = {code.canonical: code for code in (parse_code(each.text) for each in read_codes(frame))}
    if not codes:
        raise CodeError("code.none_seen", "image")
    if len(codes) > 1:
        raise CodeError("code.several_seen", "image", found=", ".join(sorted(codes)))
    return next(iter(codes.values()))


def _scan(grey: NDArray[np.uint8]) -> list[Barcode]:
    found = zxingcpp.read_barcodes(grey, formats=_FORMATS, text_mode=TextMode.Plain)
    return [each for each in found if each.symbology in _MATRIX or each.content_type is ContentType.GS1]


def _read_code(found: Barcode, scale: int) -> ReadCode:
    where = found.position
    points = (where.top_left, where.top_right, where.bottom_right, where.bottom_left)
    first, second, third, fourth = ((point.x // scale, point.y // scale) for point in points)
    return ReadCode(f"{found.symbology_identifier}{found.text}", found.symbology.name, (first, second, third, fourth))
