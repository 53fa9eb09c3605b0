"""Keep a repository in step with its folder."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from andon.serving.engine.repository import ModelRepository

logger = logging.getLogger(__name__)


@asynccontextmanager
async def watching(repository: ModelRepository, seconds: float) -> AsyncIterator[None]:
    """Load the repository, then look at its folder every ``seconds`` while the block runs."""
    await asyncio.to_thread(repository.poll)
    task = asyncio.create_task(_watch(repository, seconds))
    task.add_done_callback(_report)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _watch(repository: ModelRepository, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        await asyncio.to_thread(repository.poll)


def _report(task: asyncio.Task[None]) -> None:
    """Say that the watcher died: from then on bundles are swapped by request alone."""
    if not task.cancelled() and (error := task.exception()):
        logger.error("watcher stopped", exc_info=error)
