"""What the checks say of snapshots: of a healthy machine, of one that breaks, of a sensor that lies, and after a restart."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import cycle
from math import exp

import numpy as np
import pytest
from tests.motors import (
    ASSETS,
    CONTRACT,
    HEALTHY,
    HOUR,
    PLACE,
    RATE_HZ,
    START,
    classed_motor,
    motor,
    motor_rows,
    motor_signal,
)

from andon.models.alerts.case import AlertKind, Observation
from andon.models.health.fitting import fit_health
from andon.models.health.operating import Row
from andon.models.health.settings import SNAPSHOTS
from andon.models.health.state import dump_state, load_state
from andon.models.health.watching import HealthModel
from andon.models.monitoring.features import feature_rows
from andon.models.monitoring.watch import (
    ConditionWatch,
    HealthMemory,
    Machines,
    SnapshotHealth,
    condition_observations,
    watched_name,
)
from andon.models.stream.windows import Head, Snapshots
from andon.models.types.vibration import Diagnosis, Fault, Machine, Severity, Signal, Unit

NAME = watched_name(ASSETS[0], PLACE)
GROWING = [motor_signal(turn, snr_db=-12.0 + 3 * turn) for turn in range(6)]
CALM = [motor_signal(turn) for turn in range(6)]


def snapshots(signals: Sequence[Signal]) -> Snapshots:
    heads = tuple(
        Head(each.asset, each.sensor, each.time or START, each.rate_hz, each.unit, each.rpm, each.orders)
        for each in signals
    )
    return Snapshots(np.stack([each.samples for each in signals]), signals[0].rate_hz, signals[0].unit, heads)


class Told(list[tuple[Signal, Machine, Diagnosis]]):
    """Whoever is told of diagnoses."""

    def __call__(self, signal: Signal, machine: Machine, found: Diagnosis) -> None:
        self.append((signal, machine, found))


def watch(
    model: HealthModel, signals: Sequence[Signal], machines: Machines = motor, memory: HealthMemory | None = None
) -> tuple[list[Observation], Told]:
    told = Told()
    watching = ConditionWatch(model, machines, memory or HealthMemory(model), told)
    return watching(snapshots(signals)), told


def rows(model: HealthModel, signal: Signal) -> Sequence[Row]:
    return feature_rows(signal.samples[None], signal.rate_hz, signal.unit, signal.rpm, model.contract)[0]


def kinds(observations: Sequence[Observation]) -> list[AlertKind]:
    return [each.kind for each in observations]


def of_kind(observations: Sequence[Observation], kind: AlertKind) -> list[Observation]:
    return [each for each in observations if each.kind is kind]


def clipped(signal: Signal) -> Signal:
    return replace(signal, samples=np.clip(signal.samples, -0.15, 0.15))


def test_a_healthy_machine_is_calm(motors: HealthModel) -> None:
    observations, told = watch(motors, CALM, classed_motor)
    assert kinds(observations) == [AlertKind.SENSOR, AlertKind.FAULT, AlertKind.ZONE, AlertKind.ANOMALY] * len(CALM)
    assert not any(each.abnormal for each in observations)
    assert all(each.valid for each in observations)
    assert told == [], "nothing called for a diagnosis"
    for health in of_kind(observations, AlertKind.ANOMALY):
        assert health.score is not None
        assert health.threshold is None or health.score < health.threshold
        assert health.contributions.keys() == set(CONTRACT.names)
        assert sum(health.contributions.values()) == pytest.approx(health.score**2)


def test_each_observation_is_of_its_snapshot(motors: HealthModel) -> None:
    other = [replace(motor_signal(turn, ASSETS[1]), rpm=HEALTHY.rpm + turn // 2) for turn in range(11)]
    mixed = [*CALM, *other]
    observations, _ = watch(motors, mixed)
    expected = [(each.asset, each.sensor, each.time) for each in mixed for _ in range(3)]
    assert [(each.asset, each.sensor, each.time) for each in observations] == expected


def test_a_growing_fault_is_seen_and_named(motors: HealthModel) -> None:
    observations, told = watch(motors, GROWING)
    faults, healths = (of_kind(observations, kind) for kind in (AlertKind.FAULT, AlertKind.ANOMALY))
    assert [each.abnormal for each in healths[1:]] == [True] * 5
    assert {each.fault for each in faults[2:]} == {Fault.OUTER_RACE}
    last = faults[-1]
    assert (last.abnormal, last.valid) == (True, True)
    assert last.p_value is not None
    assert last.p_value < 0.01
    assert last.order == pytest.approx(HEALTHY.orders.bpfo, rel=0.01)
    assert last.frequency_hz == pytest.approx(HEALTHY.orders.bpfo * HEALTHY.rpm / 60, rel=0.01)
    assert last.evidence
    assert healths[-1].severity is last.severity is Severity.WARNING, "health is as urgent as what explains it"
    assert [signal.time for signal, _, _ in told] == [each.time for each in healths if each.abnormal]
    assert {machine.asset for _, machine, _ in told} == {ASSETS[0]}


def test_a_sensor_that_lies_says_nothing_else_and_is_not_learned_from(motors: HealthModel) -> None:
    memory = HealthMemory(motors)
    observations, told = watch(motors, [clipped(GROWING[-1])], classed_motor, memory)
    (only,) = observations
    assert (only.kind, only.valid, only.abnormal, only.severity) == (AlertKind.SENSOR, True, True, Severity.WATCH)
    assert memory.states == ()
    assert told == []


def test_only_a_machine_with_a_class_has_a_zone(motors: HealthModel) -> None:
    assert AlertKind.ZONE not in kinds(watch(motors, CALM)[0])
    zones = of_kind(watch(motors, CALM, classed_motor)[0], AlertKind.ZONE)
    assert {each.zone for each in zones} == {"A"}


def test_a_short_snapshot_of_a_machine_with_a_class_has_no_zone(motors: HealthModel) -> None:
    short = [replace(each, samples=each.samples[:8192]) for each in CALM]
    assert AlertKind.ZONE not in kinds(watch(motors, short, classed_motor)[0])


def test_a_severe_zone_calls_for_a_diagnosis() -> None:
    """A line of 8 mm/s at the shaft's speed, and a model that looks at a band far above it alone."""
    band = replace(CONTRACT, names=("band_2000_5000_hz_m_s2",), transforms=CONTRACT.transforms[:1])
    model = fit_health({NAME: motor_rows(ASSETS[0], range(500, 505))}, band, SNAPSHOTS)
    time_s = np.arange(len(CALM[0].samples)) / RATE_HZ
    shaken = 2 * np.pi * 30 * 0.008 * np.sqrt(2) / 9.80665 * np.sin(2 * np.pi * 30 * time_s)
    observations, told = watch(model, [replace(CALM[0], samples=CALM[0].samples + shaken)], classed_motor)
    (zone,), (health,) = (of_kind(observations, kind) for kind in (AlertKind.ZONE, AlertKind.ANOMALY))
    assert (zone.zone, zone.abnormal, zone.severity) == ("D", True, Severity.DANGER)
    assert not health.abnormal
    assert len(told) == 1


