"""What the service remembers of signals from one run to the next."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from andon.models.alerts.case import AssetState
from andon.models.health.state import HealthState, dump_state, load_state
from andon.models.monitoring.remembering import read_memory
from andon.models.types.errors import AndonError, ResourceError

logger = logging.getLogger(__name__)

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class RememberedSignals:
    """What the alert rules know of each asset, and by a bundle's digest the health of each sensor as plain values."""

    schema_version: int = SCHEMA_VERSION
    assets: tuple[AssetState, ...] = ()
    watched: Mapping[str, tuple[dict[str, Any], ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, assets: Sequence[AssetState], health: Mapping[str, Sequence[HealthState]]) -> "RememberedSignals":
        """Bring states to what is kept."""
        watched = {digest: tuple(map(dump_state, states)) for digest, states in health.items()}
        return cls(SCHEMA_VERSION, tuple(assets), watched)

    def health(self) -> dict[str, tuple[HealthState, ...]]:
        """By a bundle's digest the health of each sensor.

        Raises
        ------
        AssetError
            They are not those of states.
        """
        return {digest: tuple(map(load_state, states)) for digest, states in self.watched.items()}


NOTHING = RememberedSignals()


def recall_signals(path: Path) -> RememberedSignals:
    """Read what was remembered, or begin anew where there is nothing, or nothing that can be used.

    A file that cannot be used, because it is damaged or of a newer version, is kept aside under another name.

    Raises
    ------
    ResourceError
        It cannot be put aside: it would be overwritten.
    """
    if not path.exists():
        return NOTHING
    try:
        remembered = read_memory(path, RememberedSignals, SCHEMA_VERSION)
        remembered.health()
    except AndonError as error:
        aside = _put_aside(path)
        fields = {"path": str(path), "kept_as": str(aside), "code": error.code, "reason": str(error)}
        logger.warning("what was remembered of signals cannot be used; beginning anew", extra={"fields": fields})
        return NOTHING
    return remembered


def _put_aside(path: Path) -> Path:
    aside = path.with_name(f"{path.stem}.unusable-{datetime.now(UTC):%Y%m%dT%H%M%S%f}{path.suffix}")
    try:
        return path.rename(aside)
    except OSError as error:
        raise ResourceError("inspect.not_written", str(aside), reason=error.strerror or str(error)) from error
