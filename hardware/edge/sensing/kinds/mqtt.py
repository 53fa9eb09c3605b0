"""``mqtt``: samples that sensors and gateways publish."""

from dataclasses import dataclass
from pathlib import Path

from andon.hardware.acquisition.kinds import Place
from andon.hardware.acquisition.mqtt import MqttSensors, MqttSensorSettings, TimeSource
from andon.hardware.acquisition.payloads import Payload
from andon.hardware.edge.config.plans import read_secret


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttPlan:
    """A broker and what is published there; keys as ``MqttSensorSettings`` has them.

    Parameters
    ----------
    client_id
        Where none is given, one that is made of the box's name and the source's.
    password_file
        Holds the password.
    """

    host: str
    topic: str
    client_id: str = ""
    port: int = 1883
    payload: Payload = Payload.JSON
    asset: str = ""
    sensor: str = ""
    rate_hz: float | None = None
    unit: str | None = None
    time: TimeSource = TimeSource.SENSOR
    max_gap_s: float | None = None
    max_payload_bytes: int = 16 * 2**20
    keep_s: int = 7 * 86_400
    user: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    timeout_s: float = 5.0

    def source(self, place: Place) -> MqttSensors:
        """Subscribe as a client of the source's own. Raises ``OptionError`` or ``BrokerSettingError``."""
        settings = MqttSensorSettings(
            host=self.host,
            topic=self.topic,
            client_id=self.client_id or f"andon-{place.box}-{place.name}",
            port=self.port,
            payload=self.payload,
            asset=self.asset,
            sensor=self.sensor,
            rate_hz=self.rate_hz,
            unit=self.unit,
            time=self.time,
            max_gap_s=self.max_gap_s,
            max_payload_bytes=self.max_payload_bytes,
            keep_s=self.keep_s,
            user=self.user,
            password=read_secret(place.folder / self.password_file) if self.password_file else None,
            ca_file=place.folder / self.ca_file if self.ca_file else None,
            timeout_s=self.timeout_s,
        )
        return MqttSensors(settings, place.report, place.stop)
