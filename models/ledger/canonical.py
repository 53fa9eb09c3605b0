"""Canonical JSON (RFC 8785), written and recognised.

Writing exactly is slow in Python, and a ledger is checked far more often than it is written. Most bodies are recognised by a fast encoder
that writes the same bytes for them; all others are written exactly.
"""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import rfc8785

_LARGEST = 2**53 - 1
"""The largest whole number of RFC 8785, section 3.2.2.3: a double holds no larger one exactly."""
_ENCODER = msgspec.json.Encoder(order="sorted")
_ASTRAL, _LONG_NUMBER = b"\xf0", b":" + b"0" * 16


def _shapes() -> bytes:
    """Map bytes to what matters of them: digits to 0, whatever comes before a number to a colon, starts of four bytes to one."""
    shapes = bytearray(range(256))
    for group, shape in ((b"123456789", b"0"), (b",[-", b":"), (bytes(range(0xF0, 0x100)), _ASTRAL)):
        for byte in group:
            shapes[byte] = shape[0]
    return bytes(shapes)


_SHAPES = _shapes()


def encode(document: Mapping[str, Any]) -> bytes:
    """Write canonical JSON.

    Raises
    ------
    ValueError
        It holds what JSON or a double cannot: another type, a number that is not finite, a whole number beyond 2**53, half a
        surrogate pair.
    RecursionError
        It is nested too deeply.
    """
    return rfc8785.dumps(dict(document))


def plain_float(literal: str) -> float | None:
    """Read a number with a fraction as ``is_canonical`` needs it: None where the fast encoder may write it otherwise.

    >>> plain_float("0.25"), plain_float("2.0"), plain_float("1e-7")
    (0.25, None, None)
    """
    return None if "e" in literal.lower() or literal.endswith(".0") else float(literal)


def is_canonical(body: bytes, decoded: object) -> bool:
    """Say whether ``body`` is canonical JSON.

    Parameters
    ----------
    decoded
        What ``body`` says, decoded with ``plain_float`` as the hook for floats.

    Notes
    -----
    The fast encoder writes what RFC 8785 asks for, except for: floats with an exponent or without a fraction, which
    ``plain_float`` leaves out so that the bytes differ; whole numbers of 16 digits and more; and the order of keys where characters
    outside the basic plane are among them (RFC 8785 sorts by UTF-16).
    """
    shape = body.translate(_SHAPES)
    if _ASTRAL not in shape and _LONG_NUMBER not in shape and _ENCODER.encode(decoded) == body:
        return True
    return _is_exactly_canonical(body)


def _is_exactly_canonical(body: bytes) -> bool:
    try:
        return rfc8785.dumps(json.loads(body, parse_int=_whole)) == body
    except (ValueError, RecursionError):
        return False


def _whole(literal: str) -> int | float:
    """Read a whole number as the double it stands for: RFC 8785 writes floats below 1e21 without a point."""
    number = int(literal)
    return number if abs(number) <= _LARGEST else float(literal)
