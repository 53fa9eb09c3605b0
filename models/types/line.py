"""What a line's controller (PLC) and a station tell each other.

The handshake: the station says *trigger ready*; the PLC sets recipe, serial and a new trigger count, then *trigger*; the station says
*busy*, then puts verdict and the same count out and says *results ready*; the PLC takes *trigger* back and says *results ack*; the station
takes *results ready* back; the PLC takes *results ack* back, and the station says *trigger ready* again.
"""

from dataclasses import dataclass
from enum import IntEnum
from types import TracebackType
from typing import Protocol, Self

from andon.models.types.errors import ResourceError

SERIAL_CHARACTERS = 64
COUNTS = 1 << 16
"""Trigger counts and heartbeats run from 0 to 65,535 and begin again; a count of 0 means none."""


class VerdictCode(IntEnum):
    """A verdict as PLCs read it. Whatever is not OK must not pass as a good part."""

    NONE = 0
    OK = 1
    NG = 2
    RETAKE = 3
    ERROR = 4


class LineFault(IntEnum):
    """Why a station cannot judge; 0 where it can."""

    NONE = 0
    STARTING = 1
    CAMERA = 2
    FRAME = 3
    MODEL = 4
    TAKT = 5
    STORAGE = 6
    RECIPE = 7
    MISSED_TRIGGER = 8
    STOPPED = 9
    SERIAL = 10


@dataclass(frozen=True, slots=True)
class LineInputs:
    """What the PLC says.

    ``trigger_count`` is valid while ``trigger`` holds, and ``recipe`` (0: whichever is active) and ``serial`` with it. What is no printable
    ASCII in a serial comes as U+FFFD.
    """

    trigger: bool = False
    trigger_count: int = 0
    results_ack: bool = False
    recipe: int = 0
    serial: str = ""


@dataclass(frozen=True, slots=True)
class LineOutputs:
    """What the station says. ``ok``, ``ng``, ``error`` and ``verdict`` are valid while ``results_ready`` holds, for ``trigger_count``.

    ``heartbeat`` changes several times a second as long as the station lives: a PLC that sees it stand still must stop.
    """

    trigger_ready: bool = False
    busy: bool = False
    results_ready: bool = False
    ok: bool = False
    ng: bool = False
    error: bool = False
    verdict: VerdictCode = VerdictCode.NONE
    trigger_count: int = 0
    recipe: int = 0
    fault: LineFault = LineFault.STARTING
    score: float = 0.0
    threshold: float = 0.0
    heartbeat: int = 0


class LineLostError(ResourceError):
    """The PLC cannot be reached."""


class LineLink(Protocol):
    """A connection to a PLC, or what stands in for one; open while it is used in a ``with`` statement.

    Used by one thread at a time. It reconnects by itself: after ``LineLostError`` it may be used on, and answers once the PLC does.
    """

    def __enter__(self) -> Self:
        """Open it. A PLC that is away is no error; an address that cannot be used is a ``ResourceError``."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it; never raises."""

    def read(self, wait_s: float) -> LineInputs:
        """Return what the PLC says: as soon as it differs from what was returned last, else after ``wait_s``.

        Raises
        ------
        LineLostError
            The PLC is away, or has written what cannot be.
        """

    def write(self, outputs: LineOutputs) -> None:
        """Tell the PLC: values before the flags that make them valid. What it was told last is not sent again.

        Raises
        ------
        LineLostError
            The PLC is away; what it is to be told then is what is written next.
        """
