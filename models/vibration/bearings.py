"""Known rolling bearings by designation, and bearings as people write them."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files

import msgspec

from andon.models.types.errors import AssetError
from andon.models.types.vibration import Bearing, BearingOrders
from andon.models.vibration.fault_orders import (
    BearingGeometry,
    fault_orders,
    parse_geometry,
    parse_numbers,
    parse_orders,
)

TABLE = "bearings.toml"

# Two letters before a number are mostly part of it (NU 206, BL 6205 with more balls than a 6205): makers that the table
# does not hold are recognised from three letters.
_UNLISTED_MAKER = re.compile(r"[A-Z]{3,} ")
_SEPARATORS = re.compile(r"[^A-Z0-9]+")
_PARTS = re.compile(r"[A-Z]+|[0-9]+")
# What may follow the basic number at once: a letter, or one of the suffixes that begin with a digit. Other digits make it
# another number.
_SUFFIX = r"(?:$|[ A-Z]|2RS|2RZ|2Z)"


@dataclass(frozen=True, slots=True)
class KnownBearing:
    """An entry of the table: a maker's bearing.

    Parameters
    ----------
    source
        Where its geometry is printed or, where that is not, its orders.
    note
        Where another source differs, and what had to be assumed.
    """

    designation: str
    source: str
    orders: BearingOrders
    maker: str = ""
    note: str = ""

    @property
    def basic(self) -> str:
        """The designation without what says seals, shields and the like.

        >>> next(each for each in known_bearings() if each.maker == "SKF").basic
        '6205'
        """
        return re.sub(r"-?(2RS|ZZ)$", "", self.designation)

    def bearing(self) -> Bearing:
        """Return it as a bearing of a machine, at no place yet."""
        source = f"{self.source}; {self.note}" if self.note else self.source
        return Bearing("", self.orders, source, self.designation, self.maker)


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    designation: str
    source: str
    maker: str = ""
    note: str = ""
    n_elements: int = 0
    element_d_mm: float = 0.0
    pitch_d_mm: float = 0.0
    contact_angle_deg: float = 0.0
    orders: tuple[float, float, float, float] | None = None


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    bearing: tuple[_Row, ...]


@lru_cache
def known_bearings() -> tuple[KnownBearing, ...]:
    """Load the table of bearings, in its order."""
    text = files(__package__).joinpath(TABLE).read_text(encoding="utf-8")
    return tuple(map(_known, msgspec.toml.decode(text, type=_Table).bearing))


def find_bearing(designation: str, maker: str | None = None) -> Bearing:
    """Look a bearing up as it is written on it or in a list of spare parts.

    Seals, shields, clearance, cage and the like (``-2RS``, ``ZZ/C3``, ``-2Z``) are left aside: they do not change the
    orders. A maker may stand before the designation. Where makers differ, the one named is taken; where the table does not
    hold that one or none is named, the first listed, and the bearing says whose it is. Among those listed, makers of one
    designation differ by under 1 % in the orders of the races and under 3 % in that of the rolling element.

    Parameters
    ----------
    designation
        Such as ``"6205"``, ``"6205-2Z"`` or ``"skf 6205 zz/c3"``.
    maker
        Overrides the one in ``designation``.

    Raises
    ------
    AssetError
        The table does not hold it; the message names the nearest that it holds.

    Examples
    --------
    >>> find_bearing("nsk 6205 DDU/C3").maker
    'NSK'
    >>> round(find_bearing("6205-2Z").orders.bpfo, 4)
    3.5848
    """
    text = _spaced(designation)
    named = _maker_in(text)
    number = text.removeprefix(named).strip()
    found = [known for known in known_bearings() if _writes(text, known.basic) or _writes(number, known.basic)]
    if not found:
        raise AssetError("asset.bearing_unknown", designation, near=", ".join(_nearest(number)))
    wanted = _spaced(maker or named)
    return next((known for known in found if _spaced(known.maker) == wanted), found[0]).bearing()


def parse_bearing(text: str, maker: str = "", source: str = "") -> Bearing:
    """Read a bearing that is given by its designation, geometry or orders.

    Parameters
    ----------
    text
        A designation of the table, ``n,d,D,angle`` in mm and degrees, or ``bpfo,bpfi,bsf,ftf``; the latter two may follow a
        designation and ``=``. Four numbers are orders where the last lies between 0 and 1, as a cage's order does and a
        contact angle does not.
    source
        Where geometry or orders come from; those of the table bring their own.

    Raises
    ------
    AssetError
        It is none of these, or no bearing can be like that.

    Examples
    --------
    >>> parse_bearing("6312 = 8,22.225,96,0", "SKF", "maker's drawing").designation
    '6312'
    """
    designation, equals, numbers = text.rpartition("=")
    if not equals and len(parse_numbers(text) or ()) < 2:
        return find_bearing(text, maker or None)
    return Bearing("", _orders(numbers.strip()), source, designation.strip(), maker)


def _known(row: _Row) -> KnownBearing:
    if row.orders is not None:
        return KnownBearing(row.designation, row.source, BearingOrders(*row.orders), row.maker, row.note)
    geometry = BearingGeometry(row.n_elements, row.element_d_mm, row.pitch_d_mm, row.contact_angle_deg)
    return KnownBearing(row.designation, row.source, fault_orders(geometry), row.maker, row.note)


def _spaced(text: str) -> str:
    """Upper case, with one space for whatever separates letters and digits; full-width forms become narrow."""
    return _SEPARATORS.sub(" ", unicodedata.normalize("NFKC", text).upper()).strip()


def _maker_in(text: str) -> str:
    for maker in sorted({_spaced(known.maker) for known in known_bearings() if known.maker}):
        if text.startswith(f"{maker} "):
            return maker
    unlisted = _UNLISTED_MAKER.match(text)
    return unlisted.group().strip() if unlisted else ""


def _writes(number: str, basic: str) -> bool:
    """Whether ``number`` is the basic designation, with any suffix after it and any separator in it."""
    return re.match(" ?".join(_PARTS.findall(basic)) + _SUFFIX, number) is not None


def _nearest(number: str) -> Iterator[str]:
    basics = list(dict.fromkeys(known.basic for known in known_bearings()))
    yield from get_close_matches(number.split(" ")[0], basics, n=5, cutoff=0.0)


def _orders(text: str) -> BearingOrders:
    last = (parse_numbers(text) or [0.0])[-1]
    return parse_orders(text) if 0 < last < 1 else fault_orders(parse_geometry(text))
