"""What a box runs, as its configuration says it: stations with their cameras, PLCs and recipes; sensors with the machines they watch.

::

    box = "line-1"

    [[cameras]]
    name = "top"
    kind = "genicam"
    producer = "/opt/vendor/producer.cti"
    serial = "00D1234"

    [[plcs]]
    name = "press"
    kind = "modbus-server"
    port = 1502

    [[recipes]]
    name = "housing"
    camera = "top"
    bundle = "housing.andon"
    exposure_us = 2000.0

    [[stations]]
    name = "S1"
    camera = "top"
    plc = "press"
    recipes = ["housing"]
    takt_s = 1.0

    [[sensors]]
    name = "gateway"
    kind = "watched-folder"
    folder = "/srv/records"

    [[assets]]
    name = "P-101"
    bundle = "pumps.andon"
    bearing = "6205"

The keys of a camera, a PLC and a sensor are the arguments of their kind; kinds are found by entry point (groups ``andon.cameras``, ``andon.plcs``
and ``andon.sensors``). A box has stations, sensors or both.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from threading import Event
from types import MappingProxyType
from typing import Any

from andon.datasets.registry.stores import check_name
from andon.hardware.acquisition.kinds import Place as SourcePlace
from andon.hardware.acquisition.kinds import SourcePlan
from andon.hardware.edge.config.places import Path as Place
from andon.hardware.edge.config.places import line_of, lines_of
from andon.hardware.edge.config.plans import (
    AssetPlan,
    BoxPlan,
    BrokerPlan,
    EdgeConfig,
    HermesPlan,
    MqttPlan,
    Name,
    Recipe,
    SensorPlan,
    SnapshotPlan,
    SparkplugPlan,
    StationPlan,
    StatusPlan,
    UpdatesPlan,
    UploadPlan,
)
from andon.hardware.edge.config.tables import Problem, read_table, unfit
from andon.hardware.profiles.profile import device_profile
from andon.models.command.extras import extra_of
from andon.models.types.errors import AndonError, InputError
from andon.models.types.vibration import RowSource, SignalSource

CAMERAS, PLCS, SENSORS = "andon.cameras", "andon.plcs", "andon.sensors"

Kinds = Mapping[str, Callable[[], Callable[..., Any]]]
"""By their names, what loads the makers of devices."""

NO_KINDS: Kinds = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a configuration, and in which line."""

    line: int
    problem: Problem


class ConfigError(InputError):
    """A configuration cannot be used; ``faults`` says why, in the order of their lines.

    Parameters
    ----------
    faults
        All that is wrong, not only the first.
    """

    def __init__(self, path: str, faults: Sequence[Fault]) -> None:
        super().__init__("edge.config", path, found=len(faults))
        self.faults = faults


def installed(group: str) -> Kinds:
    """Find the kinds of devices that are installed."""
    return {entry.name: entry.load for entry in entry_points(group=group)}