def test_the_fault_is_said_before_the_zone_and_the_anomaly(motors: HealthModel) -> None:
    observations, _ = watch(motors, GROWING[-1:], classed_motor)
    assert kinds(observations) == [AlertKind.SENSOR, AlertKind.FAULT, AlertKind.ZONE, AlertKind.ANOMALY]


def test_a_machine_that_is_being_learned_is_diagnosed_and_its_health_not_judged(motors: HealthModel) -> None:
    strangers = [replace(each, asset="new") for each in GROWING[-2:]]
    observations, told = watch(motors, strangers)
    assert [each.valid for each in of_kind(observations, AlertKind.ANOMALY)] == [False, False]
    assert [each.abnormal for each in of_kind(observations, AlertKind.ANOMALY)] == [False, False]
    assert [each.fault for each in of_kind(observations, AlertKind.FAULT)] == [Fault.OUTER_RACE] * 2
    assert len(told) == 2


def test_an_unknown_fault_speaks_neither_for_nor_against(motors: HealthModel) -> None:
    """Without a bearing in the record or the register there is nothing to look for."""
    strange = [replace(each, orders=None) for each in GROWING[-1:]]
    observations, told = watch(motors, strange, Machine)
    (fault,) = of_kind(observations, AlertKind.FAULT)
    (_, _, found) = told[0]
    assert found.fault is Fault.UNKNOWN
    assert (fault.valid, fault.abnormal, fault.fault) == (False, False, Fault.UNKNOWN)


