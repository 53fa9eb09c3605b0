"""The tables of a box's configuration, once they are read."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from andon.datasets.store.replication import FileChoice, ImageChoice, WaveformChoice
from andon.hardware.edge.remote import Service, ServiceAddress, load_key
from andon.hardware.messaging.broker import BrokerSettings, tls_context
from andon.hardware.profiles.profile import DeviceProfile
from andon.models.types.camera import Camera, CameraSettings, SettingValue, TriggerSource
from andon.models.types.errors import OptionError
from andon.models.types.line import LineLink

Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^(?!\.+$)[^\x00-\x1f/\\]+$")]
Positive = Annotated[float, Meta(gt=0)]
Pixels = Annotated[int, Meta(ge=1, le=65_536)]


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
