"""Judges parts by a new version too, beside the line and in nobody's way."""

from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Lock
from time import monotonic
from types import TracebackType
from typing import Self

from andon.hardware.profiles.affinity import stand_back
from andon.models.graphs.cancelling import Cancellation
from andon.models.types.vision import Frame, Inspection, Inspector

LIMIT_S = 30.0
"""What a part may take: whether a version is quick enough is seen once it decides, this ends a graph that loops."""

Compared = Callable[[Inspection | None], None]
"""Told what was found; None where that could not be judged."""


@dataclass(frozen=True, slots=True)
class _Job:
    """A part that is being judged."""

    ends_s: float
    cancellation: Cancellation
    future: Future[Inspection]


class Shadow:
    """Judges one part at a time, in a thread of its own; open while it is used in a ``with`` statement. Safe to use from several threads.

    Parameters
    ----------
    limit_s
        What a part may take; a graph that takes longer is ended, and could not judge.
    """

    def __init__(self, cores: Collection[int] = (), limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(1, "shadow", partial(stand_back, cores))
        self._job: _Job | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what is being judged."""
        if self._job:
            self._job.cancellation.cancel()
        self._pool.shutdown()

    def offer(self, inspector: Inspector, frame: Frame, compared: Compared) -> None:
        """Judge a part, unless one is being judged; returns at once."""
        with self._lock:
            if self._is_busy():
                return
            cancellation = Cancellation()
            future = self._pool.submit(_inspect, inspector, frame, cancellation)
            self._job = _Job(monotonic() + self._limit_s, cancellation, future)
        future.add_done_callback(lambda done: compared(None if done.exception() else done.result()))

    def _is_busy(self) -> bool:
        job = self._job
        if job is None or job.future.done():
            return False
        if monotonic() > job.ends_s:
            job.cancellation.cancel()
        return True


def _inspect(inspector: Inspector, frame: Frame, cancellation: Cancellation) -> Inspection:
    with cancellation.applied():
        return inspector.inspect(frame)
