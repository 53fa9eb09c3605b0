"""All sensors of a box, put together from its configuration."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event

from andon.datasets.condition.desk import HealthJudge, SignalDesk
from andon.datasets.condition.rows import RowDesk
from andon.datasets.condition.silence import listen_anew, look_for_silence
from andon.datasets.store.assets import Assets, KeptAsset
from andon.datasets.store.condition_chain import OwnChain
from andon.datasets.store.conditions import Conditions
from andon.datasets.store.opening import Store
from andon.hardware.acquisition.kinds import Place
from andon.hardware.acquisition.standing import Report
from andon.hardware.edge.config.plans import EdgeConfig, SensorPlan
from andon.hardware.edge.listeners import Listener
from andon.hardware.edge.sensing.alerts import AlertTeller
from andon.hardware.edge.sensing.arrivals import Arrivals, of_rows, of_signals
from andon.hardware.edge.sensing.keeping import Judges, RowKeeper, SignalKeeper, tell_again
from andon.hardware.edge.sensing.snapshots import cutter, scheduled
from andon.hardware.edge.sensing.source import SourceParts, SourceRun
from andon.hardware.edge.telling import Tellers
from andon.hardware.edge.threads import Threads
from andon.hardware.profiles.affinity import stand_back
from andon.models.alerts.case import AlertPolicy
from andon.models.bundle.runtime import load_health
from andon.models.monitoring.watch import Machines
from andon.models.types.errors import AssetError, ResourceError
from andon.models.types.vibration import Machine, RowSource

JOURNALS = "sensors"
"""Under the box's home: what sources remember."""

LOOK_S = 60.0
"""How often it is looked for silence."""

PAGE = 1_000
"""Machines that are read at one time."""

logger = logging.getLogger(__name__)


def placed_judges(config: EdgeConfig) -> dict[str, HealthJudge]:
    """Load the bundles of all assets, each once.

    Raises
    ------
    BundleError
        One is damaged, of another kind, or this box does not reproduce its goldens.
    """
    named = {asset: plan.bundle for asset, plan in config.assets.items() if plan.bundle}
    loaded = {bundle: _judge(config.folder / bundle) for bundle in set(named.values())}
    return {asset: loaded[bundle] for asset, bundle in named.items()}


def _judge(path: Path) -> HealthJudge:
    loaded = load_health(path)
    return HealthJudge(path.stem, loaded.bundle.digest, loaded.model, loaded.bundle.manifest.alerts)


def known_machines(config: EdgeConfig, register: Machines) -> Machines:
    """Tell what is known of an asset: by the register, except where the configuration says otherwise.

    One whose entry in the register is damaged is known by its name alone, which is said.
    """

    def known(asset: str) -> Machine:
        try:
            machine = register(asset)
        except AssetError as error:
            logger.warning("asset not known", extra={"fields": {"code": error.code, "reason": str(error)}})
            machine = Machine(asset)
        plan = config.assets.get(asset)
        return plan.completed(machine) if plan else machine

    return known


class Silence:
    """Looks again and again for sensors from which nothing comes any more, and tells what was kept and not told."""

    def __init__(self, conditions: Conditions, policy: AlertPolicy, alerts: AlertTeller, every_s: float) -> None:
        self._conditions, self._policy, self._alerts, self._every_s = conditions, policy, alerts, every_s

    def run(self, stop: Event) -> None:
        """Look until ``stop`` is set."""
        while not stop.wait(self._every_s):
            try:
                look_for_silence(self._conditions, self._policy, datetime.now(UTC))
            except ResourceError as error:
                logger.warning("silence not looked for", extra={"fields": {"code": error.code, "reason": str(error)}})
            self._alerts.tell_waiting()


class Sensing(Threads):
    """Runs sources on threads that let stations go first, and looks for silence where there are any.

    What each holds at the end is kept, or left to its source.

    Parameters
    ----------
    store
        Where assets are read.
    cores
        Logical processors that they keep to; none for all.
    """

    def __init__(self, store: Store, sources: Sequence[SourceRun], silence: Silence, cores: Collection[int]) -> None:
        self.sources = sources
        self._assets = Assets(store.database)
        runs = {each.parts.name: each.run for each in sources} | ({"silence": silence.run} if sources else {})
        super().__init__({f"sensor {name}": partial(_run_beside, run, cores) for name, run in runs.items()})

    def assets(self) -> Sequence[KeptAsset]:
        """List the machines that were heard. Raises ``ResourceError``."""
        return list(_every(self._assets))


def _run_beside(run: Callable[[Event], None], cores: Collection[int], stop: Event) -> None:
    stand_back(cores)
    run(stop)


def _every(assets: Assets) -> Iterator[KeptAsset]:
    after: str | None = ""
    while after is not None:
        page = assets.page(None, after, PAGE)
        yield from page.items
        after = page.next


@contextmanager
def opened_sensing(
    config: EdgeConfig, store: Store, told: Tellers, home: Path, register: Machines, look_s: float = LOOK_S
) -> Iterator[Sensing]:
    """Load the bundles of all assets and make the sources that a configuration describes; nothing is opened yet.

    Parameters
    ----------
    home
        The box's.
    register
        Tells what is known of an asset beside the configuration.

    Raises
    ------
    BundleError
        As ``placed_judges`` raises it.
    ResourceError
        The database cannot be used.
    """
    alerts = AlertTeller(store.database, told.listeners)
    conditions = Conditions(store.database, alerts, OwnChain(store.origin))
    policy = AlertPolicy()
    desk = SignalDesk(known_machines(config, register), conditions, policy)
    keepers = _Keepers(store, desk, RowDesk(conditions), placed_judges(config), told.listeners)
    runs = [_run(config, plan, keepers, home, told) for plan in config.sensors.values()]
    sensing = Sensing(store, runs, Silence(conditions, policy, alerts, look_s), config.device.cores)
    listen_anew(conditions, [each.name for each in sensing.assets()], datetime.now(UTC))
    alerts.tell_waiting()
    tell_again(store, told.listeners)
    yield sensing


@dataclass(frozen=True, slots=True)
class _Keepers:
    """Makes for each source what keeps its deliveries."""

    store: Store
    desk: SignalDesk
    rows: RowDesk
    judges: Judges
    listeners: Sequence[Listener]

    def of_signals(self) -> SignalKeeper:
        return SignalKeeper(self.store, self.desk, self.judges, self.listeners)

    def of_rows(self) -> RowKeeper:
        return RowKeeper(self.rows, self.judges, self.listeners)


def _run(config: EdgeConfig, plan: SensorPlan, keepers: _Keepers, home: Path, told: Tellers) -> SourceRun:
    place = partial(Place, config.box.box, plan.name, config.folder, home / JOURNALS)
    opens = partial(_opened, plan, keepers, place)
    return SourceRun(SourceParts(plan.name, plan.kind, opens, keepers.store.room, told.lost))


@contextmanager
def _opened(
    plan: SensorPlan, keepers: _Keepers, place: Callable[[Report, Event], Place], report: Report, stop: Event
) -> Iterator[Arrivals]:
    source = plan.plan.source(place(report, stop))
    if isinstance(source, RowSource):
        with source:
            yield of_rows(source, keepers.of_rows())
    else:
        signals = scheduled(source, plan.snapshots)
        with signals:
            yield of_signals(signals, cutter(plan.snapshots), keepers.of_signals())


def judges_of(config: EdgeConfig, judges: Mapping[str, HealthJudge]) -> dict[str, str | None]:
    """By the asset, the digest of what judges it; None where physics alone does."""
    return {asset: judges[asset].digest if asset in judges else None for asset in config.assets}
