"""Assess what sensors send: the diagnosis of the machine, its health, and what the alert rules make of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

from andon.datasets.assets.known import completed
from andon.datasets.store.conditions import Conditions, Decision, SignalRecord
from andon.models.alerts.case import Alert, AlertPolicy, Observation
from andon.models.alerts.rules import decide, note_arrivals
from andon.models.health.operating import Row
from andon.models.health.watching import HealthModel
from andon.models.monitoring.features import feature_rows
from andon.models.monitoring.watch import (
    HealthMemory,
    Machines,
    SnapshotHealth,
    condition_observations,
    sensor_observation,
    watched_name,
)
from andon.models.stream.windows import Head
from andon.models.types.identifiers import new_id
from andon.models.types.vibration import Diagnosis, Machine, Signal
from andon.models.vibration.diagnosis import PhysicsDiagnoser


@dataclass(frozen=True, slots=True, eq=False)
class HealthJudge:
    """A health bundle that judges signals.

    Parameters
    ----------
    name
        Under which it serves.
    policy
        When alerts are given.
    """

    name: str
    digest: str
    health: HealthModel
    policy: AlertPolicy


@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """What is said of one signal, and when that was taken. ``health`` has no ``middle`` where no model judged it."""

    time: datetime
    diagnosis: Diagnosis
    health: SnapshotHealth
    alerts: tuple[Alert, ...]


Describe = Callable[[Assessment], SignalRecord]
"""Makes what is to be kept of a signal from what is said of it."""


class SignalDesk:
    """Assesses signals and keeps them. Safe to use from several threads and processes at once.

    Nothing is remembered here: each signal is one transaction on what is kept of its machine, so that a restart changes no
    decision and no alert is given that was not kept. A signal of which nobody says the machine is diagnosed and kept; no
    health is judged, and no alert given.

    Parameters
    ----------
    machines
        Tells what is known of an asset.
    policy
        When alerts are given where no health model says it.
    """

    def __init__(self, machines: Machines, conditions: Conditions, policy: AlertPolicy) -> None:
        self._machines = machines
        self._conditions = conditions
        self._policy = policy

    def assess(self, signal: Signal, said: Machine, judge: HealthJudge | None, describe: Describe) -> SignalRecord:
        """Diagnose a signal, judge the health of its sensor, let the alert rules decide, and keep it all.

        Parameters
        ----------
        signal
            One without a time was taken now.
        said
            What the sender says of the machine; it wins over what is known.
        judge
            Judges health; None where no bundle does.

        Raises
        ------
        ResourceError
            It cannot be kept.
        """
        time = signal.time or datetime.now(UTC)
        machine = completed(said, self._machines(signal.asset))
        name = watched_name(signal.asset, signal.sensor)
        judge = judge if signal.asset else None
        own = self._memory(judge, name).own_levels(name) if judge else None
        found = PhysicsDiagnoser(own).diagnose(signal, machine)
        rows = _rows(signal, judge) if judge and found.sensor.ok else ()
        with self._conditions.deciding(signal.asset) as decision:
            health = _judge(decision, judge, name, rows) if judge and rows else SnapshotHealth()
            policy = judge.policy if judge else self._policy
            observations = _observations(_head(signal, time), health, found) if signal.asset else []
            alerts = _decide(decision, policy, observations, signal.sensor)
            kept = decision.keep_signal(describe(Assessment(time, found, health, alerts)))
            decision.keep_alerts(alerts, kept.received)
        return kept

    def _memory(self, judge: HealthJudge, name: str) -> HealthMemory:
        return HealthMemory(judge.health, self._conditions.health(judge.digest, name))


def _judge(decision: Decision, judge: HealthJudge, name: str, rows: Sequence[Row]) -> SnapshotHealth:
    memory = HealthMemory(judge.health, decision.health(judge.digest, name))
    health = memory.judge(name, rows)
    for state in memory.states:
        decision.keep_health(judge.digest, state, datetime.now(UTC))
    return health


def _decide(
    decision: Decision, policy: AlertPolicy, observations: Sequence[Observation], sensor: str
) -> tuple[Alert, ...]:
    if not observations:
        return ()
    state, steps = decision.rules(), []
    for observation in observations:
        state, alerts = decide(policy, state, observation, new_id)
        steps.append(alerts)
    decision.keep_rules(note_arrivals(state, {sensor}, datetime.now(UTC)))
    return tuple(chain.from_iterable(steps))


def _rows(signal: Signal, judge: HealthJudge) -> list[Row]:
    contract = judge.health.contract
    return feature_rows(signal.samples[None], signal.rate_hz, signal.unit, signal.rpm, contract)[0]


def _head(signal: Signal, time: datetime) -> Head:
    return Head(signal.asset, signal.sensor, time, signal.rate_hz, signal.unit, signal.rpm, signal.orders)


def _observations(head: Head, health: SnapshotHealth, found: Diagnosis) -> list[Observation]:
    first = sensor_observation(head, found.sensor)
    return [first, *condition_observations(head, health, found.zone, found)] if found.sensor.ok else [first]
