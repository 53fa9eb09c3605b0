"""What condition monitoring takes and gives: signals, machines, what is measured and what is concluded."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from andon.models.types.vision import DataCard, Split

Samples = NDArray[np.float64]
"""A sampled signal: ``[n]``, float64."""

HEALTHY = "none"
"""The label of a record without a fault."""


class Unit(StrEnum):
    """What the samples measure."""

    G = "g"
    M_S2 = "m/s2"
    MM_S = "mm/s"
    UM = "um"


class Direction(StrEnum):
    """Which way a sensor measures, by ISO 13373-1."""

    HORIZONTAL = "horizontal"
    VERTICAL = "vertical"
    AXIAL = "axial"
    RADIAL = "radial"


class Fault(StrEnum):
    """What a diagnosis can conclude."""

    NONE = "none"
    OUTER_RACE = "outer_race"
    INNER_RACE = "inner_race"
    ROLLING_ELEMENT = "rolling_element"
    CAGE = "cage"
    UNBALANCE = "unbalance"
    MISALIGNMENT = "misalignment"
    UNBALANCE_OR_MISALIGNMENT = "unbalance_or_misalignment"
    LOOSENESS = "looseness"
    GEAR = "gear"
    BLADE_PASS = "blade_pass"
    ELECTRICAL = "electrical"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """How urgent a finding is, from nothing to do to stop the machine; ``unknown`` where nothing allows to say."""

    NORMAL = "normal"
    WATCH = "watch"
    WARNING = "warning"
    DANGER = "danger"
    UNKNOWN = "unknown"


_URGENCY = (Severity.UNKNOWN, Severity.NORMAL, Severity.WATCH, Severity.WARNING, Severity.DANGER)


def most_urgent(*severities: Severity) -> Severity:
    """Choose the most urgent of several findings; one that is unknown is less than any that is known.

    >>> most_urgent(Severity.UNKNOWN, Severity.WATCH, Severity.NORMAL).value
    'watch'
    """
    return max(severities, key=_URGENCY.index)


@dataclass(frozen=True, slots=True)
class BearingOrders:
    """Fault frequencies of a bearing in multiples of the shaft's speed: outer race, inner race, rolling element, cage."""

    bpfo: float
    bpfi: float
    bsf: float
    ftf: float


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """A stretch of samples from one channel of one sensor.

    Parameters
    ----------
    samples
        ``[n]``, float64, in ``unit``, equally spaced, finite or not: the check of the sensor says.
    rate_hz
        Samples a second.
    time
        When the first sample was taken, in UTC; None where nobody knows.
    rpm
        Measured speed of the shaft; None where nobody knows.
    orders
        Fault orders of the bearing, where the record says them.
    """

    samples: Samples
    rate_hz: float
    unit: Unit
    sensor: str = ""
    asset: str = ""
    time: datetime | None = None
    rpm: float | None = None
    orders: BearingOrders | None = None

    @property
    def duration_s(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate_hz


@dataclass(frozen=True, slots=True)
class MachineClass:
    """Which severity limits apply.

    ``standard`` is ``iso10816-3`` with the groups 1 and 2, or ``iso10816-1`` with the classes I to IV (as ``group``);
    ``support`` is ``rigid`` or ``flexible``, and empty for ISO 10816-1.
    """

    standard: str
    group: str
    support: str = ""


@dataclass(frozen=True, slots=True)
class Bearing:
    """A bearing of a machine. ``source`` says where its orders come from."""

    place: str
    orders: BearingOrders
    source: str
    designation: str = ""
    maker: str = ""


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor of a machine: where it sits and which way it measures. ``place`` is that of the bearing beside it."""

    name: str
    place: str = ""
    direction: Direction = Direction.RADIAL


@dataclass(frozen=True, slots=True)
class Machine:
    """What is known of a machine; whatever is None, zero or empty is not known.

    Parameters
    ----------
    rpm
        Nameplate speed of the shaft.
    min_rpm, max_rpm
        Range in which it runs; for an induction motor from the nameplate to the synchronous speed.
    line_hz
        Frequency of the mains, for electrical faults.
    teeth
        Tooth counts of the gears on the shaft.
    blades
        Number of blades or vanes on the shaft.
    """

    asset: str = ""
    name: str = ""
    power_kw: float | None = None
    machine_class: MachineClass | None = None
    rpm: float | None = None
    min_rpm: float | None = None
    max_rpm: float | None = None
    line_hz: float | None = None
    bearings: tuple[Bearing, ...] = ()
    teeth: tuple[int, ...] = ()
    blades: int | None = None
    sensors: tuple[Sensor, ...] = ()


@dataclass(frozen=True, slots=True)
class SensorHealth:
    """Whether a signal can be believed. ``reasons`` are message codes such as ``sensor.clipping``; empty where it can."""

    reasons: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against the signal."""
        return not self.reasons


@dataclass(frozen=True, slots=True)
class Evidence:
    """A line that speaks for a fault.

    ``level_db`` is its level over the background around it; ``order`` is its frequency in multiples of the shaft's speed,
    None where the speed is not known.
    """

    frequency_hz: float
    order: float | None
    harmonic: int
    level_db: float


@dataclass(frozen=True, slots=True)
class RankedFault:
    """How strongly one fault is spoken for. A higher score is worse; ``p_value`` is None where none can be had."""

    fault: Fault
    score: float
    p_value: float | None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong with a machine, how sure that is, and what it rests on.

    Parameters
    ----------
    indicators
        Measures by name with the unit at its end; None where the record does not allow it.
    zone
        ISO zone ``A`` to ``D``; None with ``zone_reason``, a message code.
    p_value
        Of the fault named; None where that fault has none.
    ranked
        All faults looked for, worst first.
    evidence
        The lines of the fault named.
    limits
        Message codes of what could not be looked for, and why.
    """

    indicators: Mapping[str, float | None]
    zone: str | None
    zone_reason: str | None
    fault: Fault
    p_value: float | None
    ranked: tuple[RankedFault, ...]
    evidence: tuple[Evidence, ...]
    sensor: SensorHealth
    severity: Severity
    rpm: float | None = None
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordSample:
    """One labelled record of a data set, read when asked for.

    Parameters
    ----------
    name
        The file's path, or a name that is unique in the set.
    label
        A ``Fault``, ``"none"`` where healthy, empty where nobody knows.
    unit
        The physical bearing or machine: records of one never stand on both sides of a split.
    digest
        SHA-256 of its contents, in hexadecimal; computed when called.
    signal
        Reads it. Raises ``RecordError`` where that is not possible.
    """

    name: str
    label: str
    unit: str
    digest: Callable[[], str]
    signal: Callable[[], Signal]


class RecordSet(Protocol):
    """A set of labelled records, split by physical unit."""

    @property
    def card(self) -> DataCard:
        """Source, licence, checksum and grade."""

    def samples(self, split: Split) -> Sequence[RecordSample]:
        """List the records of one split, in a fixed order; empty where the set has none."""


@runtime_checkable
class SignalSource(Protocol):
    """Sensors, or what stands in for them; open while it is used in a ``with`` statement."""

    def __enter__(self) -> Self:
        """Open it."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""

    def blocks(self) -> Iterator[Signal]:
        """Deliver blocks of samples as they come, of any sensor, until there are no more."""


@dataclass(frozen=True, slots=True)
class TimedRow:
    """Process values of a machine at one time.

    Parameters
    ----------
    time
        When they were read, in UTC.
    measures
        Values by name with the unit at its end, such as ``velocity_rms_mm_s``; None where one could not be had or believed.
    """

    asset: str
    time: datetime
    measures: Mapping[str, float | None]


@runtime_checkable
class RowSource(Protocol):
    """Process values, or what stands in for them; open while it is used in a ``with`` statement."""

    def __enter__(self) -> Self:
        """Open it."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""

    def rows(self) -> Iterator[TimedRow]:
        """Deliver rows as they come, of any machine, until there are no more."""


class Diagnoser(Protocol):
    """Concludes from a signal what is wrong with a machine. Safe to call from several threads at once."""

    def diagnose(self, signal: Signal, machine: Machine) -> Diagnosis:
        """Diagnose one record."""
