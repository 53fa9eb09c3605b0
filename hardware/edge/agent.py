"""All stations of a box, put together from its configuration and run until it is told to stop."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Annotated

import msgspec

from andon.datasets.store.opening import Store, StoreOptions, open_store
from andon.datasets.store.retention import KeepingRules
from andon.hardware.camera.reopening import ReopeningCamera
from andon.hardware.edge.cleaning import cleaning
from andon.hardware.edge.config.plans import EdgeConfig, Recipe, StationPlan
from andon.hardware.edge.sensing.sensing import Sensing, opened_sensing
from andon.hardware.edge.stations.following import FollowedBundle, FollowedRecipe, Following, User
from andon.hardware.edge.stations.judging import Judge, RecipeInUse, no_code
from andon.hardware.edge.stations.recipes import FixedRecipe, PlacedInspector, StationRecipe, in_use, placed_inspector
from andon.hardware.edge.stations.records import PartRecords
from andon.hardware.edge.stations.serials import BoardSerials, NoSerials, PlcSerials, Serials
from andon.hardware.edge.stations.station import Station, StationParts
from andon.hardware.edge.telling import Tellers, tellers
from andon.hardware.edge.threads import Threads
from andon.hardware.edge.updates.journal import UpdateRefusedError
from andon.hardware.plc.hermes import HermesSettings
from andon.models.codes.reading import part_code_in
from andon.models.monitoring.watch import Machines
from andon.models.types.vibration import Machine

RELEASES = "releases"
"""Under the box's home: the versions of bundles that are followed."""


class Agent(Threads):
    """Runs stations; each answers what it is judging before it ends.

    Parameters
    ----------
    stations
        What it runs.
    """

    def __init__(self, stations: Sequence[Station]) -> None:
        self.stations = stations
        super().__init__({f"station {each.parts.name}": each.run for each in stations})


class RollBack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody wants another version of a release to run: that before, or the one that is named."""

    release: str
    by: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Box:
    """All that runs on a box.

    Parameters
    ----------
    agent
        Not started yet.
    told
        Who is told of parts.
    followed
        Bundles whose releases are followed, by name.
    cleaner
        Keeps the disk from filling up.
    sensing
        Not started yet.
    """

    name: str
    agent: Agent
    store: Store
    told: Tellers
    followed: Mapping[str, FollowedBundle]
    cleaner: Thread
    sensing: Sensing

    def check(self) -> None:
        """Return where everything runs. Raises ``ThreadEndedError`` where something has ended by itself."""
        self.agent.check()
        self.sensing.check()
        for each in self.followed.values():
            each.check()

    def roll_back(self, asked: RollBack) -> None:
        """Go back to a version that is kept here.

        Raises
        ------
        UpdateRefusedError
            Nothing of that name is followed, or there is no such version to go back to.
        """
        if asked.release not in self.followed:
            raise UpdateRefusedError("update.not_followed", asked.release, expected=", ".join(self.followed) or "-")
        self.followed[asked.release].updater.roll_back(asked.by, asked.digest)


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
    OptionError
        A key, a password or a certificate cannot be read.
    ResourceError
        The store cannot be opened.
    """
    placed = placed_bundles(config)
    with ExitStack() as closing:
        store = open_store(home, StoreOptions(config.box.box, reserve_bytes=config.box.reserve_mib << 20))
        closing.enter_context(store.database)
        told = closing.enter_context(tellers(config, store, home))
        cleaner = closing.enter_context(cleaning(store, KeepingRules(), told.sent))
        records = PartRecords(store, told.listeners)
        closing.callback(records.close)
        records.tell_again()
        followed = {
            name: closing.enter_context(_followed(config, store, home / RELEASES / name, users))
            for name, users in config.releases().items()
        }
        stations = []
        for plan in config.stations:
            recipes = {
                config.recipes[name].number: _recipe(config.recipes[name], plan, store, placed, followed)
                for name in plan.recipes
            }
            serials = closing.enter_context(_serials(config, plan))
            stations.append(_station(config, plan, records, recipes, serials))
        sensing = closing.enter_context(opened_sensing(config, store, told, home, register))
        yield Box(config.box.box, Agent(stations), store, told, followed, cleaner, sensing)


def placed_bundles(config: EdgeConfig) -> dict[str, PlacedInspector]:
    """Put the bundles that stay the same on the box's device, each once. Raises as ``opened_box`` does."""
    return {bundle: placed_inspector(path, config.device) for bundle, path in config.bundles().items()}


def _followed(config: EdgeConfig, store: Store, folder: Path, users: Sequence[tuple[Recipe, str]]) -> FollowedBundle:
    assert config.updates, "the configuration was checked"

    def prepare(placed: PlacedInspector) -> dict[User, RecipeInUse]:
        return {
            (recipe.name, station): in_use(store, recipe, station, folder.name, placed) for recipe, station in users
        }

    settings = config.updates.settings(config.folder, folder.name)
    following = Following(folder=folder, settings=settings, poll_s=config.updates.poll_s, device=config.device)
    return FollowedBundle(following, config.updates.bundles(config.folder), prepare)


def _recipe(
    recipe: Recipe,
    plan: StationPlan,
    store: Store,
    placed: Mapping[str, PlacedInspector],
    followed: Mapping[str, FollowedBundle],
) -> StationRecipe:
    if recipe.release:
        return FollowedRecipe(recipe.name, recipe.settings, plan.name, followed[recipe.release])
    assert recipe.bundle, "the configuration was checked"
    return FixedRecipe(in_use(store, recipe, plan.name, Path(recipe.bundle).stem, placed[recipe.bundle]))


@contextmanager
def _serials(config: EdgeConfig, plan: StationPlan) -> Iterator[Serials]:
    if plan.hermes:
        upstream = config.hermes[plan.hermes]
        with BoardSerials(upstream.opening, HermesSettings(machine_id=plan.name, lane=upstream.lane)) as serials:
            yield serials
    else:
        yield PlcSerials() if plan.serial == "plc" else NoSerials()


def _station(
    config: EdgeConfig,
    plan: StationPlan,
    records: PartRecords,
    recipes: Mapping[int, StationRecipe],
    serials: Serials,
) -> Station:
    camera = ReopeningCamera(config.cameras[plan.camera], plan.camera)
    return Station(
        StationParts(
            name=plan.name,
            takt_s=plan.takt_s,
            link=config.plcs[plan.plc](),
            judge=Judge(camera, plan.retakes, part_code_in if plan.serial == "code" else no_code),
            recipes=recipes,
            records=records,
            cores=config.device.cores,
            serials=serials,
        )
    )