def read_config(path: Path, cameras: Kinds, plcs: Kinds, sensors: Kinds = NO_KINDS) -> EdgeConfig:
    """Read a configuration and check all that can be checked without opening a device.

    Raises
    ------
    ConfigError
        Something in it cannot be used.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(str(path), [Fault(1, Problem((), "edge.unreadable", {"reason": str(error)}))]) from error
    reading = _Reading(document, path.parent, {CAMERAS: cameras, PLCS: plcs, SENSORS: sensors})
    config = reading.config()
    if config is None:
        lines = lines_of(text)
        faults = [Fault(line_of(lines, each.path), each) for each in reading.problems]
        raise ConfigError(str(path), sorted(faults, key=lambda fault: fault.line))
    return config


class _Reading:
    """One configuration on its way from tables to plans."""

    def __init__(self, document: dict[str, Any], folder: Path, kinds: Mapping[str, Kinds]) -> None:
        self.problems: list[Problem] = []
        self._document = document
        self._folder = folder
        self._kinds = kinds

    def config(self) -> EdgeConfig | None:
        """Put everything together; None where something was wrong."""
        self._check_tables()
        cameras, plcs = self._devices("cameras", CAMERAS), self._devices("plcs", PLCS)
        recipes = self._named("recipes", Recipe)
        stations = self._named("stations", StationPlan)
        hermes = self._named("hermes", HermesPlan)
        sensors, assets = self._sensors(), self._named("assets", AssetPlan)
        box = self._table(BoxPlan, {name: self._document[name] for name in _BOX if name in self._document}, ())
        status = self._table(StatusPlan, self._document.get("status", {}), ("status",))
        device = self._table(device_profile, self._document.get("device", {}), ("device",))
        others = {name: self._optional(name, make) for name, make in _OPTIONAL.items()}
        self._try(("status",), lambda: status and (status.key(self._folder), status.tls(self._folder)))
        self._try(("upload",), lambda: others["upload"] and others["upload"].service(self._folder).close())
        self._try(("broker",), lambda: others["broker"] and others["broker"].settings(self._folder, "check"))
        self._check_releases(recipes, others["updates"])
        if self._document.keys() & {"mqtt", "sparkplug"} and "broker" not in self._document:
            self._report((), "edge.missing", found="[broker]")
        if status is not None and status.host not in _LOOPBACK and status.key_file is None:
            self._report(("status", "host"), "edge.open_status", found=status.host)
        self._check_recipes()
        self._check_assets(stations)
        self._check_stations(recipes)
        if self.problems:
            return None
        return EdgeConfig(
            folder=self._folder,
            box=box,
            cameras=cameras,
            plcs=plcs,
            recipes=recipes,
            stations=list(stations.values()),
            hermes=hermes,
            sensors=sensors,
            assets=assets,
            status=status,
            device=device,
            **others,
        )

    def _report(self, path: Place, code: str, **params: str | float) -> None:
        self.problems.append(Problem(path, code, params))

    def _check_tables(self) -> None:
        known = [*_BOX, *_ARRAYS, *_TABLES]
        for name, value in self._document.items():
            if name not in known:
                self._report((name,), "edge.unknown", found=name, expected=", ".join(known))
            elif name in _ARRAYS and not (isinstance(value, list) and all(isinstance(each, dict) for each in value)):
                self.problems.append(unfit((name,), value, f"[[{name}]]"))
                self._document = {**self._document, name: []}
            elif name in _TABLES and not isinstance(value, dict):
                self.problems.append(unfit((name,), value, f"[{name}]"))
                self._document = {**self._document, name: {}}
        for name in _ARRAYS:
            self._check_unique(name)
        of_stations = any(self._document.get(name) for name in _OF_STATIONS)
        for name in _OF_STATIONS if of_stations or not self._document.get("sensors") else ():
            if not self._document.get(name):
                self._report((), "edge.missing", found=f"[[{name}]]")

    def _check_unique(self, array: str) -> None:
        seen: set[str] = set()
        for path, table in self._tables(array):
            if (name := str(table.get("name"))) in seen:
                self._report((*path, "name"), "edge.twice", found=name)
            seen.add(name)

    def _optional(self, name: str, make: Callable[..., Any]) -> Any:
        return self._table(make, self._document[name], (name,)) if name in self._document else None

    def _table(self, make: Callable[..., Any], table: Mapping[str, Any], path: Place) -> Any:
        arguments = read_table(make, table, path, self.problems.append)
        return None if arguments is None else self._try(path, lambda: make(**arguments))

    def _try(self, path: Place, make: Callable[[], Any]) -> Any:
        """Make something, and report why that cannot be."""
        try:
            return make()
        except ModuleNotFoundError as error:
            found = error.name or ""
            extra = extra_of(found)
            self._report(path, "edge.not_installed", found=found, expected=f"andon[{extra}]" if extra else found)
        except AndonError as error:
            self._report(path, error.code, **error.params)

    def _tables(self, array: str) -> Iterator[tuple[Place, dict[str, Any]]]:
        for place, table in enumerate(self._document.get(array, [])):
            yield (array, place), table

    def _names(self, array: str) -> Iterator[str]:
        return (str(table["name"]) for _, table in self._tables(array) if "name" in table)

    def _named(self, array: str, make: Callable[..., Any]) -> dict[str, Any]:
        plans = [self._table(make, table, path) for path, table in self._tables(array)]
        return {plan.name: plan for plan in plans if plan is not None}

    def _sensors(self) -> dict[str, SensorPlan]:
        """Put sources together with what is taken of them, and make each once."""
        made = self._devices("sensors", SENSORS, ("snapshots",))
        sensors: dict[str, SensorPlan] = {}
        for path, table in self._tables("sensors"):
            snapshots = self._snapshots(path, table)
            plan = made.pop(str(table.get("name")), _nothing)()
            if plan is not None:
                self._check_source(plan, table, path)
                sensors[table["name"]] = SensorPlan(table["name"], table["kind"], plan, snapshots)
        return sensors

    def _snapshots(self, path: Place, table: Mapping[str, Any]) -> SnapshotPlan | None:
        said = table.get("snapshots")
        if said is None:
            return None
        if not isinstance(said, dict):
            self.problems.append(unfit((*path, "snapshots"), said, "[snapshots]"))
            return None
        plan: SnapshotPlan | None = self._table(SnapshotPlan, said, (*path, "snapshots"))
        return plan

    def _check_source(self, plan: SourcePlan, table: Mapping[str, Any], path: Place) -> None:
        """Make a source, and see that what is to be taken of it fits."""
        nowhere = Path(self._folder.resolve().anchor)
        place = SourcePlace("check", str(table["name"]), self._folder, nowhere, _ignore, Event())
        source = self._try(path, lambda: plan.source(place))
        if isinstance(source, SignalSource):
            self._try(path, lambda: import_module(_WAVEFORMS))
        if isinstance(source, RowSource) and "snapshots" in table:
            self._report((*path, "snapshots"), "edge.no_snapshots", found=str(table["kind"]))

    def _devices(self, array: str, group: str, others: Sequence[str] = ()) -> dict[str, Callable[[], Any]]:
        """Make each device once, to see that its arguments fit; two that are the same device are one too many.

        Parameters
        ----------
        others
            Keys that are not the device's.
        """
        made: dict[str, Callable[[], Any]] = {}
        same: dict[str, str] = {}
        for path, table in self._tables(array):
            said = {key: value for key, value in table.items() if key not in ("name", "kind", *others)}
            name = self._table(_named, {"name": table["name"]} if "name" in table else {}, path)
            kind = str(table.get("kind", "-"))
            if kind not in self._kinds[group]:
                self._report((*path, "kind"), "edge.kind", found=kind, expected=", ".join(sorted(self._kinds[group])))
            elif name is None:
                continue
            elif (other := same.setdefault(f"{kind} {sorted(said.items())}", name)) != name:
                self._report(path, "edge.same_device", found=name, other=other)
            else:
                self._add_device(made, name, self._kinds[group][kind], said, path)
        return made

    def _add_device(
        self,
        made: dict[str, Callable[[], Any]],
        name: str,
        load: Callable[[], Callable[..., Any]],
        table: Mapping[str, Any],
        path: Place,
    ) -> None:
        if name in made:
            return  # a name that is there twice has been told
        make = self._try(path, load)
        arguments = make and read_table(make, table, path, self.problems.append)
        if arguments is not None and self._try(path, partial(make, **arguments)) is not None:
            made[name] = partial(make, **arguments)

    def _check_recipes(self) -> None:
        for path, table in self._tables("recipes"):
            self._check_name(table, "camera", "cameras", path)
            self._check_bundle(table, path)
            if ("bundle" in table) == ("release" in table):
                self._report(path, "edge.bundle_or_release", found="both" if "bundle" in table else "neither")

    def _check_releases(self, recipes: Mapping[str, Recipe], updates: UpdatesPlan | None) -> None:
        """Check whatever is followed, and that it can be."""
        if updates:
            self._try(("updates",), lambda: updates.bundles(self._folder))
            self._try(("updates", "trusted"), lambda: updates.keys(self._folder))
        for path, table in self._tables("recipes"):
            recipe = recipes.get(str(table.get("name")))
            name = recipe.release if recipe else None
            if name:
                self._try((*path, "release"), partial(check_name, name))
            if name and "updates" not in self._document:
                self._report((*path, "release"), "edge.missing", found="[updates]")

    def _check_assets(self, stations: Mapping[str, object]) -> None:
        """A station and an asset are each known by its name alone to whoever is told."""
        for path, table in self._tables("assets"):
            self._check_bundle(table, path)
            if (name := str(table.get("name"))) in stations:
                self._report((*path, "name"), "edge.twice", found=name)

    def _check_bundle(self, table: Mapping[str, Any], path: Place) -> None:
        bundle = self._folder / str(table.get("bundle", ""))
        if "bundle" in table and not _is_there(bundle):
            self._report((*path, "bundle"), "edge.no_bundle", found=str(bundle))

    def _check_stations(self, recipes: Mapping[str, Recipe]) -> None:
        taken: dict[tuple[str, object], str] = {}
        for path, table in self._tables("stations"):
            station = str(table.get("name"))
            if (table.get("serial") == "hermes") != ("hermes" in table):
                self._report((*path, "serial"), "edge.hermes", found=str(table.get("serial", "plc")))
            for key, array in (("camera", "cameras"), ("plc", "plcs"), ("hermes", "hermes")):
                if self._check_name(table, key, array, path):
                    other = taken.setdefault((key, table[key]), station)
                    if other != station:
                        self._report((*path, key), "edge.shared", found=str(table[key]), station=station, other=other)
            self._check_recipes_of(table, recipes, (*path, "recipes"))

    def _check_name(self, table: Mapping[str, Any], key: str, array: str, path: Place) -> bool:
        """Say whether what ``key`` names has a table; what is wrong within that is told where it stands, and once."""
        name = table.get(key)
        known = list(self._names(array))
        if isinstance(name, str) and name not in known:
            self._report((*path, key), "edge.no_such", found=name, expected=", ".join(known) or "-")
        return isinstance(name, str) and name in known

    def _check_recipes_of(self, table: Mapping[str, Any], recipes: Mapping[str, Recipe], path: Place) -> None:
        said = table.get("recipes")
        names = said if isinstance(said, list) else []
        numbers: dict[int, str] = {}
        for name in names:
            if not self._check_name({"recipes": name}, "recipes", "recipes", path[:-1]) or name not in recipes:
                continue
            recipe, camera = recipes[name], str(table.get("camera"))
            if recipe.camera != camera:
                self._report(path, "edge.recipe_camera", found=recipe.camera, recipe=name, expected=camera)
            if len(names) > 1 and recipe.number == 0:
                self._report(path, "edge.recipe_number", found=0, recipe=name)
            elif (other := numbers.setdefault(recipe.number, name)) != name:
                self._report(path, "edge.recipe_number", found=recipe.number, recipe=f"{other}, {name}")


_WAVEFORMS = "andon.datasets.vibration.parquet_files"
"""What keeps samples, which needs Arrow."""

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_BOX = ("box", "reserve_mib")
_OF_STATIONS = ("cameras", "plcs", "recipes", "stations")
_ARRAYS = (*_OF_STATIONS, "hermes", "sensors", "assets")
_OPTIONAL: Mapping[str, Callable[..., Any]] = {
    "updates": UpdatesPlan,
    "upload": UploadPlan,
    "broker": BrokerPlan,
    "mqtt": MqttPlan,
    "sparkplug": SparkplugPlan,
}
_TABLES = ("status", "device", *_OPTIONAL)


def _nothing() -> None:
    """Stand in for a device that cannot be made."""


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # as where its name is too long
        return False


def _named(name: Name) -> str:
    """Read a name that is also one of files and topics."""
    return name


def _ignore(_error: AndonError) -> None:
    """Take what a source says that is made and not opened."""
