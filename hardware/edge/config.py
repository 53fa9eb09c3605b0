"""What a box runs, as its configuration says it: cameras, PLCs, recipes and the stations that put them together.

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

The keys of a camera and of a PLC are the arguments of their kind; kinds are found by entry point (groups ``andon.cameras`` and ``andon.plcs``).
"""

import os
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from andon.datasets.store.replication import ImageChoice
from andon.hardware.edge.places import Path as Place
from andon.hardware.edge.places import line_of, lines_of
from andon.hardware.edge.remote import Service, ServiceAddress, load_key
from andon.hardware.edge.tables import Problem, read_table
from andon.hardware.messaging.broker import BrokerSettings, tls_context
from andon.hardware.profiles.profile import DeviceProfile, device_profile
from andon.models.types.camera import Camera, CameraSettings, SettingValue, TriggerSource
from andon.models.types.errors import AndonError, InputError, OptionError
from andon.models.types.line import LineLink

CAMERAS, PLCS = "andon.cameras", "andon.plcs"

Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^(?!\.+$)[^\x00-\x1f/\\]+$")]
Positive = Annotated[float, Meta(gt=0)]
Pixels = Annotated[int, Meta(ge=1, le=65_536)]
Kinds = Mapping[str, Callable[[], Callable[..., Any]]]
"""By their names, what loads the makers of devices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a station runs for a kind of part.

    Parameters
    ----------
    camera
        The camera that it was made for.
    bundle
        Where the bundle lies, seen from the configuration.
    number
        Under which the PLC asks for it; 0 where it never does.
    """

    name: Name
    camera: Name
    bundle: str
    number: Annotated[int, Meta(ge=0, le=65_535)] = 0
    trigger: TriggerSource = TriggerSource.SOFTWARE
    exposure_us: Positive | None = None
    gain_db: Annotated[float, Meta(ge=0)] | None = None
    width_px: Pixels | None = None
    height_px: Pixels | None = None
    features: dict[str, SettingValue] = field(default_factory=dict)

    @property
    def settings(self) -> CameraSettings:
        """What it asks of its camera."""
        return CameraSettings(
            trigger=self.trigger,
            exposure_us=self.exposure_us,
            gain_db=self.gain_db,
            width_px=self.width_px,
            height_px=self.height_px,
            features=self.features,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StationPlan:
    """A station.

    Parameters
    ----------
    recipes
        Names of its recipes; the first is active when it starts.
    takt_s
        From a trigger to the moment by which the PLC must have an answer.
    retakes
        How often a part is looked at again within the takt, where a gate refuses the picture.
    serial
        Where a part's serial number comes from: the PLC, a code in the picture, or nowhere.
    """

    name: Name
    camera: Name
    plc: Name
    recipes: Annotated[list[Name], Meta(min_length=1)]
    takt_s: Annotated[float, Meta(gt=0.02, le=3600)]
    retakes: Annotated[int, Meta(ge=0, le=10)] = 1
    serial: Literal["plc", "code", "none"] = "plc"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPlan:
    """Where the box tells how it is.

    Parameters
    ----------
    key_file
        Holds what must be sent as a bearer token; needed where others than this machine can ask.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8090
    key_file: str | None = None

    def key(self, folder: Path) -> str | None:
        """Read what must be sent; None where anybody may ask. Raises ``OptionError``."""
        return read_secret(folder / self.key_file) if self.key_file else None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPlan:
    """The service that gets everything that is kept here.

    Parameters
    ----------
    key_file
        Holds the API key; where it is left out, ``ANDON_EDGE_KEY`` does.
    images
        Which pictures go with the records.
    """

    url: str
    key_file: str | None = None
    images: ImageChoice = ImageChoice.FAILED
    ca_file: str | None = None

    def service(self, folder: Path) -> Service:
        """Describe the service; files are beside the configuration. Raises ``OptionError``."""
        key = load_key(_beside(folder, self.key_file), os.environ)
        return Service(ServiceAddress(self.url, key, _beside(folder, self.ca_file)))


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerPlan:
    """The MQTT broker; with ``ca_file`` over TLS, with ``cert_file`` and ``tls_key_file`` known by a certificate."""

    host: str
    port: Annotated[int, Meta(ge=1, le=65_535)] = 1883
    user: str | None = None
    password_file: str | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    tls_key_file: str | None = None

    def settings(self, folder: Path, client_id: str) -> BrokerSettings:
        """Describe the broker; files are beside the configuration. Raises ``BrokerSettingError`` or ``OptionError``."""
        files = (_beside(folder, name) for name in (self.ca_file, self.cert_file, self.tls_key_file))
        return BrokerSettings(
            self.host,
            self.port,
            client_id,
            tls=tls_context(*files) if self.ca_file else None,
            user=self.user,
            password=read_secret(folder / self.password_file) if self.password_file else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttPlan:
    """Verdicts as JSON documents under ``andon/{site}``; the box's name where no site is given."""

    site: Name | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkplugPlan:
    """The box as a Sparkplug B edge node, its stations as devices; the box's name where no node is given.

    Parameters
    ----------
    primary_host
        Nothing is told before this host application is there; empty for none.
    """

    group: Name
    node: Name | None = None
    primary_host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxPlan:
    """What concerns the whole box: its name, which its ledger bears, and how much of its disk stays free."""

    box: Name
    reserve_mib: Annotated[int, Meta(ge=0)] = 512


@dataclass(frozen=True, slots=True)
class EdgeConfig:
    """A configuration in which everything fits together; devices are made when they are asked for, and not opened."""

    folder: Path
    box: BoxPlan
    cameras: Mapping[str, Callable[[], Camera]]
    plcs: Mapping[str, Callable[[], LineLink]]
    recipes: Mapping[str, Recipe]
    stations: Sequence[StationPlan]
    status: StatusPlan
    upload: UploadPlan | None
    broker: BrokerPlan | None
    mqtt: MqttPlan | None
    sparkplug: SparkplugPlan | None
    device: DeviceProfile

    def bundle_of(self, recipe: Recipe) -> Path:
        """Where a recipe's bundle lies."""
        return self.folder / recipe.bundle


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


def read_config(path: Path, cameras: Kinds, plcs: Kinds) -> EdgeConfig:
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
    reading = _Reading(document, path.parent, {CAMERAS: cameras, PLCS: plcs})
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
        box = self._table(BoxPlan, {name: self._document[name] for name in _BOX if name in self._document}, ())
        status = self._table(StatusPlan, self._document.get("status", {}), ("status",))
        device = self._table(device_profile, self._document.get("device", {}), ("device",))
        others = {name: self._optional(name, make) for name, make in _OPTIONAL.items()}
        self._try(("status",), lambda: status and status.key(self._folder))
        self._try(("upload",), lambda: others["upload"] and others["upload"].service(self._folder).close())
        self._try(("broker",), lambda: others["broker"] and others["broker"].settings(self._folder, "check"))
        if self._document.keys() & {"mqtt", "sparkplug"} and "broker" not in self._document:
            self._report((), "edge.missing", found="[broker]")
        if status is not None and status.host not in _LOOPBACK and status.key_file is None:
            self._report(("status", "host"), "edge.open_status", found=status.host)
        self._check_recipes(cameras)
        self._check_stations(recipes, cameras, plcs)
        if self.problems:
            return None
        return EdgeConfig(
            folder=self._folder,
            box=box,
            cameras=cameras,
            plcs=plcs,
            recipes=recipes,
            stations=list(stations.values()),
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
                self._report((name,), "edge.value", key=name, found=str(value), reason=f"[[{name}]]")
                self._document = {**self._document, name: []}
            elif name in _TABLES and not isinstance(value, dict):
                self._report((name,), "edge.value", key=name, found=str(value), reason=f"[{name}]")
                self._document = {**self._document, name: {}}
        for name in _ARRAYS:
            if not self._document.get(name):
                self._report((), "edge.missing", found=f"[[{name}]]")
            self._check_unique(name)

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
            self._report(path, "edge.not_installed", found=error.name or "", expected="andon[edge,genicam,stream]")
        except AndonError as error:
            self._report(path, error.code, **error.params)

    def _tables(self, array: str) -> Iterator[tuple[Place, dict[str, Any]]]:
        for place, table in enumerate(self._document.get(array, [])):
            yield (array, place), table

    def _named(self, array: str, make: Callable[..., Any]) -> dict[str, Any]:
        plans = [self._table(make, table, path) for path, table in self._tables(array)]
        return {plan.name: plan for plan in plans if plan is not None}

    def _devices(self, array: str, group: str) -> dict[str, Callable[[], Any]]:
        """Make each device once, to see that its arguments fit; two that are the same device are one too many."""
        made: dict[str, Callable[[], Any]] = {}
        same: dict[str, str] = {}
        for path, table in self._tables(array):
            said = dict(table)
            name, kind = str(said.pop("name", "")), str(said.pop("kind", ""))
            if not name or kind not in self._kinds[group]:
                self._report(
                    (*path, "kind") if name else path,
                    "edge.kind",
                    found=kind or "-",
                    expected=", ".join(sorted(self._kinds[group])),
                )
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
        made[name] = _nothing  # known by its name even where its arguments are wrong: one problem is told once
        make = self._try(path, load)
        arguments = make and read_table(make, table, path, self.problems.append)
        if arguments is not None:
            made[name] = partial(make, **arguments)
            self._try(path, made[name])

    def _check_recipes(self, cameras: Mapping[str, object]) -> None:
        for path, table in self._tables("recipes"):
            self._check_name(table, "camera", cameras, path)
            bundle = self._folder / str(table.get("bundle", ""))
            if "bundle" in table and not bundle.exists():
                self._report((*path, "bundle"), "edge.no_bundle", found=str(bundle))

    def _check_stations(
        self, recipes: Mapping[str, Recipe], cameras: Mapping[str, object], plcs: Mapping[str, object]
    ) -> None:
        taken: dict[tuple[str, object], str] = {}
        for path, table in self._tables("stations"):
            station = str(table.get("name"))
            for key, known in (("camera", cameras), ("plc", plcs)):
                if self._check_name(table, key, known, path):
                    other = taken.setdefault((key, table[key]), station)
                    if other != station:
                        self._report((*path, key), "edge.shared", found=str(table[key]), station=station, other=other)
            self._check_recipes_of(table, recipes, (*path, "recipes"))

    def _check_name(self, table: Mapping[str, Any], key: str, known: Mapping[str, object], path: Place) -> bool:
        """Say whether what ``key`` names is there."""
        name = table.get(key)
        if isinstance(name, str) and name not in known:
            self._report((*path, key), "edge.no_such", found=name, expected=", ".join(known) or "-")
        return isinstance(name, str) and name in known

    def _check_recipes_of(self, table: Mapping[str, Any], recipes: Mapping[str, Recipe], path: Place) -> None:
        said = table.get("recipes")
        names = said if isinstance(said, list) else []
        numbers: dict[int, str] = {}
        named = {str(table.get("name")): path for path, table in self._tables("recipes")}
        for name in names:
            if not self._check_name({"recipes": name}, "recipes", named, path[:-1]) or name not in recipes:
                continue  # one that is there and cannot be read is told of where it stands
            recipe, camera = recipes[name], str(table.get("camera"))
            if recipe.camera != camera:
                self._report(path, "edge.recipe_camera", found=recipe.camera, recipe=name, expected=camera)
            if len(names) > 1 and recipe.number == 0:
                self._report(path, "edge.recipe_number", found=0, recipe=name)
            elif (other := numbers.setdefault(recipe.number, name)) != name:
                self._report(path, "edge.recipe_number", found=recipe.number, recipe=f"{other}, {name}")


_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_BOX = ("box", "reserve_mib")
_ARRAYS = ("cameras", "plcs", "recipes", "stations")
_OPTIONAL: Mapping[str, Callable[..., Any]] = {
    "upload": UploadPlan,
    "broker": BrokerPlan,
    "mqtt": MqttPlan,
    "sparkplug": SparkplugPlan,
}
_TABLES = ("status", "device", *_OPTIONAL)


def read_secret(path: Path) -> str:
    """Read a key or a password, without the white space around it.

    Raises
    ------
    OptionError
        It cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError("edge.key_file", str(path), reason=str(error)) from error


def _beside(folder: Path, name: str | None) -> Path | None:
    return folder / name if name else None


def _nothing() -> None:
    """Stand in for a device that cannot be made."""
