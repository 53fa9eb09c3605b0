"""Values in Modbus registers: how they are written there, and which are read together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from andon.models.types.errors import OptionError
from andon.models.types.vibration import Samples

MOST_REGISTERS = 125
"""Registers in one answer, by the MODBUS Application Protocol Specification V1.1b3, 6.3 and 6.4."""

ADDRESSES = 1 << 16

Words = NDArray[np.uint16]
"""Registers as they are read: ``[n]``."""


class Table(StrEnum):
    """Where registers lie."""

    HOLDING = "holding"
    INPUT = "input"


class Kind(StrEnum):
    """What registers hold."""

    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    FLOAT32 = "float32"

    @property
    def words(self) -> int:
        """Registers that a value takes."""
        return 1 if self in (Kind.INT16, Kind.UINT16) else 2


class WordOrder(StrEnum):
    """Which half of a value of two registers comes first; within a register the high byte does."""

    BIG = "big"
    LITTLE = "little"


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """A value that a sensor has computed.

    Parameters
    ----------
    name
        Of the measure, with the unit that it has after scaling at its end: ``velocity_rms_mm_s``.
    address
        Of its first register, counted from 0 as in the protocol: 40001 of manuals is 0.
    scale, offset
        ``value = scale * raw + offset``.
    absent
        The raw value by which the sensor says that it has none.
    """

    name: str
    address: int
    kind: Kind = Kind.INT16
    table: Table = Table.HOLDING
    words: WordOrder = WordOrder.BIG
    scale: float = 1.0
    offset: float = 0.0
    absent: float | None = None

    def __post_init__(self) -> None:
        check_addresses(self.name, self.address, self.kind.words)

    def value(self, words: Words) -> float | None:
        """Read its value out of its registers; None where it has none, or it is not finite."""
        raw = float(decoded(words, self.kind, self.words)[0])
        value = self.scale * raw + self.offset
        return None if raw == self.absent or not np.isfinite(value) else value


@dataclass(frozen=True, slots=True)
class Span:
    """Registers that are read in one request, and the values that lie there."""

    table: Table
    address: int
    count: int
    registers: tuple[Register, ...]

    def values(self, words: Words) -> dict[str, float | None]:
        """Read all values out of its registers."""
        return {
            each.name: each.value(words[each.address - self.address :][: each.kind.words]) for each in self.registers
        }


def decoded(words: Words, kind: Kind, order: WordOrder) -> Samples:
    """Read the values that registers hold one after the other.

    >>> decoded(np.array([0x4048, 0xF5C3], np.uint16), Kind.FLOAT32, WordOrder.BIG).round(3)
    array([3.14])
    """
    if kind.words == 2 and order is WordOrder.LITTLE:
        words = words.reshape(-1, 2)[:, ::-1]
    return np.frombuffer(words.astype(">u2").tobytes(), np.dtype(kind.value).newbyteorder(">")).astype(np.float64)


def spans(registers: Sequence[Register]) -> list[Span]:
    """Put together what one request can read: registers without any between them, for those may not be read."""
    found: list[Span] = []
    for each in sorted(registers, key=lambda register: (register.table, register.address)):
        last = found[-1] if found else None
        if last and _fits(last, each):
            end = max(last.address + last.count, each.address + each.kind.words)
            found[-1] = Span(last.table, last.address, end - last.address, (*last.registers, each))
        else:
            found.append(Span(each.table, each.address, each.kind.words, (each,)))
    return found


def pieces(address: int, count: int) -> Iterable[tuple[int, int]]:
    """Cut a range of registers into requests: the address and count of each."""
    for first in range(0, count, MOST_REGISTERS):
        yield address + first, min(MOST_REGISTERS, count - first)


def check_addresses(name: str, address: int, count: int) -> None:
    """Raise ``OptionError`` where registers lie beyond the last."""
    if not 0 <= address <= ADDRESSES - count:
        raise OptionError("acquisition.address", name, found=address, limit=ADDRESSES - count)


def _fits(span: Span, register: Register) -> bool:
    end = register.address + register.kind.words
    return (
        span.table is register.table
        and register.address <= span.address + span.count
        and end - span.address <= MOST_REGISTERS
    )
