"""Files of MATLAB's format 5 are checked before a reader without bounds follows them."""

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import csc_array

from andon.datasets.vibration.mat_tags import HEADER_BYTES, check_tags


def written(values: dict[str, Any], compressed: bool = False) -> bytes:
    buffer = BytesIO()
    savemat(buffer, values, do_compression=compressed)  # type: ignore[arg-type]  # its stubs know no open files
    return buffer.getvalue()


KINDS = {
    "numbers": {"x": np.arange(200.0), "n": 3},
    "small": {"x": np.arange(7, dtype=np.int16), "flag": True, "byte": np.uint8(4)},
    "complex": {"x": np.arange(200) * (1 + 1j)},
    "text": {"unit": "g", "long": "acceleration of the drive end"},
    "struct": {"bearing": {"gs": np.arange(200.0), "sr": 1024.0, "deep": {"unit": "g"}}},
    "cells": {"c": np.array([np.arange(3.0), "a"], dtype=object)},
    "sparse": {"s": csc_array(np.eye(3))},
    "empty": {"e": np.zeros((0, 0)), "x": np.arange(9.0)},
    "nothing": {},
}


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("values", KINDS.values(), ids=KINDS)
def test_whatever_is_written_passes(values: dict[str, Any], compressed: bool) -> None:
    check_tags(written(values, compressed))


def file_of(order: str, *parts: tuple[int, bytes]) -> bytes:
    """One variable, of parts that are types and contents, as a machine of the byte order ``order`` writes it."""
    padded = [(kind, data, data.ljust(-(-len(data) // 8) * 8, b"\0")) for kind, data in parts]
    body = b"".join(struct.pack(f"{order}II", kind, len(data)) + whole for kind, data, whole in padded)
    header = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(f"{order}HH", 0x0100, 0x4D49)
    return header + struct.pack(f"{order}II", 14, len(body)) + body


@pytest.mark.parametrize("order", "<>")
def test_either_byte_order_passes(order: str) -> None:
    flags, shape = struct.pack(f"{order}II", 6, 0), struct.pack(f"{order}ii", 1, 1)
    check_tags(file_of(order, (6, flags), (5, shape), (1, b"x"), (9, struct.pack(f"{order}d", 2.5))))


def test_a_matrix_is_no_number() -> None:
    flags, shape = struct.pack("<II", 6, 0), struct.pack("<ii", 1, 1)
    with pytest.raises(ValueError, match="numbers"):
        check_tags(file_of("<", (6, flags), (5, shape), (1, b"x"), (14, b"")))


def numbers_at(contents: bytes) -> int:
    """Where the type of the numbers of the first variable stands: after flags, dimensions and a name of one letter."""
    return HEADER_BYTES + 8 + 16 + 16 + 8


@pytest.mark.parametrize("kind", [0, 8, 10, 11, 19, 23, 48, 250])
def test_a_type_that_the_format_does_not_have_is_refused(kind: int) -> None:
    contents = bytearray(written({"x": np.arange(200.0)}))
    place = numbers_at(bytes(contents))
    assert contents[place] == 9
    contents[place] = kind
    with pytest.raises(ValueError, match=f"type {kind}"):
        check_tags(bytes(contents))


def test_complex_numbers_without_their_second_part_are_refused() -> None:
    contents = bytearray(written({"x": np.arange(200.0)}))
    contents[HEADER_BYTES + 8 + 8 + 1] |= 0x08
    with pytest.raises(ValueError, match="numbers"):
        check_tags(bytes(contents))


def test_an_element_that_is_longer_than_the_file_is_refused() -> None:
    with pytest.raises(ValueError, match="left"):
        check_tags(written({"x": np.arange(200.0)})[:-100])


def test_a_compressed_variable_that_is_damaged_is_refused() -> None:
    contents = bytearray(written({"x": np.arange(200.0)}, compressed=True))
    contents[HEADER_BYTES + 20] ^= 0xFF
    with pytest.raises((zlib.error, ValueError)):
        check_tags(bytes(contents))
