"""Let go what the rules no longer keep, again and again while the service runs."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from andon.datasets.store.cleaning import clean
from andon.datasets.store.opening import Store
from andon.datasets.store.retention import KeepingRules
from andon.models.types.errors import ResourceError

logger = logging.getLogger(__name__)


@asynccontextmanager
async def housekeeping(store: Store, rules: KeepingRules, interval_s: float) -> AsyncIterator[None]:
    """Prune at once and then every ``interval_s`` while the block runs; a run under way is finished first."""
    task = asyncio.create_task(_keep_house(store, rules, interval_s))
    task.add_done_callback(_report)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _keep_house(store: Store, rules: KeepingRules, interval_s: float) -> None:
    while True:
        try:
            await _finished(asyncio.create_task(asyncio.to_thread(clean, store, rules)))
        except ResourceError as error:
            logger.warning("not pruned", extra={"fields": {"code": error.code, "reason": str(error)}})
        await asyncio.sleep(interval_s)


async def _finished(run: asyncio.Task[None]) -> None:
    """Await a run; one that is cancelled meanwhile still ends before this does, as the database is closed after it."""
    try:
        await asyncio.shield(run)
    except asyncio.CancelledError:
        await asyncio.wait([run])
        raise


def _report(task: asyncio.Task[None]) -> None:
    """Say that housekeeping died: from then on nothing is let go."""
    if not task.cancelled() and (error := task.exception()):
        logger.error("housekeeping stopped", exc_info=error)
