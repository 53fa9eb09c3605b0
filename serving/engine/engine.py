"""Judge on a few threads, so that the event loop stays free, and keep count."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any, Generic, TypeVar

from andon.serving.engine.contract import Judged
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


class Engine:
    """Runs requests.

    Parameters
    ----------
    threads
        How many run at once. An inspection uses one thread; more of them than cores gains nothing.
    observe
        Told of every request that succeeded.
    """

    def __init__(self, threads: int, observe: Observe) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="judge")
        self._observe = observe

    async def run(self, model: Model, read: Read[Reply]) -> Reply:
        """Read a request to ``model``, judge what is in it and make the answer, all on one thread."""
        with model.statistics.request() as finish:
            done = await asyncio.get_running_loop().run_in_executor(self._pool, _work, read, perf_counter_ns())
            finish(done.count, done.spans)
        self._observe(model, done.verdicts, done.spans)
        return done.reply

    async def call(self, work: Callable[[], Reply]) -> Reply:
        """Run work that is no model's on one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Wait for what runs, then let the threads go."""
        self._pool.shutdown()


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
