"""Messages of IPC-HERMES-9852 (The Hermes Standard): documents of XML, one after the other in a stream.

References are to the sections of version 1.5: 3.1 envelope and size, 3.6 what is said of a board.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from andon.models.types.errors import InputError

MOST_BYTES = 65_536
"""Of one document (section 3.1)."""

_END = re.compile(rb"</Hermes\s*>")
_ONE_DIGIT = re.compile("0*([0-9])")
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class HermesError(InputError):
    """What the other machine says is no document of the standard, or does not belong here."""


class BoardQuality(IntEnum):
    """What is known of a board (``FailedBoard``)."""

    UNKNOWN = 0
    GOOD = 1
    FAILED = 2


class Side(IntEnum):
    """Which side of a board is up (``FlippedBoard``)."""

    UNKNOWN = 0
    TOP = 1
    BOTTOM = 2


@dataclass(frozen=True, slots=True)
class HermesMessage:
    """One document: the name of the message, its attributes, and the innermost elements in it, each as a path such as ``A/B``."""

    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    elements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Board:
    """A board that is on its way (section 3.6).

    Parameters
    ----------
    id
        Of this board in the line, made by the machine ``created_by``.
    attributes
        All that was said of it, by the standard's names.
    """

    id: str
    created_by: str
    quality: BoardQuality
    side_up: Side
    top_barcode: str
    bottom_barcode: str
    product_type: str
    attributes: Mapping[str, str]

    @property
    def serial(self) -> str:
        """The barcode of the side that is up, or of the other; empty where there is none."""
        barcodes = (self.top_barcode, self.bottom_barcode)
        return next(filter(None, reversed(barcodes) if self.side_up is Side.BOTTOM else barcodes), "")


class HermesReader:
    """Takes documents out of a stream, however it is cut up. What it holds is bounded; document types, and so entities, are refused."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[HermesMessage]:
        """Take bytes that came, and deliver the messages that are whole by now.

        Raises
        ------
        HermesError
            They are no document of the standard; the stream cannot be read on.
        """
        self._buffer += data
        while end := _END.search(self._buffer):
            document, self._buffer = self._buffer[: end.end()], self._buffer[end.end() :]
            _check_size(document)
            yield parse(document)
        _check_size(self._buffer)


def parse(document: bytes) -> HermesMessage:
    """Read one document (section 3.1).

    Raises
    ------
    HermesError
        It is none.
    """
    outline = _Outline()
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = outline.begin, outline.end
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, UnicodeError, ValueError) as error:
        raise HermesError("hermes.document", "Hermes", reason=str(error)) from error
    if outline.root != "Hermes" or len(outline.messages) != 1:
        reason = f"<{outline.root[:40]}> with {len(outline.messages)} messages"
        raise HermesError("hermes.document", "Hermes", reason=reason)
    return HermesMessage(*outline.messages[0], tuple(outline.elements))


class _Outline:
    """What stands in a document."""

    def __init__(self) -> None:
        self.root = ""
        self.messages: list[tuple[str, Mapping[str, str]]] = []
        self.elements: list[str] = []
        self._path: list[str] = []

    def begin(self, name: str, attributes: Mapping[str, str]) -> None:
        match len(self._path):
            case 0:
                self.root = name
            case 1:
                self.messages.append((name, attributes))
            case _:
                self._add("/".join(self._path[2:]), name)
        self._path.append(name)

    def end(self, _name: str) -> None:
        self._path.pop()

    def _add(self, parent: str, name: str) -> None:
        if parent and self.elements[-1] == parent:
            self.elements.pop()
        self.elements.append(f"{parent}/{name}" if parent else name)


def write(message: HermesMessage, time: datetime) -> bytes:
    """Write one document, stamped with ``time`` as its own zone reads. What XML cannot hold is left out of values."""
    attributes = "".join(
        f" {name}={quoteattr(_NOT_IN_XML.sub('', value))}" for name, value in message.attributes.items()
    )
    inner = f"<{message.name}{attributes}>{''.join(map(_element, message.elements))}</{message.name}>"
    stamp = time.isoformat(timespec="milliseconds")[:23]  # without a zone, as the standard shows it
    return f'<Hermes Timestamp="{stamp}">{inner}</Hermes>'.encode()


def _element(path: str) -> str:
    outer, _, inner = path.partition("/")
    return f"<{outer}>{_element(inner)}</{outer}>" if inner else f"<{outer}/>"


def board_of(message: HermesMessage) -> Board:
    """Read the board of a ``BoardAvailable``.

    Raises
    ------
    HermesError
        It names no board, or has a number that there is not.
    """
    said = message.attributes
    if not said.get("BoardId"):
        raise HermesError("hermes.attribute", message.name, name="BoardId", found="nothing", expected="an identifier")
    return Board(
        said["BoardId"],
        said.get("BoardIdCreatedBy", ""),
        BoardQuality(number_of(message, "FailedBoard", 2)),
        Side(number_of(message, "FlippedBoard", 2)),
        said.get("TopBarcode", ""),
        said.get("BottomBarcode", ""),
        said.get("ProductTypeId", ""),
        dict(said),
    )


def number_of(message: HermesMessage, name: str, most: int) -> int:
    """Read an attribute from 0 to ``most``, at most 9; 0 where it is absent. Raises ``HermesError``."""
    found = message.attributes.get(name, "0").strip()
    digit = _ONE_DIGIT.fullmatch(found)
    if digit is None or int(digit[1]) > most:
        raise HermesError("hermes.attribute", message.name, name=name, found=found[:40], expected=f"0 to {most}")
    return int(digit[1])


def _check_size(document: bytes) -> None:
    if len(document) > MOST_BYTES:
        raise HermesError("hermes.size", "Hermes", most=MOST_BYTES)


def _refuse_doctype(*_: object) -> None:
    raise HermesError("hermes.document", "Hermes", reason="document type")
