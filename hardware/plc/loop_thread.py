"""A thread with an event loop of its own, for servers that are written for asyncio."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import wait
from threading import Thread
from typing import Any, TypeVar

Result = TypeVar("Result")
_PATIENCE_S = 10.0

logger = logging.getLogger(__name__)


class LoopThread:
    """Runs an event loop until it is stopped.

    Parameters
    ----------
    name
        The thread's, for those who look at a process from outside.
    """

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = Thread(target=self.loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result], timeout_s: float = _PATIENCE_S) -> Result:
        """Run ``work`` there, and return its result or raise its error; ``TimeoutError`` where it takes too long."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout_s)

    def call(self, work: Callable[..., object], *arguments: Any) -> None:
        """Have ``work`` called there, and do not wait for it."""
        self.loop.call_soon_threadsafe(work, *arguments)

    def stop(self, last: Coroutine[Any, Any, object] | None = None) -> None:
        """Run ``last``, cancel what still runs there, and end the thread; never raises."""
        if last:
            self._finish(last)
        self._finish(_cancel_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(_PATIENCE_S)
        if not self._thread.is_alive():
            self.loop.close()

    def _finish(self, work: Coroutine[Any, Any, object]) -> None:
        """Run ``work`` and see how it ends; what goes wrong at the end is of no more use to anyone but who reads the log."""
        ending = asyncio.run_coroutine_threadsafe(work, self.loop)
        wait((ending,), _PATIENCE_S)
        if ending.done() and not ending.cancelled() and (error := ending.exception()):
            logger.warning("not ended as it should be: %s", self._thread.name, exc_info=error)


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
