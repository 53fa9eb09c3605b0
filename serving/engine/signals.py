"""What becomes of a signal that is sent to the service: a diagnosis, a judgement of health, and alerts."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from threading import Lock

from andon.datasets.assets.known import completed
from andon.models.alerts.case import Alert, AlertPolicy, AssetState, Observation
from andon.models.alerts.rules import decide
from andon.models.health.operating import Row
from andon.models.health.state import HealthState
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
from andon.serving.engine.remembered import NOTHING, RememberedSignals

Serving = Callable[[], Collection[str]]
"""Gives the digests of the bundles that serve."""


@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """What is said of one signal, and when that was taken. ``health`` has no ``middle`` where no model judged it."""

    time: datetime
    diagnosis: Diagnosis
    health: SnapshotHealth
    alerts: tuple[Alert, ...]


class HealthMemories:
    """What is remembered of machines' health, by the bundle that judges it.

    When a bundle is first asked, what was remembered for those that no longer serve is forgotten: a model that is replaced by
    another bundle begins anew with its machines.

    Parameters
    ----------
    kept
        By a bundle's digest, what was remembered when the service last ran.
    """

    def __init__(self, serving: Serving, kept: Mapping[str, Sequence[HealthState]]) -> None:
        self._serving = serving
        self._kept = dict(kept)
        self._memories: dict[str, HealthMemory] = {}

    def of(self, model: ServedHealth) -> HealthMemory:
        """The memory of the bundle that ``model`` is."""
        if model.digest not in self._memories:
            serving = {model.digest, *self._serving()}
            self._kept = {digest: states for digest, states in self._kept.items() if digest in serving}
            self._memories = {digest: memory for digest, memory in self._memories.items() if digest in serving}
            self._memories[model.digest] = HealthMemory(model.health, self._kept.pop(model.digest, ()))
        return self._memories[model.digest]

    def states(self) -> dict[str, Sequence[HealthState]]:
        """What is remembered, by a bundle's digest."""
        return {**self._kept, **{digest: memory.states for digest, memory in self._memories.items()}}


class SignalDesk:
    """Assesses signals one after the other. Safe to use from several threads at once.

    It remembers each machine's health and open case. A signal of which nobody says the machine is diagnosed, and leaves nothing
    behind: no health is judged, and no alert given.

    Parameters
    ----------
    machines
        Tells what is known of an asset.
    policy
        When alerts are given where no health model says it.
    remembered
        From when it last ran.
    """

    def __init__(
        self, machines: Machines, serving: Serving, policy: AlertPolicy, remembered: RememberedSignals = NOTHING
    ) -> None:
        self._machines = machines
        self._policy = policy
        self._memories = HealthMemories(serving, remembered.health())
        self._assets = {state.asset: state for state in remembered.assets}
        self._deciding = Lock()
        self._revision = 0

    @property
    def revision(self) -> int:
        """Rises with each signal that it remembers something of."""
        return self._revision

    def remembered(self) -> RememberedSignals:
        """What to go on from after a restart, as if there had been none."""
        with self._deciding:
            assets, health = tuple(self._assets.values()), self._memories.states()
        return RememberedSignals.of(assets, health)

    def assess(self, signal: Signal, said: Machine, model: ServedHealth | None) -> Assessment:
        """Diagnose a signal, judge the health of its sensor, and let the alert rules decide.

        Parameters
        ----------
        signal
            One without a time was taken now.
        said
            What the sender says of the machine; it wins over what is known.
        model
            Judges health, and brings the alert rules that go with it; None where no model does.
        """
        time = signal.time or datetime.now(UTC)
        machine = completed(said, self._machines(signal.asset))
        if not signal.asset:
            return Assessment(time, PhysicsDiagnoser().diagnose(signal, machine), SnapshotHealth(), ())
        name = watched_name(signal.asset, signal.sensor)
        with self._deciding:
            memory = self._memories.of(model) if model else None
            own = memory.own_levels(name) if memory else None
        found = PhysicsDiagnoser(own).diagnose(signal, machine)
        rows = _rows(signal, model) if model and found.sensor.ok else ()
        with self._deciding:
            self._revision += 1
            health = memory.judge(name, rows) if memory and rows else SnapshotHealth()
            policy = model.manifest.alerts if model else self._policy
            alerts = self._decide(policy, _observations(_head(signal, time), health, found))
        return Assessment(time, found, health, alerts)

    def _decide(self, policy: AlertPolicy, observations: Sequence[Observation]) -> tuple[Alert, ...]:
        return tuple(chain.from_iterable(self._step(policy, each) for each in observations))

    def _step(self, policy: AlertPolicy, observation: Observation) -> tuple[Alert, ...]:
        before = self._assets.get(observation.asset) or AssetState(observation.asset)
        self._assets[observation.asset], alerts = decide(policy, before, observation, new_id)
        return alerts


def _rows(signal: Signal, model: ServedHealth) -> list[Row]:
    contract = model.health.contract
    return feature_rows(signal.samples[None], signal.rate_hz, signal.unit, signal.rpm, contract)[0]


def _head(signal: Signal, time: datetime) -> Head:
    return Head(signal.asset, signal.sensor, time, signal.rate_hz, signal.unit, signal.rpm, signal.orders)


def _observations(head: Head, health: SnapshotHealth, found: Diagnosis) -> list[Observation]:
    first = sensor_observation(head, found.sensor)
    return [first, *condition_observations(head, health, found.zone, found)] if found.sensor.ok else [first]
