"""``opcua`` and ``opcua-waveform``: values that a server has computed, and arrays of samples."""

from dataclasses import dataclass
from pathlib import Path

from andon.hardware.acquisition.kinds import Place
from andon.hardware.acquisition.opcua import OpcUaArray, OpcUaReadout, OpcUaServer, OpcUaValue, OpcUaWaveforms
from andon.hardware.acquisition.polled_rows import PolledRows
from andon.hardware.edge.config.plans import read_secret


@dataclass(frozen=True, slots=True, kw_only=True)
class OpcUaPlan:
    """Nodes whose values are the process values of one asset, read ``every_s``."""

    url: str
    asset: str
    every_s: float
    values: tuple[OpcUaValue, ...]
    max_age_s: float | None = None
    user: str | None = None
    password_file: Path | None = None
    timeout_s: float = 2.0

    def source(self, place: Place) -> PolledRows:
        """Ask the server. Raises ``OptionError``."""
        server = _server(self.url, self.user, self.password_file, self.timeout_s, place)
        readout = OpcUaReadout(server, self.values, self.max_age_s)
        return PolledRows(readout, asset=self.asset, every_s=self.every_s, report=place.report, stop=place.stop)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpcUaWaveformPlan:
    """Nodes whose values are arrays of samples of one asset's sensors."""

    url: str
    asset: str
    every_s: float
    arrays: tuple[OpcUaArray, ...]
    user: str | None = None
    password_file: Path | None = None
    timeout_s: float = 2.0

    def source(self, place: Place) -> OpcUaWaveforms:
        """Subscribe. Raises ``OptionError``."""
        return OpcUaWaveforms(
            server=_server(self.url, self.user, self.password_file, self.timeout_s, place),
            asset=self.asset,
            every_s=self.every_s,
            arrays=self.arrays,
            report=place.report,
            stop=place.stop,
        )


def _server(url: str, user: str | None, password_file: Path | None, timeout_s: float, place: Place) -> OpcUaServer:
    password = read_secret(place.folder / password_file) if password_file else None
    return OpcUaServer(url=url, user=user, password=password, timeout_s=timeout_s)
