"""The register map over which a PLC and a station talk by Modbus: fixed, versioned, and kept here as data.

Each side writes one half of each table and reads the other. Addresses count from 0, as they are sent (a PLC that counts from 1 calls coil 0
``00001`` and holding register 0 ``40001``), and a base is added to all addresses of a table. A ``float32`` (IEEE 754) takes two registers, the
high word first; ``ascii`` holds two characters a register, the first in the high byte, and ends with a zero byte where it is shorter.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import numpy as np

from andon.models.codes.identity import UNREADABLE
from andon.models.types.errors import OptionError
from andon.models.types.line import SERIAL_CHARACTERS, LineFault, LineInputs, LineOutputs, VerdictCode

MAP_VERSION = 1
"""Raised whenever an entry gets another address, type or meaning."""

COILS, REGISTERS = 16, 64
"""How many of each a side has, used or not."""

TABLE_SIZE = 1 << 16


class Side(StrEnum):
    """Who writes an entry."""

    PLC = "PLC"
    STATION = "station"


class Table(StrEnum):
    """Which of the two tables."""

    COILS = "coils"
    REGISTERS = "holding registers"


class EntryType(StrEnum):
    """How a value is put into coils or registers."""

    COIL = "coil"
    UINT16 = "uint16"
    FLOAT32 = "float32"
    ASCII = "ascii"


SIZES = {EntryType.COIL: 1, EntryType.UINT16: 1, EntryType.FLOAT32: 2, EntryType.ASCII: SERIAL_CHARACTERS // 2}
"""Coils or registers that a value takes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of the map; ``name`` is that of the field of ``LineInputs`` or ``LineOutputs``."""

    name: str
    side: Side
    type: EntryType
    address: int
    meaning: str

    @property
    def size(self) -> int:
        """Coils or registers that it takes."""
        return SIZES[self.type]


ENTRIES = (
    Entry("trigger", Side.PLC, EntryType.COIL, 0, "inspect the part; the registers hold for it"),
    Entry("results_ack", Side.PLC, EntryType.COIL, 1, "the results were taken"),
    Entry("trigger_ready", Side.STATION, EntryType.COIL, 16, "a trigger may come"),
    Entry("busy", Side.STATION, EntryType.COIL, 17, "the part is being inspected"),
    Entry("results_ready", Side.STATION, EntryType.COIL, 18, "the results hold for the echoed trigger count"),
    Entry("ok", Side.STATION, EntryType.COIL, 19, "the part is good"),
    Entry("ng", Side.STATION, EntryType.COIL, 20, "the part is not to pass: every verdict but OK"),
    Entry("error", Side.STATION, EntryType.COIL, 21, "the part could not be judged; fault says why"),
    Entry("trigger_count", Side.PLC, EntryType.UINT16, 0, "number of the part, 1 to 65535, then from 1 again"),
    Entry("recipe", Side.PLC, EntryType.UINT16, 1, "recipe to inspect by; 0: whichever is active"),
    Entry("serial", Side.PLC, EntryType.ASCII, 2, "serial number of the part; empty where it has none"),
    Entry("map_version", Side.STATION, EntryType.UINT16, 64, "version of this map"),
    Entry("verdict", Side.STATION, EntryType.UINT16, 65, "verdict code"),
    Entry("trigger_count", Side.STATION, EntryType.UINT16, 66, "trigger count that the results are for"),
    Entry("recipe", Side.STATION, EntryType.UINT16, 67, "recipe that is active"),
    Entry("fault", Side.STATION, EntryType.UINT16, 68, "fault code; 0: none"),
    Entry("heartbeat", Side.STATION, EntryType.UINT16, 69, "changes while the station lives"),
    Entry("score", Side.STATION, EntryType.FLOAT32, 70, "anomaly score of the part"),
    Entry("threshold", Side.STATION, EntryType.FLOAT32, 72, "score from which on the part is NG"),
)
_RESULTS_READY, _HEARTBEAT = 2, 5
"""Where they stand in the station's coils and registers; what follows *results ready* holds only with it."""

FIRST_COIL = {Side.PLC: 0, Side.STATION: COILS}
FIRST_REGISTER = {Side.PLC: 0, Side.STATION: REGISTERS}


@dataclass(frozen=True, slots=True)
class Image:
    """What one side says: its coils and its registers, from the first that is its own to the last that is used."""

    coils: tuple[bool, ...]
    registers: tuple[int, ...]


Step = tuple[Table, tuple[int, ...]]
"""One write: all used coils or registers of the station."""


@dataclass(frozen=True, slots=True)
class Bases:
    """What is added to the addresses of each table, for a PLC whose own lie elsewhere.

    Raises
    ------
    OptionError
        The map does not fit into a table from there on.
    """

    coil: int = 0
    register: int = 0

    def __post_init__(self) -> None:
        for name, base, size in (("coil", self.coil, 2 * COILS), ("register", self.register, 2 * REGISTERS)):
            if not 0 <= base <= TABLE_SIZE - size:
                raise OptionError("plc.base", name, found=base, most=TABLE_SIZE - size)

    def coils(self, side: Side) -> range:
        """Addresses of the coils that ``side`` writes, with those that are not used."""
        first = self.coil + FIRST_COIL[side]
        return range(first, first + COILS)

    def registers(self, side: Side) -> range:
        """Addresses of the holding registers that ``side`` writes, with those that are not used."""
        first = self.register + FIRST_REGISTER[side]
        return range(first, first + REGISTERS)


