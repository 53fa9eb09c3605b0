r"""GS1 element strings and GS1 Digital Link URIs.

Application identifiers, layouts and check digits are those of the GS1 General Specifications (sections 3, 7.8 and 7.9),
links those of the GS1 Digital Link standard, URI syntax. Of the application identifiers, those that mark parts, assets
and what belongs to them are known.

The canonical form is the element string in brackets, as it is printed beside symbols, of only what identifies: the key,
and the serial number where there is one, otherwise variant and lot. So a label with a date and one without are the same
part. An opening bracket within a value is written ``\(``, which no value can hold, as the GS1 Barcode Syntax Engine
does; so no two codes share a form. A Digital Link would have its percent signs encoded a second time in the path of the
service.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from andon.models.codes.errors import CodeError
from andon.models.codes.identity import GROUP_SEPARATOR, CodeScheme, Identity, decoded, shown

MARKS = frozenset({"C1", "e0", "e1", "e2", "d2", "Q3", "J1"})
"""Symbology identifiers (ISO/IEC 15424) of GS1-128, DataBar and its composites, GS1 DataMatrix, QR and DotCode."""
LINK_HOST = "id.gs1.org"

_CLASSES = {"N": "[0-9]", "X": r"[!\"%&'()*+,\-./0-9:;<=>?A-Z_a-z]", "Y": r"[#\-/0-9A-Z]"}
"""Digits, and character sets 82 and 39 (section 7.11)."""
_COMPONENT = re.compile(r"(\[?)([NXY])(\.\.)?([0-9]+)\]?")
_BRACKETED = re.compile(r"\([0-9]{2,4}\)")
_TOKEN = re.compile(r"\(([0-9]{2,4})\)((?:\\\(|[^(\\])*)")
_NUMBER = re.compile("[0-9]{2,4}")
_KEY_DIGITS = re.compile("[0-9]{12}")
_REFERENCE_DIGITS = re.compile("[0-9]{4}")

Pairs = Iterable[tuple[str, str]]
"""Application identifiers and their values."""


@dataclass(frozen=True, slots=True)
class Element:
    """What is known of one application identifier.

    Parameters
    ----------
    layout
        In the notation of the General Specifications: ``N14``, ``X..20``, ``N13 [X..17]``.
    needs
        One of these has to stand beside it; none has to where this is empty.
    check_length
        How many digits at its beginning end in a check digit.
    """

    ai: str
    name: str
    layout: str
    needs: tuple[str, ...] = ()
    check_length: int = 0


class _Key(NamedTuple):
    """How a key identifies.

    ``qualifiers`` are tried in their order: the first group of which anything is there completes the identity.
    ``serial_at`` is where in the value of the key itself its serial number begins, if it holds one.
    """

    ai: str
    qualifiers: tuple[tuple[str, ...], ...] = ()
    serial_at: int | None = None


_ITEM = ("01", "8006")
_ELEMENTS = {
    element.ai: element
    for element in (
        Element("00", "sscc", "N18", check_length=18),
        Element("01", "gtin", "N14", check_length=14),
        Element("10", "lot", "X..20", _ITEM),
        Element("11", "production_date", "N6", _ITEM),
        Element("13", "packaging_date", "N6", _ITEM),
        Element("15", "best_before_date", "N6", _ITEM),
        Element("17", "expiration_date", "N6", _ITEM),
        Element("20", "variant", "N2", _ITEM),
        Element("21", "serial", "X..20", _ITEM),
        Element("22", "consumer_variant", "X..20", _ITEM),
        Element("235", "third_party_serial", "X..28", ("01",)),
        Element("240", "additional_id", "X..30", _ITEM),
        Element("241", "customer_part", "X..30", _ITEM),
        Element("242", "made_to_order_variant", "N..6", _ITEM),
        Element("243", "packaging_component", "X..20", ("01",)),
        Element("250", "secondary_serial", "X..30", ("21",)),
        Element("251", "source_reference", "X..30", _ITEM),
        Element("253", "document", "N13 [X..17]", check_length=13),
        Element("254", "location_extension", "X..20", ("414",)),
        Element("30", "count", "N..8", _ITEM),
        Element("400", "order", "X..30"),
        Element("414", "location", "N13", check_length=13),
        Element("422", "origin", "N3", _ITEM),
        Element("7023", "assembly", "X..30"),
        Element("8003", "returnable_asset", "N14 [X..16]", check_length=14),
        Element("8004", "individual_asset", "X..30"),
        Element("8006", "item_piece", "N18", check_length=14),
        Element("8008", "production_time", "N8 [N..4]", _ITEM),
        Element("8010", "component", "Y..30"),
        Element("8011", "component_serial", "N..12", ("8010",)),
        Element("8012", "software_version", "X..20", _ITEM),
        Element("8200", "product_url", "X..70", ("01",)),
        Element("90", "agreed", "X..30"),
        *(Element(str(ai), f"internal_{ai}", "X..90") for ai in range(91, 100)),
    )
}
_KEYS = (
    _Key("8006", (("21",), ("22", "10"))),
    _Key("8010", (("8011",),)),
    _Key("01", (("21",), ("235",), ("22", "10"))),
    _Key("8004", serial_at=0),
    _Key("8003", serial_at=14),
    _Key("253", serial_at=13),
    _Key("00", serial_at=0),
    _Key("414", (("254",),)),
)
"""The more closely a key names one thing, the earlier it stands: the first one in a code leads."""
_SERIALS = ("21", "235", "8011", "254")
_PREDEFINED = {"00": 18, "01": 14, "11": 6, "13": 6, "15": 6, "17": 6, "20": 2, "41": 13}
"""How many characters follow an application identifier that begins with these digits (figure 7.8.5-2)."""
_LONGER = {
    **dict.fromkeys(("23", "24", "25", "40", "41", "42", "71"), 3),
    **dict.fromkeys(("31", "32", "33", "34", "35", "36", "39", "43", "70", "72", "80", "81", "82"), 4),
}
"""How long an application identifier is that begins with these digits; two digits where they are not listed."""


def _pattern(layout: str) -> re.Pattern[str]:
    parts = []
    for optional, kind, upto, length in _COMPONENT.findall(layout):
        part = f"{_CLASSES[kind]}{{{'1,' if upto else ''}{length}}}"
        parts.append(f"(?:{part})?" if optional else part)
    return re.compile("".join(parts))


_PATTERNS = {ai: _pattern(element.layout) for ai, element in _ELEMENTS.items()}


def check_digit(digits: str) -> int:
    """Compute the check digit that follows ``digits`` (General Specifications, 7.9): weights 3 and 1 from the right.

    >>> check_digit("0950600013435")
    2
    """
    weighted = (int(digit) * (1 if index % 2 else 3) for index, digit in enumerate(reversed(digits)))
    return -sum(weighted) % 10


def is_bracketed(text: str) -> bool:
    """Whether text begins like an element string in brackets: two to four digits in them."""
    return _BRACKETED.match(text) is not None


def read_bracketed(text: str, subject: str) -> Identity:
    """Read an element string such as ``(01)09506000134352(21)12345``; blanks around values are ignored.

    Raises
    ------
    CodeError
        The brackets do not hold application identifiers, or ``identify`` refuses what they hold.
    """
    return identify(_bracketed_pairs(text, subject), subject)


def read_separated(text: str, subject: str) -> Identity:
    """Read an element string as symbols hold it: variable lengths end in FNC1, transmitted as ASCII 29 (7.8).

    Raises
    ------
    CodeError
        An application identifier is not known, or ``identify`` refuses what was found.
    """
    return identify(_separated_pairs(text, subject), subject)


def find_link(host: str, path: str) -> list[str]:
    """Return the segments of a URL's path that are a Digital Link, still encoded; none where it is not one.

    Any domain may have links, below any path. A key followed by a value that may be its own begins one: at least 12
    digits for a number with a check digit, at least 4 for a reference that begins with a company's prefix. On GS1's own
    domain the key alone does, and there is nothing else.
    """
    segments = path.strip("/").split("/")
    for index, (key, value) in enumerate(zip(segments, [*segments[1:], ""], strict=True)):
        if key in _KEY_AIS and (host == LINK_HOST or _begins_value(key, value)):
            return segments[index:]
    return segments if host == LINK_HOST else []


def read_link(segments: list[str], query: str, subject: str) -> Identity:
    """Read a Digital Link: application identifiers and values by turns in its path, more of them in its query.

    Names other than numbers in the query (``linkType``) are no part of the code. The older links whose GTIN has 8, 12
    or 13 digits are understood, those with names such as ``gtin`` in place of numbers and compressed ones are not.

    Raises
    ------
    CodeError
        The path does not go by turns, or ``identify`` refuses what it holds.
    """
    if len(segments) % 2:
        raise CodeError("code.link", subject, found=shown("/".join(segments)))
    return identify(_link_pairs(segments, query, subject), subject)


def identify(pairs: Pairs, subject: str) -> Identity:
    """Check the elements of a code, and find out what they identify.

    Raises
    ------
    CodeError
        An application identifier is unknown, comes twice with different values, lacks the one it needs or has a value
        that its layout, its check digit or the calendar rules out; or there is no key.
    """
    values: dict[str, str] = {}
    for ai, value in pairs:
        _check(_known(ai, subject), value, subject)
        if values.setdefault(ai, value) != value:
            raise CodeError("code.repeated", subject, ai=ai, found=value, other=values[ai])
    _check_needs(values, subject)
    return _identity(values, subject)


def _bracketed_pairs(text: str, subject: str) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise CodeError("code.brackets", subject, found=shown(text[position:]))
        yield token[1], token[2].replace("\\(", "(").strip(" ")
        position = token.end()


def _separated_pairs(text: str, subject: str) -> Iterator[tuple[str, str]]:
    while text := text.lstrip(GROUP_SEPARATOR):
        ai = text[: _LONGER.get(text[:2], 2)]
        _known(ai, subject)
        text = text.removeprefix(ai)
        if ai[:2] in _PREDEFINED:
            length = _PREDEFINED[ai[:2]]
            value, text = text[:length], text[length:]
        else:
            value, _, text = text.partition(GROUP_SEPARATOR)
        yield ai, value


def _link_pairs(segments: list[str], query: str, subject: str) -> Iterator[tuple[str, str]]:
    for ai, value in zip(segments[::2], segments[1::2], strict=True):
        number = decoded(value, subject)
        yield ai, number.zfill(14) if ai == "01" and len(number) in {8, 12, 13} else number
    for attribute in re.split("[&;]", query):
        name, _, value = attribute.partition("=")
        if _NUMBER.fullmatch(name):
            yield name, decoded(value, subject)


def _begins_value(key: str, value: str) -> bool:
    digits = _KEY_DIGITS if _ELEMENTS[key].check_length else _REFERENCE_DIGITS
    return digits.match(value) is not None


def _known(ai: str, subject: str) -> Element:
    element = _ELEMENTS.get(ai)
    if element is None:
        raise CodeError("code.unknown_ai", subject, found=shown(ai), known=", ".join(_ELEMENTS))
    return element


def _check(element: Element, value: str, subject: str) -> None:
    if _PATTERNS[element.ai].fullmatch(value) is None:
        raise CodeError("code.value", subject, ai=element.ai, found=shown(value), expected=element.layout)
    if element.check_length:
        _check_digit(element, value, subject)
    if element.ai in _RULES:
        _RULES[element.ai](element, value, subject)


def _check_digit(element: Element, value: str, subject: str) -> None:
    digits, found = value[: element.check_length - 1], value[element.check_length - 1]
    expected = str(check_digit(digits))
    if found != expected:
        raise CodeError("code.check_digit", subject, ai=element.ai, found=found, expected=expected)


def _check_date(element: Element, value: str, subject: str) -> None:
    """Look for ``YYMMDD`` in the calendar; day 00 is the month's last. Leap years do not depend on the century here."""
    try:
        date(2000 + int(value[:2]), int(value[2:4]), int(value[4:6]) or 1)
    except ValueError as error:
        raise CodeError("code.date", subject, ai=element.ai, found=value) from error


