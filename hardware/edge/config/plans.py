"""The tables of a box's configuration, once they are read."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from ssl import SSLContext
from typing import Annotated, Literal

from msgspec import Meta

from andon.datasets.assets.known import completed, said_machine
from andon.datasets.registry.opening import open_source
from andon.datasets.registry.stores import CHAMPION, BundleSource, check_alias, check_name
from andon.datasets.store.replication import FileChoice, ImageChoice, WaveformChoice
from andon.hardware.acquisition.kinds import SourcePlan
from andon.hardware.edge.remote import Service, ServiceAddress, load_key
from andon.hardware.edge.updates.policy import UpdatePolicy
from andon.hardware.edge.updates.updater import UpdateSettings
from andon.hardware.messaging.broker import BrokerSettings, tls_context
from andon.hardware.plc.hermes import BASE_PORT, Connecting
from andon.hardware.profiles.profile import DeviceProfile
from andon.models.signing.keys import PublicKey, load_public_key
from andon.models.signing.server_tls import TlsFiles
from andon.models.signing.server_tls import tls_context as server_tls_context
from andon.models.types.camera import Camera, CameraSettings, SettingValue, TriggerSource
from andon.models.types.errors import OptionError
from andon.models.types.line import LineLink
from andon.models.types.vibration import Machine
from andon.models.vibration.diagnosis import MAX_DURATION_S

Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^(?!\.+$)[^\x00-\x1f/\\]+$")]
Positive = Annotated[float, Meta(gt=0)]
Pixels = Annotated[int, Meta(ge=1, le=65_536)]
Port = Annotated[int, Meta(ge=1, le=65_535)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a station runs for a kind of part.

    Parameters
    ----------
    camera
        The camera that it was made for.
    bundle
        Where the bundle lies, seen from the configuration.
    release
        The name of the releases that the recipe follows, instead of a bundle that stays the same.
    number
        Under which the PLC asks for it; 0 where it never does.
    """

    name: Name
    camera: Name
    bundle: str | None = None
    release: Name | None = None
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
        Where a part's serial number comes from: the PLC, a code in the picture, the machine upstream, or nowhere.
    hermes
        The machine upstream, where it says serial numbers.
    """

    name: Name
    camera: Name
    plc: Name
    recipes: Annotated[list[Name], Meta(min_length=1)]
    takt_s: Annotated[float, Meta(gt=0.02, le=3600)]
    retakes: Annotated[int, Meta(ge=0, le=10)] = 1
    serial: Literal["plc", "code", "hermes", "none"] = "plc"
    hermes: Name | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HermesPlan:
    """A machine upstream that hands over boards by IPC-HERMES-9852.

    Parameters
    ----------
    lane
        Of the conveyor; 1 is the first.
    port
        Where it listens; where none is given, that of its lane.
    """

    name: Name
    host: str
    lane: Annotated[int, Meta(ge=1, le=999)] = 1
    port: Port | None = None

    @property
    def opening(self) -> Connecting:
        """How the connection comes about."""
        return Connecting(self.host, self.port or BASE_PORT + self.lane)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatesPlan(UpdatePolicy):
    """Where releases come from, whom to believe, and how careful to be with them.

    Parameters
    ----------
    source
        A folder, ``https://HOST`` of a service, or ``mlflow+https://HOST`` of a registry.
    trusted
        Files of public keys, of which one must have signed a release.
    key_file
        Holds what lets one in: the key of a service, or ``USER:PASSWORD``.
    poll_s
        How often the source is asked.
    """

    source: str
    trusted: Annotated[list[str], Meta(min_length=1)]
    key_file: str | None = None
    ca_file: str | None = None
    alias: str = CHAMPION
    poll_s: Positive = 60.0

    def bundles(self, folder: Path) -> BundleSource:
        """Open the source, which is not asked yet. Raises ``OptionError``."""
        check_alias(self.alias)
        address = self.source if "://" in self.source else str(folder / self.source)
        key = read_secret(folder / self.key_file) if self.key_file else None
        return open_source(address, key, _beside(folder, self.ca_file))

    def settings(self, folder: Path, name: str) -> UpdateSettings:
        """Describe how the releases of ``name`` are taken. Raises ``OptionError`` or ``SigningKeyError``."""
        check_name(name)
        return UpdateSettings(name=name, trusted=self.keys(folder), alias=self.alias, by=self.source, policy=self)

    def keys(self, folder: Path) -> list[PublicKey]:
        """Read the keys that are trusted. Raises ``SigningKeyError``."""
        return [load_public_key(folder / each) for each in self.trusted]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPlan:
    """Where the box tells how it is.

    Parameters
    ----------
    key_file
        Holds what must be sent as a bearer token; needed where others than this machine can ask.
    cert_file, tls_key_file
        The certificate with which it speaks TLS, and its private key.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8090
    key_file: str | None = None
    cert_file: str | None = None
    tls_key_file: str | None = None

    def __post_init__(self) -> None:
        if (self.cert_file is None) != (self.tls_key_file is None):
            raise OptionError("security.tls_half", "tls_key_file" if self.cert_file else "cert_file")

    def tls(self, folder: Path) -> SSLContext | None:
        """Make the settings of a server that speaks TLS; None where it speaks without. Raises ``OptionError``."""
        if self.cert_file is None or self.tls_key_file is None:
            return None
        return server_tls_context(TlsFiles(folder / self.cert_file, folder / self.tls_key_file))

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
    images, waveforms
        Which files go with the records.
    """

    url: str
    key_file: str | None = None
    images: ImageChoice = ImageChoice.FAILED
    waveforms: WaveformChoice = WaveformChoice.ABNORMAL
    ca_file: str | None = None

    @property
    def files(self) -> FileChoice:
        """Which files go."""
        return FileChoice(self.images, self.waveforms)

    def service(self, folder: Path) -> Service:
        """Describe the service; files are beside the configuration. Raises ``OptionError``."""
        key = load_key(_beside(folder, self.key_file), os.environ)
        return Service(ServiceAddress(self.url, key, _beside(folder, self.ca_file)))


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerPlan:
    """The MQTT broker; with ``ca_file`` over TLS, with ``cert_file`` and ``tls_key_file`` known by a certificate."""

    host: str
    port: Port = 1883
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotPlan:
    """What is taken of sensors that never stop; without it each block is a snapshot.

    Parameters
    ----------
    duration_s
        Length of a snapshot.
    every_s
        From one snapshot to the next; None for one after the other.
    """

    duration_s: Annotated[float, Meta(gt=0, le=MAX_DURATION_S)]
    every_s: Positive | None = None

    def __post_init__(self) -> None:
        if self.every_s is not None and self.every_s < self.duration_s:
            raise OptionError("edge.snapshots", "every_s", found=self.every_s, expected=self.duration_s)


@dataclass(frozen=True, slots=True)
class SensorPlan:
    """A source of signals or process values: its kind, what is said of it, and what is taken of it."""

    name: str
    kind: str
    plan: SourcePlan
    snapshots: SnapshotPlan | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetPlan:
    """What is known of a machine beside the register; it wins over that.

    Parameters
    ----------
    bundle
        What judges its health, seen from the configuration; None where physics alone diagnoses.
    machine
        Its class, such as ``iso10816-3:2:rigid``.
    bearing, orders
        A designation, or fault orders as ``bpfo,bpfi,bsf,ftf``; one of the two.
    rpm
        Nameplate speed of the shaft.
    """

    name: Name
    bundle: str | None = None
    machine: str | None = None
    bearing: str | None = None
    orders: str | None = None
    rpm: Positive | None = None

    def __post_init__(self) -> None:
        if self.bearing and self.orders:
            raise OptionError("edge.one_bearing", self.name)
        self.completed(Machine(self.name))

    def completed(self, known: Machine) -> Machine:
        """What is known of the machine, except where this says otherwise. Raises ``AssetError``."""
        said = said_machine(self.bearing, self.orders, self.machine, "configuration", "machine")
        return replace(completed(said, known), rpm=self.rpm or known.rpm)


@dataclass(frozen=True, slots=True)
class EdgeConfig:
    """A configuration in which everything fits together; devices are made when they are asked for, and not opened."""

    folder: Path
    box: BoxPlan
    cameras: Mapping[str, Callable[[], Camera]]
    plcs: Mapping[str, Callable[[], LineLink]]
    recipes: Mapping[str, Recipe]
    stations: Sequence[StationPlan]
    hermes: Mapping[str, HermesPlan]
    sensors: Mapping[str, SensorPlan]
    assets: Mapping[str, AssetPlan]
    status: StatusPlan
    updates: UpdatesPlan | None
    upload: UploadPlan | None
    broker: BrokerPlan | None
    mqtt: MqttPlan | None
    sparkplug: SparkplugPlan | None
    device: DeviceProfile

    def bundles(self) -> dict[str, Path]:
        """Where the bundles of recipes lie that follow no releases, by what the recipes call them."""
        return {each.bundle: self.folder / each.bundle for each in self.recipes.values() if each.bundle}

    def releases(self) -> dict[str, list[tuple[Recipe, str]]]:
        """Whatever is followed, by its name, with the recipes that follow it and their stations."""
        found: dict[str, list[tuple[Recipe, str]]] = {}
        for station in self.stations:
            for recipe in map(self.recipes.__getitem__, station.recipes):
                if recipe.release:
                    found.setdefault(recipe.release, []).append((recipe, station.name))
        return found


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
