"""Judge on a few threads, so that the event loop stays free, and keep count."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from time import perf_counter_ns
from typing import Any, Generic, TypeVar

from andon.models.graphs.cancelling import Cancellation
from andon.models.types.errors import ResourceError
from andon.serving.engine.contract import Judged
from andon.serving.engine.errors import BusyError, DeadlineError
from andon.serving.engine.models import Model
from andon.serving.engine.statistics import Spans

Reply = TypeVar("Reply")

Observe = Callable[[Model, Sequence[str], Spans], None]
"""Told of every request that succeeded, with its verdicts."""


@dataclass(frozen=True, slots=True)
class Task(Generic[Judged, Reply]):
    """A request that was read.

    Parameters
    ----------
    count
        How many frames or rows it holds.
    judge
        Judges them.
    encode
        Makes the answer from what was judged and the milliseconds that reading took.
    verdicts
        The verdicts to be counted.
    """

    count: int
    judge: Callable[[], Judged]
    encode: Callable[[Judged, float], Reply]
    verdicts: Callable[[Judged], Sequence[str]]


Read = Callable[[], Task[Any, Reply]]
"""Reads a request. What is judged goes from the task's ``judge`` to its ``encode`` and nowhere else."""


@dataclass(frozen=True, slots=True)
class _Finished(Generic[Reply]):
    """What a thread hands back."""

    reply: Reply
    count: int
    verdicts: Sequence[str]
    spans: Spans


@dataclass(frozen=True, slots=True)
class Limits:
    """What is asked of the engine at most.

    Parameters
    ----------
    waiting
        Requests that run or wait; one more is refused at once, so that nobody waits for what can no longer come in time.
    deadline_s
        From taking a request to the end of its work. A line that has not heard by then has long stopped.
    """

    waiting: int = 256
    deadline_s: float = 30.0


DEFAULT_LIMITS = Limits()


class Engine:
    """Runs requests.

    Parameters
    ----------
    threads
        How many run at once. An inspection uses one thread; more of them than cores gains nothing.
    observe
        Told of every request that succeeded.
    limits
        How many may wait, and how long one may take.
    """

    def __init__(self, threads: int, observe: Observe, limits: Limits = DEFAULT_LIMITS) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="judge")
        self._observe = observe
        self._limits = limits
        self._taken = 0

    async def run(self, model: Model, read: Read[Reply]) -> Reply:
        """Read a request to ``model``, judge what is in it and make the answer, all on one thread.

        Raises
        ------
        BusyError
            Too many requests wait.
        DeadlineError
            It took too long; what it still did was ended.
        """
        with model.statistics.request() as finish:
            done = await self.call(partial(_work, read, perf_counter_ns()))
            finish(done.count, done.spans)
        self._observe(model, done.verdicts, done.spans)
        return done.reply

    async def call(self, work: Callable[[], Reply]) -> Reply:
        """Run work that is no model's on one of the threads; raises as ``run`` does."""
        if self._taken >= self._limits.waiting:
            raise BusyError("serving.busy", "service", found=self._taken, limit=self._limits.waiting)
        self._taken += 1
        cancellation = Cancellation()
        loop = asyncio.get_running_loop()
        due = loop.call_later(self._limits.deadline_s, cancellation.cancel)
        try:
            return await loop.run_in_executor(self._pool, _under, cancellation, work)
        except ResourceError as error:
            if error.code != "graph.cancelled":
                raise
            raise DeadlineError("serving.deadline", "service", limit=self._limits.deadline_s) from error
        finally:
            due.cancel()
            self._taken -= 1

    def close(self) -> None:
        """Wait for what runs, then let the threads go."""
        self._pool.shutdown()


def _under(cancellation: Cancellation, work: Callable[[], Reply]) -> Reply:
    cancellation.check()
    with cancellation.applied():
        return work()


def _work(read: Read[Reply], submitted: int) -> _Finished[Reply]:
    started = perf_counter_ns()
    task = read()
    decoded = perf_counter_ns()
    judged = task.judge()
    inspected = perf_counter_ns()
    reply = task.encode(judged, (decoded - started) / 1e6)
    encoded = perf_counter_ns()
    spans = Spans(started - submitted, decoded - started, inspected - decoded, encoded - inspected)
    return _Finished(reply, task.count, task.verdicts(judged), spans)
