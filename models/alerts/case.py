"""What the alert rules take, keep and give: observations, the state of an asset, cases and alerts.

Everything here is frozen and holds only plain values, so that ``msgspec`` writes it and reads it back unchanged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from andon.models.types.errors import OptionError
from andon.models.types.vibration import Evidence, Fault, Severity

SEVERITY_ORDER = (Severity.NORMAL, Severity.UNKNOWN, Severity.WATCH, Severity.WARNING, Severity.DANGER)
"""From least to most urgent. An abnormal finding whose severity nobody knows stands above normal and below all others."""


class AlertKind(StrEnum):
    """What kind of check found something."""

    FAULT = "fault"
    ANOMALY = "anomaly"
    ZONE = "zone"
    SENSOR = "sensor"
    SILENCE = "silence"


class CaseState(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class AlertEvent(StrEnum):
    """Why an alert is given.

    ``escalated`` is a worse severity, or a sensor that falls silent while a case is open: nobody watches the fault then.
    """

    RAISED = "raised"
    REMINDER = "reminder"
    ESCALATED = "escalated"
    CLEARED = "cleared"


class Part(StrEnum):
    """Which part of a machine a fault sits in."""

    BEARING = "bearing"
    ROTOR = "rotor"
    COUPLING = "coupling"
    ROTOR_OR_COUPLING = "rotor_or_coupling"
    FASTENING = "fastening"
    GEARS = "gears"
    BLADES = "blades"
    MOTOR = "motor"
    MACHINE = "machine"
    SENSOR = "sensor"


PART_OF_FAULT: Mapping[Fault, Part] = {
    Fault.NONE: Part.MACHINE,
    Fault.OUTER_RACE: Part.BEARING,
    Fault.INNER_RACE: Part.BEARING,
    Fault.ROLLING_ELEMENT: Part.BEARING,
    Fault.CAGE: Part.BEARING,
    Fault.UNBALANCE: Part.ROTOR,
    Fault.MISALIGNMENT: Part.COUPLING,
    Fault.UNBALANCE_OR_MISALIGNMENT: Part.ROTOR_OR_COUPLING,
    Fault.LOOSENESS: Part.FASTENING,
    Fault.GEAR: Part.GEARS,
    Fault.BLADE_PASS: Part.BLADES,
    Fault.ELECTRICAL: Part.MOTOR,
    Fault.UNKNOWN: Part.MACHINE,
}


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """When to raise, to clear and to say it again.

    The defaults are the product's; ``andon.models.alerts.budget`` chooses ``k``, ``n`` and ``min_duration_s`` from
    healthy data so that a budget of false alarms is kept.

    Parameters
    ----------
    k, n
        A finding persists while ``k`` of the last ``n`` valid snapshots of its sensor are abnormal. Three of five is the
        smallest majority that one wrong snapshot on either side does not tip.
    min_duration_s
        How long it must persist before it is raised: 30 minutes, longer than a start-up or a passing load.
    clear_m
        A finding has gone once this many of the last ``n`` are normal; ``k + clear_m > n``, so that none is both. Four of
        five: harder to clear than to raise.
    clear_ratio
        A score counts as normal only up to this share of its threshold; between the two it speaks neither for nor
        against. A tenth below is wider than the scatter of an RMS over one second.
    repeat_s
        Reminders of a case that nobody has acknowledged: once a day, the rhythm of a maintenance meeting.
    silence_s
        A sensor without a snapshot for this long is silent; must be longer than the time between its snapshots.
    silence_severity
        How urgent silence is. A machine that cannot be seen is to be looked at, not to be stopped.

    Raises
    ------
    OptionError
        Where the numbers contradict each other.
    """

    k: int = 3
    n: int = 5
    min_duration_s: float = 1800.0
    clear_m: int = 4
    clear_ratio: float = 0.9
    repeat_s: float = 86_400.0
    silence_s: float = 1800.0
    silence_severity: Severity = Severity.WATCH

    def __post_init__(self) -> None:
        if not (1 <= self.k <= self.n and 1 <= self.clear_m <= self.n):
            raise OptionError("alert.counts", "AlertPolicy", k=self.k, n=self.n, m=self.clear_m)
        if self.k + self.clear_m <= self.n:
            raise OptionError("alert.overlap", "AlertPolicy", k=self.k, n=self.n, m=self.clear_m)
        if not 0 < self.clear_ratio <= 1:
            raise OptionError("alert.clear_ratio", "AlertPolicy", found=self.clear_ratio)
        for name in ("min_duration_s", "repeat_s", "silence_s"):
            if not getattr(self, name) >= 0:
                raise OptionError("alert.seconds", name, found=getattr(self, name))


@dataclass(frozen=True, slots=True)
class Observation:
    """What one check says of one snapshot of one sensor.

    Parameters
    ----------
    time
        Of the snapshot, in UTC, with its time zone.
    valid
        False where the sensor cannot be believed or the machine runs through a transient: counts neither for nor
        against.
    place
        Of the bearing beside the sensor.
    zone
        ISO zone ``A`` to ``D``.
    score, threshold
        What ``abnormal`` was decided on, finite; None where it was not a number that decided. A higher score is worse.
    contributions
        How much each indicator drives the score, by the indicator's name.
    """

    asset: str
    sensor: str
    time: datetime
    valid: bool
    abnormal: bool
    kind: AlertKind
    fault: Fault = Fault.NONE
    severity: Severity = Severity.UNKNOWN
    p_value: float | None = None
    frequency_hz: float | None = None
    order: float | None = None
    score: float | None = None
    threshold: float | None = None
    place: str = ""
    zone: str | None = None
    contributions: Mapping[str, float] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """What is kept of an observation. One that is neither ``abnormal`` nor ``calm`` lies between the two limits."""

    time: datetime
    abnormal: bool
    calm: bool
    fault: Fault = Fault.NONE
    severity: Severity = Severity.UNKNOWN
    p_value: float | None = None
    frequency_hz: float | None = None
    order: float | None = None
    place: str = ""
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """The last valid observations of one kind from one sensor.

    Parameters
    ----------
    since
        The first abnormal one of the ``k`` with which it began to persist; None while it does not.
    active
        Whether it keeps the asset's case open.
    """

    sensor: str
    kind: AlertKind
    marks: tuple[Mark, ...] = ()
    since: datetime | None = None
    active: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """When a sensor last gave a snapshot; or, where it has given none yet, from when on one is expected.

    Parameters
    ----------
    time
        By the sensor's clock.
    arrived
        By the clock of whoever received it, which a wrong clock of the sensor does not touch; None where nobody said.
    """

    sensor: str
    time: datetime
    arrived: datetime | None = None

    @property
    def silent_since(self) -> datetime:
        """From when on its silence counts."""
        return self.arrived or self.time


@dataclass(frozen=True, slots=True)
class Finding:
    """What a sensor's track contributes to a case; the severity is the worst that persisted."""

    kind: AlertKind
    sensor: str
    fault: Fault
    severity: Severity
    since: datetime
    p_value: float | None = None
    frequency_hz: float | None = None
    order: float | None = None
    place: str = ""
    zone: str | None = None

    @property
    def part(self) -> Part:
        """The part it is about."""
        about_sensor = self.kind in (AlertKind.SENSOR, AlertKind.SILENCE)
        return Part.SENSOR if about_sensor else PART_OF_FAULT[self.fault]

    @property
    def weight(self) -> tuple[int, bool]:
        """What decides which finding leads a case: the severity, then whether it names a fault."""
        return SEVERITY_ORDER.index(self.severity), self.fault not in (Fault.NONE, Fault.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Case:
    """Everything found on one asset from the first alert until it is clear again.

    Parameters
    ----------
    findings
        In the order in which they joined; never empty.
    opened
        When the first alert was given.
    raised
        When it was raised or last escalated.
    notified
        When the last alert of any kind was given; reminders count from here.
    last_seen
        The last abnormal snapshot that belongs to it.
    n
        Abnormal snapshots that belong to it.
    """

    id: str
    asset: str
    findings: tuple[Finding, ...]
    opened: datetime
    raised: datetime
    notified: datetime
    last_seen: datetime
    n: int
    reminders: int = 0
    state: CaseState = CaseState.OPEN

    @property
    def lead(self) -> Finding:
        """The finding that the alert is about: the most severe, then one that names a fault, then the earliest."""
        return max(self.findings, key=lambda finding: finding.weight)

    @property
    def kind(self) -> AlertKind:
        """Of the leading finding."""
        return self.lead.kind

    @property
    def fault(self) -> Fault:
        """Of the leading finding."""
        return self.lead.fault

    @property
    def part(self) -> Part:
        """Of the leading finding."""
        return self.lead.part

    @property
    def severity(self) -> Severity:
        """The worst so far."""
        return self.lead.severity

    @property
    def p_value(self) -> float | None:
        """Of the leading finding, at its latest."""
        return self.lead.p_value

    @property
    def since(self) -> datetime:
        """When the earliest of its findings began."""
        return min(finding.since for finding in self.findings)


@dataclass(frozen=True, slots=True)
class AssetState:
    """What the rules remember of one asset.

    Parameters
    ----------
    heard, expected
        Every sensor of it stands in one of the two.
    late
        Observations that were older than the last one, and were left out.
    """

    asset: str
    tracks: tuple[Track, ...] = ()
    heard: tuple[Heard, ...] = ()
    expected: tuple[Heard, ...] = ()
    case: Case | None = None
    late: int = 0


@dataclass(frozen=True, slots=True)
class Alert:
    """Something to tell people. ``observation`` is the one it was given on; None for silence and what people decide."""

    event: AlertEvent
    time: datetime
    case: Case
    observation: Observation | None = None
