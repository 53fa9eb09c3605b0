"""All stations of a box, put together from its configuration and run until it is told to stop."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Self

from andon.datasets.store.opening import Store, StoreOptions, open_store
from andon.datasets.store.recipes import Recipes
from andon.datasets.store.recorder import BundleRecord
from andon.datasets.store.retention import KeepingRules
from andon.hardware.camera.reopening import ReopeningCamera
from andon.hardware.edge.cleaning import cleaning
from andon.hardware.edge.config.plans import EdgeConfig, Recipe, StationPlan
from andon.hardware.edge.judging import CodeReader, Judge, RecipeInUse, no_code
from andon.hardware.edge.records import PartRecords
from andon.hardware.edge.sensing.sensing import Sensing, opened_sensing
from andon.hardware.edge.station import Station, StationParts
from andon.hardware.edge.telling import Tellers, tellers
from andon.hardware.profiles.affinity import bound_to
from andon.hardware.profiles.placing import Refusal, installed_runtime, place_bundle
from andon.hardware.profiles.profile import DeviceProfile
from andon.models.bundle.runtime import LoadedInspector
from andon.models.bundle.storage import read_bundle
from andon.models.codes.reading import part_code_in
from andon.models.monitoring.watch import Machines
from andon.models.types.errors import BundleError, ResourceError
from andon.models.types.vibration import Machine

READERS: dict[str, CodeReader] = {"plc": no_code, "none": no_code, "code": part_code_in}


class StationEndedError(ResourceError):
    """A station's thread has ended by itself: the box must be started anew."""


class Agent:
    """Runs stations, each with a thread of its own.

    Parameters
    ----------
    stations
        What it runs.
    """

    def __init__(self, stations: Sequence[Station]) -> None:
        self.stations = stations
        self._stop = Event()
        self._threads = [
            Thread(target=station.run, args=(self._stop,), name=f"station {station.parts.name}") for station in stations
        ]

    def __enter__(self) -> Self:
        """Start all stations."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let each station answer what it is judging, then end."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def check(self) -> None:
        """Return where every station runs.

        Raises
        ------
        StationEndedError
            One does not, whatever the reason.
        """
        for station, thread in zip(self.stations, self._threads, strict=True):
            if not thread.is_alive():
                raise StationEndedError("edge.ended", station.parts.name)


@dataclass(frozen=True, slots=True)
class Box:
    """All that runs on a box.

    Parameters
    ----------
    agent
        Not started yet.
    told
        Who is told of parts.
    cleaner
        Keeps the disk from filling up.
    sensing
        Not started yet.
    """

    name: str
    agent: Agent
    store: Store
    told: Tellers
    cleaner: Thread
    sensing: Sensing


@contextmanager
def opened_box(config: EdgeConfig, home: Path, register: Machines = Machine) -> Iterator[Box]:
    """Load every bundle, open the store, and make the stations and the sensors that a configuration describes.

    Parameters
    ----------
    register
        Tells what is known of an asset.

    Raises
    ------
    BundleError
        A bundle is damaged, or this box does not reproduce its goldens.
    ResourceError
        The store cannot be opened.
    """
    recipes = placed_recipes(config)
    with ExitStack() as closing:
        store = open_store(home, StoreOptions(config.box.box, reserve_bytes=config.box.reserve_mib << 20))
        closing.enter_context(store.database)
        told = closing.enter_context(tellers(config, store, home))
        cleaner = closing.enter_context(cleaning(store, KeepingRules(), told.sent))
        records = PartRecords(store, told.listeners)
        closing.callback(records.close)
        records.tell_again()
        make = partial(_station, config, store, records, recipes)
        sensing = closing.enter_context(opened_sensing(config, store, told, home, register))
        yield Box(config.box.box, Agent([make(plan) for plan in config.stations]), store, told, cleaner, sensing)


@dataclass(frozen=True, slots=True)
class PlacedInspector:
    """A vision bundle on a device.

    Parameters
    ----------
    refusals
        Devices that were to be used before, and why they are not.
    """

    loaded: LoadedInspector
    provider: str
    refusals: Sequence[Refusal]


def placed_recipes(config: EdgeConfig) -> dict[str, PlacedInspector]:
    """Put the bundles of all recipes on the box's device, each once. Raises as ``opened_box`` does."""
    by_bundle = {recipe.bundle: config.bundle_of(recipe) for recipe in config.recipes.values()}
    placed = {bundle: _placed(path, config.device) for bundle, path in by_bundle.items()}
    return {name: placed[recipe.bundle] for name, recipe in config.recipes.items()}


def _placed(path: Path, device: DeviceProfile) -> PlacedInspector:
    with bound_to(device.cores):
        placed = place_bundle(read_bundle(path), str(path), device, installed_runtime())
    if not isinstance(placed.loaded, LoadedInspector):
        found = placed.loaded.bundle.manifest.label
        raise BundleError("bundle.kind", str(path), found=found, expected=LoadedInspector.kind)
    return PlacedInspector(placed.loaded, placed.provider, placed.refusals)


def _station(
    config: EdgeConfig,
    store: Store,
    records: PartRecords,
    placed: dict[str, PlacedInspector],
    plan: StationPlan,
) -> Station:
    chosen = [config.recipes[name] for name in plan.recipes]
    camera = ReopeningCamera(config.cameras[plan.camera], plan.camera)
    return Station(
        StationParts(
            name=plan.name,
            takt_s=plan.takt_s,
            link=config.plcs[plan.plc](),
            judge=Judge(camera, plan.retakes, READERS[plan.serial]),
            recipes={each.number: _in_use(store, each, plan.name, placed[each.name]) for each in chosen},
            records=records,
            cores=config.device.cores,
            takes_serial=plan.serial == "plc",
        )
    )


def _in_use(store: Store, recipe: Recipe, station: str, placed: PlacedInspector) -> RecipeInUse:
    """Keep what the recipe says for good, so that every record can name it."""
    bundle = placed.loaded.bundle
    document = {**asdict(recipe.settings), "camera": recipe.camera, "number": recipe.number}
    kept = Recipes(store.database).put(recipe.name, station, document, bundle.digest, datetime.now(UTC))
    record = BundleRecord(bundle.digest, Path(recipe.bundle).stem, bundle.manifest.label, bundle.manifest.encode())
    return RecipeInUse(recipe.name, kept, recipe.settings, record, placed.loaded.inspector, placed.provider)
