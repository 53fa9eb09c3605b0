"""What monitoring remembers from one run to the next, in a file that is replaced as a whole."""

import os
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from andon.models.health.state import HealthState, dump_state, load_state
from andon.models.health.watching import accept
from andon.models.stream.windows import EngineState
from andon.models.types.errors import DataError, ResourceError

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
    try:
        remembered = msgspec.json.decode(path.read_bytes(), type=Remembered)
    except (OSError, msgspec.DecodeError) as error:
        raise DataError("monitor.state_damaged", str(path), reason=str(error)) from error
    if remembered.schema_version > SCHEMA_VERSION:
        raise DataError("monitor.state_newer", str(path), found=remembered.schema_version, expected=SCHEMA_VERSION)
    return remembered


def remember(remembered: Remembered, path: Path) -> None:
    """Replace what was remembered; a power cut leaves the old file or the new one.

    Raises
    ------
    ResourceError
        The disk is full or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            file.write(msgspec.json.encode(remembered))
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(path)
    except OSError as error:
        raise ResourceError("inspect.not_written", str(path), reason=error.strerror or str(error)) from error
