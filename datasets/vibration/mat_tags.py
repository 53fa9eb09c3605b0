"""The tags of a ``.mat`` file of format 5, checked before SciPy follows them.

Its reader, compiled without bounds, takes a type that the format does not have for an index: one damaged byte ends the program.
Tags, classes and flags as in MATLAB's "MAT-File Format", chapter 1.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Literal, NamedTuple

HEADER_BYTES = 128
MATRIX, COMPRESSED = 14, 15
NUMBERS = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 12, 13})
TEXTS = frozenset({16, 17, 18})
NUMERIC_CLASSES = frozenset({4, *range(6, 16)})
"""Characters, and numbers of all sizes: one part, or two where they are complex."""
COMPLEX = 0x0800
_FLAGS_DIMENSIONS_NAME = 3

Order = Literal["<", ">"]


class _Element(NamedTuple):
    kind: int
    content: bytes


def check_tags(contents: bytes) -> None:
    """Go through all elements of a file.

    Parameters
    ----------
    contents
        The whole file.

    Raises
    ------
    ValueError
        An element has a type that the format does not have there, or is longer than what holds it.
    zlib.error
        A compressed variable is damaged.
    """
    order: Order = ">" if contents[126:128] == b"MI" else "<"
    for kind, content in _elements(contents[HEADER_BYTES:], order):
        if kind == COMPRESSED:
            for inner in _elements(zlib.decompress(content), order):
                _check_variable(inner, order)
        else:
            _check_variable(_Element(kind, content), order)


def _check_variable(element: _Element, order: Order) -> None:
    if element.kind != MATRIX:
        raise ValueError(f"a variable of type {element.kind}, expected {MATRIX}")
    if not element.content:
        return
    parts = list(_elements(element.content, order))
    for part in parts:
        if part.kind == MATRIX:
            _check_variable(part, order)
        elif part.kind not in NUMBERS | TEXTS:
            raise ValueError(f"an element of type {part.kind}")
    _check_parts(parts, order)


def _check_parts(parts: list[_Element], order: Order) -> None:
    """See that an array of numbers has the parts that its flags announce."""
    flags = struct.unpack_from(f"{order}I", parts[0].content)[0]
    if flags & 0xFF in NUMERIC_CLASSES:
        data = parts[_FLAGS_DIMENSIONS_NAME:]
        if len(data) < (2 if flags & COMPLEX else 1) or any(part.kind == MATRIX for part in data):
            raise ValueError("an array without its numbers")


def _elements(contents: bytes, order: Order) -> Iterator[_Element]:
    at = 0
    while at + 8 <= len(contents):
        kind, length = struct.unpack_from(f"{order}II", contents, at)
        if kind >> 16:  # up to four bytes stand in the tag itself
            kind, length, start, after = kind & 0xFFFF, kind >> 16, at + 4, at + 8
        else:
            start = at + 8
            after = start + length + (0 if kind == COMPRESSED else -length % 8)
        if length > len(contents) - start or (start == at + 4 and length > 4):
            raise ValueError(f"an element of {length} bytes where {len(contents) - start} are left")
        yield _Element(kind, contents[start : start + length])
        at = after
