"""Keep what a desk remembers in a file while it works."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Lock

from andon.models.monitoring.remembering import write_memory
from andon.models.types.errors import ResourceError
from andon.serving.engine.signals import SignalDesk

logger = logging.getLogger(__name__)


class Keeper:
    """Writes what a desk remembers, where that has changed. Safe to use from several threads at once."""

    def __init__(self, desk: SignalDesk, path: Path) -> None:
        self._desk = desk
        self._path = path
        self._kept = desk.revision
        self._writing = Lock()

    def keep(self) -> None:
        """Write the file if it is out of date. A failure is logged; the next call tries again."""
        with self._writing:
            revision = self._desk.revision
            if revision == self._kept:
                return
            try:
                write_memory(self._desk.remembered(), self._path)
            except ResourceError as error:
                fields = {"path": str(self._path), "reason": str(error)}
                logger.warning("what is remembered of signals was not written", extra={"fields": fields})
            else:
                self._kept = revision


@asynccontextmanager
async def keeping(desk: SignalDesk, path: Path, seconds: float) -> AsyncIterator[None]:
    """Write what ``desk`` remembers every ``seconds`` while the block runs and things change, and when it ends."""
    keeper = Keeper(desk, path)
    task = asyncio.create_task(_keep(keeper, seconds))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        await asyncio.to_thread(keeper.keep)


async def _keep(keeper: Keeper, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        await asyncio.to_thread(keeper.keep)