def test_most_of_the_rows_decide(motors: HealthModel) -> None:
    """The outer race fault in less than half of a snapshot's windows is no alarm, in more than half it is one."""
    for share, abnormal in ((0.2, False), (0.9, True)):
        cut = int(share * len(CALM[0].samples))
        samples = np.concatenate([CALM[0].samples[:-cut], GROWING[-1].samples[-cut:]])
        health = HealthMemory(motors).judge(NAME, rows(motors, replace(CALM[0], samples=samples)))
        assert health.abnormal is abnormal
        assert health.middle is not None


def test_without_rows_nothing_is_judged(motors: HealthModel) -> None:
    assert HealthMemory(motors).judge(NAME, []) == SnapshotHealth()


def test_own_levels_are_those_of_the_baseline(motors: HealthModel) -> None:
    memory = HealthMemory(motors)
    own = memory.own_levels(NAME)
    (baseline,) = (each for (asset, _), each in motors.baselines.items() if asset == NAME)
    assert own is not None
    level = exp(baseline.mean[CONTRACT.names.index("rms_m_s2")])
    assert own.acceleration_rms_m_s2 == pytest.approx(level)
    assert level == pytest.approx(CALM[0].samples.std() * 9.80665, rel=0.1)
    assert own.velocity_rms_mm_s is None, "the model does not measure it"
    assert memory.own_levels("nobody") is None


def test_own_levels_are_learned_with_the_baseline(motors: HealthModel) -> None:
    memory = HealthMemory(motors)
    for turn in range(SNAPSHOTS.commissioning_rows // 50):
        assert memory.own_levels("new") is None
        memory.judge("new", rows(motors, motor_signal(turn)))
    own, known = memory.own_levels("new"), memory.own_levels(NAME)
    assert own is not None
    assert known is not None
    assert own.acceleration_rms_m_s2 == pytest.approx(known.acceleration_rms_m_s2, rel=0.1)


@pytest.mark.parametrize("cut", [1, 3, 5])
def test_a_restart_changes_no_decision(motors: HealthModel, cut: int) -> None:
    signals = [*CALM[:3], *GROWING[3:]]
    expected, _ = watch(motors, signals)
    before = HealthMemory(motors)
    first, _ = watch(motors, signals[:cut], memory=before)
    after = HealthMemory(motors, [load_state(dump_state(state)) for state in before.states])
    second, _ = watch(motors, signals[cut:], memory=after)
    assert [*first, *second] == expected
    forgetful, _ = watch(motors, signals[cut:])
    assert [*first, *forgetful] != expected, "what was remembered mattered"


def test_a_batch_of_several_speeds_keeps_its_order(motors: HealthModel) -> None:
    signals = [
        replace(each, rpm=rpm) for each, rpm in zip([*CALM, *GROWING], cycle((1500.0, 1500.0, 1480.0)), strict=False)
    ]
    in_one = ConditionWatch(motors, motor, HealthMemory(motors))(snapshots(signals))
    one_by_one = ConditionWatch(motors, motor, HealthMemory(motors))
    assert in_one == [each for signal in signals for each in one_by_one(snapshots([signal]))]


def test_conditions_without_a_zone_or_a_diagnosis_are_two() -> None:
    head = Head("a", "s", START + timedelta(hours=1), RATE_HZ, Unit.G)
    fault, anomaly = condition_observations(head, SnapshotHealth(), None, None)
    assert (fault.kind, fault.abnormal, fault.time) == (AlertKind.FAULT, False, START + HOUR)
    assert (anomaly.kind, anomaly.valid) == (AlertKind.ANOMALY, False)
