"""What becomes of a signal that is sent to the service: a diagnosis, a judgement of health, and alerts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from threading import Lock

from andon.datasets.assets.known import completed
from andon.models.alerts.case import Alert, AlertPolicy, AssetState, Observation
from andon.models.alerts.rules import decide
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
from andon.serving.engine.models import ServedHealth


@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """What is said of one signal. ``health`` has no ``middle`` where no model judged it."""

    diagnosis: Diagnosis
    health: SnapshotHealth
    alerts: tuple[Alert, ...]


class SignalDesk:
    """Assesses signals one after the other. Safe to use from several threads at once.

    It remembers each machine's health and open case while the service runs. A model that is replaced by another bundle begins
    anew with its machines' health.

    Parameters
    ----------
    machines
        Tells what is known of an asset.
    """

    def __init__(self, machines: Machines, policy: AlertPolicy) -> None:
        self._machines = machines
        self._policy = policy
        self._memories: dict[str, HealthMemory] = {}
        self._assets: dict[str, AssetState] = {}
        self._deciding = Lock()

    def assess(self, signal: Signal, said: Machine, model: ServedHealth | None) -> Assessment:
        """Diagnose a signal, judge the health of its sensor, and let the alert rules decide.

        Parameters
        ----------
        signal
            One without a time was taken now.
        said
            What the sender says of the machine; it wins over what is known.
        model
            Judges health; None where no model does.
        """
        timed = replace(signal, time=signal.time or datetime.now(UTC))
        machine = completed(said, self._machines(signal.asset))
        name = watched_name(signal.asset, signal.sensor)
        with self._deciding:
            memory = self._memory(model) if model else None
            own = memory.own_levels(name) if memory else None
        found = PhysicsDiagnoser(own).diagnose(timed, machine)
        rows = _rows(timed, model) if model and found.sensor.ok else ()
        with self._deciding:
            health = memory.judge(name, rows) if memory and rows else SnapshotHealth()
            alerts = self._decide(_observations(timed, health, found)) if signal.asset else ()
        return Assessment(found, health, alerts)

    def _memory(self, model: ServedHealth) -> HealthMemory:
        if model.digest not in self._memories:
            self._memories[model.digest] = HealthMemory(model.health)
        return self._memories[model.digest]

    def _decide(self, observations: Sequence[Observation]) -> tuple[Alert, ...]:
        return tuple(chain.from_iterable(self._step(each) for each in observations))

    def _step(self, observation: Observation) -> tuple[Alert, ...]:
        before = self._assets.get(observation.asset) or AssetState(observation.asset)
        self._assets[observation.asset], alerts = decide(self._policy, before, observation, new_id)
        return alerts


def _rows(signal: Signal, model: ServedHealth) -> list[dict[str, float | None]]:
    contract = model.health.contract
    rows = feature_rows(signal.samples[None], signal.rate_hz, signal.unit, signal.rpm, contract)[0]
    return [dict(row) for row in rows]


def _observations(signal: Signal, health: SnapshotHealth, found: Diagnosis) -> list[Observation]:
    time = signal.time or datetime.now(UTC)
    head = Head(signal.asset, signal.sensor, time, signal.rate_hz, signal.unit, signal.rpm, signal.orders)
    first = sensor_observation(head, found.sensor)
    return [first, *condition_observations(head, health, found.zone, found)] if found.sensor.ok else [first]