def _check_piece(element: Element, value: str, subject: str) -> None:
    piece, total = value[14:16], value[16:]
    if not "01" <= piece <= total:
        raise CodeError("code.piece", subject, ai=element.ai, found=piece, total=total)


def _check_filler(element: Element, value: str, subject: str) -> None:
    if not value.startswith("0"):
        raise CodeError("code.first_digit", subject, ai=element.ai, found=value, expected="0")


def _check_no_filler(element: Element, value: str, subject: str) -> None:
    if value.startswith("0"):
        raise CodeError("code.first_digit", subject, ai=element.ai, found=value, expected="1-9")


def _check_needs(values: dict[str, str], subject: str) -> None:
    for ai in values:
        needs = _ELEMENTS[ai].needs
        if needs and values.keys().isdisjoint(needs):
            raise CodeError("code.alone", subject, ai=ai, expected=", ".join(needs))


def _identity(values: dict[str, str], subject: str) -> Identity:
    key = next((key for key in _KEYS if key.ai in values), None)
    if key is None:
        raise CodeError("code.no_key", subject, known=", ".join(key.ai for key in _KEYS))
    group = next((group for group in key.qualifiers if not values.keys().isdisjoint(group)), ())
    identifying = (key.ai, *(ai for ai in group if ai in values))
    canonical = "".join(f"({ai}){_escaped(values[ai])}" for ai in identifying)
    fields = tuple((element.name, values[ai]) for ai, element in _ELEMENTS.items() if ai in values)
    return Identity(CodeScheme.GS1, canonical, _serial(key, identifying, values), fields)


def _serial(key: _Key, identifying: tuple[str, ...], values: dict[str, str]) -> str | None:
    if key.serial_at is not None:
        return values[key.ai][key.serial_at :] or None
    return next((values[ai] for ai in identifying if ai in _SERIALS), None)


def _escaped(value: str) -> str:
    return value.replace("(", "\\(")


_KEY_AIS = frozenset(key.ai for key in _KEYS)
_RULES: dict[str, Callable[[Element, str, str], None]] = {
    **dict.fromkeys(("11", "13", "15", "17", "8008"), _check_date),
    "8003": _check_filler,
    "8006": _check_piece,
    "8011": _check_no_filler,
}
"""What a layout cannot say."""
