"""Let go of what the rules no longer keep, and of files that nothing names."""

import logging
from dataclasses import asdict
from datetime import UTC, datetime

from andon.datasets.store.opening import Store
from andon.datasets.store.retention import KeepingRules, Pruned, prune, sweep

logger = logging.getLogger(__name__)


def clean(store: Store, rules: KeepingRules, sent: int | None = None) -> None:
    """Clean a store once.

    Parameters
    ----------
    sent
        The last entry of its chain that a service has, as ``prune`` takes it.

    Raises
    ------
    ResourceError
        The database or the disk cannot be used.
    """
    now = datetime.now(UTC)
    pruned = prune(store.database, store.blobs, store.origin, rules, now, store.room.free_bytes(), sent)
    orphans = sweep(store.database, store.blobs, now)
    if _is_worth_a_line(pruned, orphans):
        logger.info("pruned", extra={"fields": {**asdict(pruned), "orphans": orphans}})


def _is_worth_a_line(pruned: Pruned, orphans: int) -> bool:
    return bool(pruned.images or pruned.waveforms or orphans or any((pruned.rows or {}).values()))
