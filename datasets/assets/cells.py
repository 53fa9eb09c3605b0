"""What the cells of the table of machines say. An error names the text as its subject; whoever reads the table adds the place."""

import re
from enum import StrEnum

from andon.models.types.errors import AssetError
from andon.models.types.vibration import Bearing, Direction, MachineClass
from andon.models.vibration.bearings import parse_bearing
from andon.models.vibration.zones import parse_machine_class


class Support(StrEnum):
    """How a machine stands, by ISO 10816-3, 5.3."""

    RIGID = "rigid"
    FLEXIBLE = "flexible"


def positive(text: str, decimal: str) -> float:
    """Read a number above zero.

    >>> positive("2,2", ",")
    2.2
    """
    plain = text.replace(",", ".") if decimal == "," else text
    if re.fullmatch(r"\d+\.?\d*|\.\d+", plain) is None or not float(plain):
        raise AssetError("asset.cell_number", text)
    return float(plain)


def whole(text: str) -> int:
    """Read a whole number from 1."""
    if not text.isdecimal() or not int(text):
        raise AssetError("asset.cell_whole", text)
    return int(text)


def teeth(text: str) -> tuple[int, ...]:
    """Read tooth counts with any of ``; , /`` or blanks between them.

    >>> teeth("23;47")
    (23, 47)
    """
    try:
        return tuple(whole(part) for part in re.split(r"[\s;,/]+", text))
    except AssetError as error:
        raise AssetError("asset.cell_teeth", text) from error


def support(text: str) -> Support:
    """Read how the machine stands."""
    return Support(_word(text, Support))


def direction(text: str) -> Direction:
    """Read which way a sensor measures."""
    return Direction(_word(text, Direction))


def machine_class(text: str) -> MachineClass:
    """Read a class such as ``iso10816-3:2:rigid``."""
    return parse_machine_class(text, text)


def bearing(text: str, maker: str, source: str) -> Bearing:
    """Read a bearing; one that is not in the table of known ones needs a source.

    >>> bearing("9;7.94;39.04;0", "", "drawing 4711").source
    'drawing 4711'
    """
    read = parse_bearing(text, maker, source)
    if not read.source:
        raise AssetError("asset.bearing_no_source", text)
    return read


def _word(text: str, words: type[StrEnum]) -> str:
    if (word := text.lower()) not in set(words):
        raise AssetError("asset.cell_word", text, known=", ".join(words))
    return word
