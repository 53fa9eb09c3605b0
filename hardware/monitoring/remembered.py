"""What monitoring remembers from one run to the next, in a file."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from andon.models.health.settings import FeatureContract
from andon.models.health.state import HealthState, dump_state, load_state
from andon.models.health.watching import accept
from andon.models.monitoring.remembering import read_memory
from andon.models.stream.windows import EngineState
from andon.models.types.errors import DataError
from andon.models.types.moments import utc

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Remembered:
    """State of the stream and the alert rules, and of each machine's health as plain values.

    ``features`` are those that the health was judged by: it means nothing to a model of others.
    """

    schema_version: int = SCHEMA_VERSION
    engine: EngineState = field(default_factory=EngineState)
    watched: tuple[dict[str, Any], ...] = ()
    features: FeatureContract | None = None

    @classmethod
    def of(cls, engine: EngineState, health: Sequence[HealthState], features: FeatureContract) -> "Remembered":
        """Bring states to what is kept."""
        return cls(SCHEMA_VERSION, engine, tuple(dump_state(state) for state in health), features)

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


def recall(path: Path, features: FeatureContract) -> Remembered:
    """Read what was remembered; nothing where there is no such file.

    Raises
    ------
    DataError
        The file is damaged, of a newer version, or of a model with other features.
    """
    if not path.exists():
        return Remembered(features=features)
    remembered = read_memory(path, Remembered, SCHEMA_VERSION)
    if remembered.features != features:
        raise DataError("monitor.state_features", str(path))
    return remembered
