"""``watched-folder``: records that recorders and gateways put into a folder."""

from dataclasses import dataclass
from pathlib import Path

from andon.datasets.vibration.hints import RecordHints, unit_named
from andon.hardware.acquisition.kinds import Place
from andon.hardware.acquisition.watched_folder import WatchedFolder, WatchedFolderSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedFolderPlan:
    """A folder.

    Parameters
    ----------
    asset
        Of records that name none.
    every_s, still_s
        As ``WatchedFolderSettings`` has them.
    column, rate_hz, rpm, unit, sensor
        What is said of all records; it wins over what a record or its sidecar says.
    """

    folder: Path
    asset: str = ""
    every_s: float = 0.5
    still_s: float = 2.0
    column: str | None = None
    rate_hz: float | None = None
    rpm: float | None = None
    unit: str | None = None
    sensor: str | None = None

    def __post_init__(self) -> None:
        if self.unit is not None:
            unit_named(self.unit, "unit")

    def source(self, place: Place) -> WatchedFolder:
        """Watch the folder; what was taken stands in a journal under the box's home."""
        settings = WatchedFolderSettings(
            folder=place.folder / self.folder,
            journal=place.home / f"{place.name}.journal",
            every_s=self.every_s,
            still_s=self.still_s,
            asset=self.asset,
        )
        hints = RecordHints(self.column, self.rate_hz, self.rpm, self.unit, sensor=self.sensor)
        return WatchedFolder(settings, place.report, place.stop, hints)