def entries(side: Side, *, coils: bool) -> tuple[Entry, ...]:
    """Entries that ``side`` writes: its coils, or else its registers."""
    return tuple(entry for entry in ENTRIES if entry.side is side and (entry.type is EntryType.COIL) == coils)


@cache
def used(side: Side) -> tuple[int, int]:
    """How many coils and registers of ``side`` are used, from its first on.

    >>> used(Side.PLC), used(Side.STATION)
    ((2, 34), (6, 10))
    """
    last_coil, last_register = entries(side, coils=True)[-1], entries(side, coils=False)[-1]
    return (
        last_coil.address + last_coil.size - FIRST_COIL[side],
        last_register.address + last_register.size - FIRST_REGISTER[side],
    )


def encode_inputs(inputs: LineInputs) -> Image:
    """Put what the PLC says into coils and registers."""
    return _encode(Side.PLC, inputs, {})


def encode_outputs(outputs: LineOutputs) -> Image:
    """Put what the station says into coils and registers; what a ``float32`` cannot hold becomes infinite."""
    return _encode(Side.STATION, outputs, {"map_version": MAP_VERSION})


def decode_inputs(image: Image) -> LineInputs:
    """Read what the PLC says.

    Registers are looked at only while *trigger* holds: before, they may be half written. A serial that is not printable ASCII is no reason to
    leave the PLC without an answer: it comes with ``UNREADABLE`` in place of what cannot be.
    """
    said = _decode(Side.PLC, image)
    return LineInputs(**said) if said["trigger"] else LineInputs(results_ack=said["results_ack"])


def decode_outputs(image: Image) -> LineOutputs:
    """Read what the station says; ``ValueError`` where a code or the map's version is not known."""
    said = _decode(Side.STATION, image)
    if (version := said.pop("map_version")) != MAP_VERSION:
        raise ValueError(f"map version {version}; expected {MAP_VERSION}")
    verdict, fault = VerdictCode(said.pop("verdict")), LineFault(said.pop("fault"))
    return LineOutputs(**said, verdict=verdict, fault=fault)


def readable_serial(text: str) -> str:
    r"""Return a serial with ``UNREADABLE`` for each character that is no printable ASCII, and at the end where it is too long.

    >>> readable_serial("A\t1")
    'A\ufffd1'
    """
    clean = "".join(each if each.isascii() and each.isprintable() else UNREADABLE for each in text)
    return clean if len(clean) <= SERIAL_CHARACTERS else clean[: SERIAL_CHARACTERS - 1] + UNREADABLE


def steps(told: Image | None, new: Image) -> Iterator[Step]:
    """Say in which order the station's half is to be written, so that *results ready* never stands beside values of another part.

    Nothing is written that is there already. ``told`` is what the PLC holds, None where nobody knows.
    """
    coils = told.coils if told else None
    if told is None or (_holds_results(told) and _values(told) != _values(new)):
        coils = _without_results(new.coils)
        yield Table.COILS, coils
    if told is None or told.registers != new.registers:
        yield Table.REGISTERS, new.registers
    if coils != new.coils:
        yield Table.COILS, new.coils


def _holds_results(image: Image) -> bool:
    return image.coils[_RESULTS_READY]


def _without_results(coils: tuple[bool, ...]) -> tuple[bool, ...]:
    return coils[:_RESULTS_READY] + (False,) * (len(coils) - _RESULTS_READY)


def _values(image: Image) -> tuple[int, ...]:
    """The registers that results are read from: all but the heartbeat."""
    return image.registers[:_HEARTBEAT] + image.registers[_HEARTBEAT + 1 :]


def _encode(side: Side, said: Any, constants: dict[str, int]) -> Image:
    coils, registers = used(side)
    image = [False] * coils, [0] * registers
    for is_register in (False, True):
        first = (FIRST_REGISTER if is_register else FIRST_COIL)[side]
        for entry in entries(side, coils=not is_register):
            value = constants[entry.name] if entry.name in constants else getattr(said, entry.name)
            at = entry.address - first
            image[is_register][at : at + entry.size] = _words(entry.type, value)
    return Image(tuple(image[0]), tuple(image[1]))


def _decode(side: Side, image: Image) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for entry in entries(side, coils=True):
        said[entry.name] = bool(image.coils[entry.address - FIRST_COIL[side]])
    for entry in entries(side, coils=False):
        at = entry.address - FIRST_REGISTER[side]
        said[entry.name] = _value(entry.type, image.registers[at : at + entry.size])
    return said


def _words(kind: EntryType, value: Any) -> Any:
    match kind:
        case EntryType.COIL:
            return [bool(value)]
        case EntryType.UINT16:
            return [int(value)]
        case EntryType.FLOAT32:
            with np.errstate(over="ignore"):
                return np.array(value, ">f4").reshape(1).view(">u2").tolist()
        case EntryType.ASCII:
            return np.frombuffer(value.encode("ascii").ljust(SERIAL_CHARACTERS, b"\0"), ">u2").tolist()


def _value(kind: EntryType, words: Sequence[int]) -> int | float | str:
    match kind:
        case EntryType.FLOAT32:
            return float(np.array(words, ">u2").view(">f4")[0])
        case EntryType.ASCII:
            return readable_serial(np.array(words, ">u2").tobytes().split(b"\0")[0].decode("latin-1"))
        case _:
            return words[0]
