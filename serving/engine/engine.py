"""Inspect on a few threads, so that the event loop stays free, and keep count."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter_ns
from typing import Generic, TypeVar

from andon.models.types.vision import Frame, Inspection
from andon.serving.engine.repository import Model
from andon.serving.engine.statistics import Spans

Reply = TypeVar("Reply")

Encode = Callable[[Sequence[Inspection], float], Reply]
"""Makes the answer from the inspections and the milliseconds that reading the frames took."""

Decode = Callable[[], tuple[Sequence[Frame], Encode[Reply]]]
"""Reads the frames of a request; gives them and what makes the answer from their inspections."""

Observe = Callable[[Model, Sequence[Inspection], Spans], None]
"""Told of every request that succeeded."""


class _Finished(Generic[Reply]):
    """What a thread hands back."""

    __slots__ = ("inspections", "reply", "spans")

    def __init__(self, reply: Reply, inspections: Sequence[Inspection], spans: Spans) -> None:
        self.reply, self.inspections, self.spans = reply, inspections, spans


class Engine:
    """Runs inspections.

    Parameters
    ----------
    threads
        How many run at once. An inspection uses one thread; more of them than cores gains nothing.
    observe
        Told of every request that succeeded.
    """

    def __init__(self, threads: int, observe: Observe) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="inspect")
        self._observe = observe

    async def run(self, model: Model, decode: Decode[Reply]) -> Reply:
        """Read frames, inspect each with ``model`` and make the answer, all on one thread."""
        with model.statistics.request() as finish:
            done = await asyncio.get_running_loop().run_in_executor(self._pool, _work, model, decode, perf_counter_ns())
            finish(len(done.inspections), done.spans)
        self._observe(model, done.inspections, done.spans)
        return done.reply

    def close(self) -> None:
        """Wait for what runs, then let the threads go."""
        self._pool.shutdown()


def _work(model: Model, decode: Decode[Reply], submitted: int) -> _Finished[Reply]:
    started = perf_counter_ns()
    frames, encode = decode()
    decoded = perf_counter_ns()
    inspections = [model.inspector.inspect(frame) for frame in frames]
    inspected = perf_counter_ns()
    reply = encode(inspections, (decoded - started) / 1e6)
    encoded = perf_counter_ns()
    spans = Spans(started - submitted, decoded - started, inspected - decoded, encoded - inspected)
    return _Finished(reply, inspections, spans)
