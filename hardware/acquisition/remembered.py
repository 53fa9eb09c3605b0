"""What monitoring remembers from one run to the next, in a file."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from andon.models.health.state import HealthState, dump_state, load_state
from andon.models.health.watching import accept
from andon.models.monitoring.remembering import read_memory, write_memory
from andon.models.stream.windows import EngineState, utc

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Remembered:
    """State of the stream and the alert rules, and of each machine's health as plain values."""

    schema_version: int = SCHEMA_VERSION
    engine: EngineState = field(default_factory=EngineState)
    watched: tuple[dict[str, Any], ...] = ()

    @classmethod
    def of(cls, engine: EngineState, health: Sequence[HealthState]) -> "Remembered":
        """Bring states to what is kept."""
        return cls(SCHEMA_VERSION, engine, tuple(dump_state(state) for state in health))

    def health(self, accepted: Collection[str] = ()) -> list[HealthState]:
        """The health of each sensor; what those of the assets ``accepted`` did last is taken for normal."""
        states = [load_state(plain) for plain in self.watched]
        return [accept(state) if state.asset.split("/")[0] in accepted else state for state in states]

    @property
    def taken_until(self) -> dict[tuple[str, str], datetime]:
        """By asset and sensor, until when samples have been taken."""
        return {(each.asset, each.sensor): utc(each.resume_us) for each in self.engine.timelines}

    def next_time(self, interval: timedelta) -> datetime | None:
        """When the next record is taken, where records do not say it: ``interval`` after the last; None where there was none."""
        last = max((heard.time for asset in self.engine.assets for heard in asset.heard), default=None)
        return last and last + interval


def recall(path: Path) -> Remembered:
    """Read what was remembered.

    Raises
    ------
    DataError
        The file is damaged, or of a newer version.
    """
    return read_memory(path, Remembered, SCHEMA_VERSION)


def remember(remembered: Remembered, path: Path) -> None:
    """Replace what was remembered.

    Raises
    ------
    ResourceError
        The disk is full or cannot be written.
    """
    write_memory(remembered, path)
