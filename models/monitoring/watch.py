"""What each check says of a snapshot: the sensor, the machine's health, its severity, and a diagnosis where one is called for."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import exp

import numpy as np
from numpy.typing import NDArray

from andon.models.alerts.case import AlertKind, Observation
from andon.models.health.operating import STOPPED, UNKNOWN, Row
from andon.models.health.settings import FeatureContract, Transform
from andon.models.health.state import HealthState
from andon.models.health.watching import HealthModel, HealthObservation, Phase, observe_all
from andon.models.monitoring.features import feature_rows
from andon.models.stream.windows import Head, Snapshots
from andon.models.types.vibration import Diagnosis, Fault, Machine, SensorHealth, Severity, Signal, most_urgent
from andon.models.vibration.diagnosis import SEVERITY_OF_ZONE, PhysicsDiagnoser
from andon.models.vibration.indicators import spectrum_indicators
from andon.models.vibration.integration import power_lines
from andon.models.vibration.rise import OwnLevels
from andon.models.vibration.sensor_health import check_sensor
from andon.models.vibration.units import quantity_of, to_working_unit
from andon.models.vibration.zones import Levels, Zone, judge

MAJORITY = 0.5
"""A snapshot is abnormal where more than this share of its rows that could be judged are."""

SEVERE = frozenset({Zone.C, Zone.D})

Machines = Callable[[str], Machine]
"""What is known of an asset by its name."""


@dataclass(frozen=True, slots=True)
class SnapshotHealth:
    """What the rows of one snapshot say: the row of the middle score, and whether most of them alarm.

    ``middle`` is None where no row could be judged; ``running`` says whether the machine ran, None where nobody can tell.
    """

    middle: HealthObservation | None = None
    abnormal: bool = False
    running: bool | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """What is measured of one snapshot, before anything is remembered or concluded."""

    head: Head
    signal: Signal
    sensor: SensorHealth
    rows: Sequence[Row]


class HealthMemory:
    """Judges the health of any number of sensors, and remembers what that takes.

    Parameters
    ----------
    model
        How health is judged; its baselines are those of ``watched_name``.
    states
        What was remembered when it last ran.
    """

    def __init__(self, model: HealthModel, states: Iterable[HealthState] = ()) -> None:
        self._model = model
        self._states = {state.asset: state for state in states}

    @property
    def states(self) -> tuple[HealthState, ...]:
        """What is remembered, to go on from after a restart."""
        return tuple(self._states.values())

    def judge(self, name: str, rows: Sequence[Row]) -> SnapshotHealth:
        """Judge the rows of one snapshot of the sensor ``name``."""
        state = self._states.get(name) or HealthState(name)
        self._states[name], observed = observe_all(self._model, state, rows)
        running = _running([each.state for each in observed])
        judged = sorted((each for each in observed if each.phase is Phase.JUDGED), key=lambda each: each.score or 0.0)
        if not judged:
            return SnapshotHealth(running=running)
        alarms = sum(each.anomalous for each in judged)
        return SnapshotHealth(judged[len(judged) // 2], alarms > MAJORITY * len(judged), running)

    def own_levels(self, name: str) -> OwnLevels | None:
        """The levels that a sensor was learned at, where the model measures them; None while it is being learned."""
        learned = self._states[name].learned if name in self._states else {}
        fitted = {state: baseline for (asset, state), baseline in self._model.baselines.items() if asset == name}
        baseline = next(iter({**fitted, **learned}.values()), None)
        if baseline is None:
            return None
        contract = self._model.contract
        features = zip(contract.names, contract.transforms, baseline.mean.tolist(), strict=True)
        means = {name: exp(mean) if transform is Transform.LOG else mean for name, transform, mean in features}
        return OwnLevels(means.get("velocity_rms_mm_s"), means.get("rms_m_s2"))


class ConditionWatch:
    """Checks snapshots of any number of sensors.

    Parameters
    ----------
    machines
        Tells what is known of an asset.
    tell
        Told of each diagnosis with the signal that it was made on, such as for a picture.
    """

    def __init__(
        self,
        model: HealthModel,
        machines: Machines,
        memory: HealthMemory,
        tell: Callable[[Signal, Machine, Diagnosis], None] = lambda *_: None,
    ) -> None:
        self._contract = model.contract
        self._machines = machines
        self._memory = memory
        self._tell = tell

    def __call__(self, snapshots: Snapshots) -> list[Observation]:
        """Say of each snapshot what its checks say."""
        measured = [each for part in _parts(snapshots) for each in _measured(part, self._contract)]
        return [observation for each in measured for observation in self._observations(each)]

    def _observations(self, measured: _Measured) -> Iterator[Observation]:
        signal, sensor = measured.signal, measured.sensor
        head = measured.head
        yield sensor_observation(head, sensor)
        if not sensor.ok:
            return
        machine = self._machines(head.asset)
        name = watched_name(head.asset, head.sensor)
        health = self._memory.judge(name, measured.rows)
        zone = _zone(signal, machine)
        called_for = health.abnormal or zone in SEVERE or health.middle is None
        found = self._diagnose(signal, machine, name) if called_for else None
        yield from condition_observations(head, health, zone, found)

    def _diagnose(self, signal: Signal, machine: Machine, name: str) -> Diagnosis:
        found = PhysicsDiagnoser(self._memory.own_levels(name)).diagnose(signal, machine)
        self._tell(signal, machine, found)
        return found


def sensor_observation(head: Head, sensor: SensorHealth) -> Observation:
    """What the check of the sensor says; nothing else is said of a snapshot that cannot be believed."""
    return _observation(head, AlertKind.SENSOR, abnormal=not sensor.ok, severity=Severity.WATCH)


def condition_observations(
    head: Head, health: SnapshotHealth, zone: str | None, found: Diagnosis | None
) -> Iterator[Observation]:
    """What diagnosis, zone and health say of a snapshot; ``found`` is None where nothing called for a diagnosis.

    The diagnosis comes first, so that an alert which several of them raise at once names the fault.
    """
    yield _of_diagnosis(head, found)
    if zone is not None:
        severity = SEVERITY_OF_ZONE[Zone(zone)]
        yield _observation(head, AlertKind.ZONE, abnormal=zone in SEVERE, severity=severity, zone=zone)
    yield _of_health(head, health, found)


def watched_name(asset: str, sensor: str) -> str:
    """Whose baseline it is: each sensor of an asset has its own.

    >>> watched_name("P-101", "drive end"), watched_name("P-101", "")
    ('P-101/drive end', 'P-101')
    """
    return f"{asset}/{sensor}" if sensor else asset


def _running(states: Sequence[str]) -> bool | None:
    """Whether the machine ran in any of these states of operation; None where none is known."""
    known = [state for state in states if state != UNKNOWN]
    return any(state != STOPPED for state in known) if known else None


def _parts(snapshots: Snapshots) -> Iterator[Snapshots]:
    """Cut a batch where the speed changes."""
    first = 0
    for _, group in groupby(snapshots.heads, key=lambda head: head.rpm):
        part = slice(first, first + len(list(group)))
        yield replace(snapshots, samples=snapshots.samples[part], heads=snapshots.heads[part])
        first = part.stop


def _measured(snapshots: Snapshots, contract: FeatureContract) -> list[_Measured]:
    """Measure snapshots of one speed."""
    rpm = snapshots.heads[0].rpm
    rows = feature_rows(snapshots.samples, snapshots.rate_hz, snapshots.unit, rpm, contract)
    return [_of_snapshot(*each) for each in zip(snapshots.heads, snapshots.samples, rows, strict=True)]


def _of_snapshot(head: Head, samples: NDArray[np.float64], rows: Sequence[Row]) -> _Measured:
    signal = Signal(samples, head.rate_hz, head.unit, head.sensor, head.asset, head.time, head.rpm, head.orders)
    return _Measured(head, signal, check_sensor(signal), rows)


def _zone(signal: Signal, machine: Machine) -> Zone | None:
    if machine.machine_class is None:
        return None
    rpm = signal.rpm or machine.rpm
    lines = power_lines(to_working_unit(signal.samples, signal.unit), signal.rate_hz, quantity_of(signal.unit))
    measured = spectrum_indicators(lines, rpm, ()).document()
    velocity, displacement = measured["velocity_rms_mm_s"], measured["displacement_rms_um"]
    return judge(machine.machine_class, Levels(velocity, displacement, signal.rate_hz, rpm)).zone


def _of_health(head: Head, health: SnapshotHealth, found: Diagnosis | None) -> Observation:
    middle = health.middle
    if middle is None:
        return _observation(head, AlertKind.ANOMALY, abnormal=False, valid=False)
    severity = most_urgent(Severity.WATCH, *([found.severity] if found else [])) if health.abnormal else Severity.NORMAL
    return replace(
        _observation(head, AlertKind.ANOMALY, abnormal=health.abnormal, severity=severity),
        score=middle.score,
        threshold=middle.threshold,
        contributions=middle.contributions or {},
    )


def _of_diagnosis(head: Head, found: Diagnosis | None) -> Observation:
    """A snapshot that nothing called to diagnose has no fault; an unknown one speaks neither for nor against."""
    if found is None or found.fault is Fault.NONE:
        return _observation(head, AlertKind.FAULT, abnormal=False)
    line = found.evidence[0] if found.evidence else None
    named = found.fault is not Fault.UNKNOWN
    return replace(
        _observation(head, AlertKind.FAULT, abnormal=named, valid=named, severity=found.severity, zone=found.zone),
        fault=found.fault,
        p_value=found.p_value,
        frequency_hz=line.frequency_hz if line else None,
        order=line.order if line else None,
        evidence=found.evidence,
    )


def _observation(
    head: Head,
    kind: AlertKind,
    *,
    abnormal: bool,
    valid: bool = True,
    severity: Severity = Severity.NORMAL,
    zone: str | None = None,
) -> Observation:
    return Observation(head.asset, head.sensor, head.time, valid, abnormal, kind, severity=severity, zone=zone)
