"""Read what a request carries, within limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from andon.serving.engine.errors import RequestError, TooLargeError

if TYPE_CHECKING:  # the parser has this name for type checkers alone
    from python_multipart.multipart import MultipartCallbacks

MAX_PARTS = 16
MAX_KEY = 256


async def read_body(request: Request, limit: int) -> bytes:
    """Read the body of ``request``, to ``limit`` bytes at most.

    Raises
    ------
    TooLargeError
        It is announced, or turns out, to be larger.
    """
    announced = request.headers.get("content-length", "0")
    left = limit - (int(announced) if announced.isdecimal() else 0)
    if left < 0:
        raise TooLargeError("serving.too_large", "body", limit=limit >> 20)
    chunks, left = [], limit
    async for chunk in request.stream():
        left -= len(chunk)
        if left < 0:
            raise TooLargeError("serving.too_large", "body", limit=limit >> 20)
        chunks.append(chunk)
    return b"".join(chunks)


@dataclass(frozen=True, slots=True)
class Sent:
    """The key under which a request may be sent again, and SHA-256 of what it consists of."""

    key: str
    digest: bytes


def checked_key(key: str | None) -> str | None:
    """Check an ``Idempotency-Key``.

    Raises
    ------
    RequestError
        It is empty, or too long to be kept.
    """
    if key is not None and not 0 < len(key) <= MAX_KEY:
        raise RequestError("serving.field_length", "Idempotency-Key", found=len(key), limit=MAX_KEY)
    return key


@dataclass(slots=True)
class Part:
    """One part of a form; ``filename`` is None for a plain field."""

    name: str = ""
    filename: str | None = None
    content: bytearray = field(default_factory=bytearray)


def parse_form(body: bytes, content_type: str) -> Mapping[str, Part]:
    """Take a ``multipart/form-data`` body apart (RFC 7578), in memory.

    Starlette's own parser spools every file to disk through a thread; here the body is bounded and already in memory.

    Raises
    ------
    RequestError
        It is damaged or cut off, has too many parts, or two of one name.
    """
    _, options = parse_options_header(content_type)
    collector = _Collector()
    try:
        parser = MultipartParser(options.get(b"boundary", b""), collector.callbacks())
        parser.write(body)
    except (FormParserError, UnicodeDecodeError) as error:
        raise RequestError("serving.form", "body", reason=str(error)) from error
    if not collector.complete:
        raise RequestError("serving.form", "body", reason="no closing boundary")
    return collector.parts


class _Collector:
    """Builds the parts from the parser's events."""

    def __init__(self) -> None:
        self.parts: dict[str, Part] = {}
        self.complete = False
        self._part = Part()
        self._header = bytearray()
        self._value = bytearray()

    def callbacks(self) -> "MultipartCallbacks":
        """Say what is called on which event."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_part_data": lambda data, start, end: self._part.content.extend(data[start:end]),
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        self._part = Part()

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            self._part.name = options.get(b"name", b"").decode()
            filename = options.get(b"filename")
            self._part.filename = None if filename is None else filename.decode()
        self._header, self._value = bytearray(), bytearray()

    def _end(self) -> None:
        if self._part.name in self.parts or len(self.parts) == MAX_PARTS:
            raise RequestError("serving.form_parts", self._part.name or "body", limit=MAX_PARTS)
        self.parts[self._part.name] = self._part

    def _finish(self) -> None:
        self.complete = True
