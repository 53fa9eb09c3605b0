"""How often and how long a model worked, as Triton counts it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock
from time import perf_counter_ns, time_ns


@dataclass(frozen=True, slots=True)
class Spans:
    """Nanoseconds that a request spent waiting for a thread, being read, judged and answered."""

    queue: int
    decode: int
    inspect: int
    encode: int

    def __add__(self, other: "Spans") -> "Spans":
        """Add each stage to its like."""
        return Spans(
            self.queue + other.queue,
            self.decode + other.decode,
            self.inspect + other.inspect,
            self.encode + other.encode,
        )


NO_TIME = Spans(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened since the model was loaded.

    Parameters
    ----------
    successes, failures
        Requests.
    frames
        Frames or rows that were judged; a request holds one or more.
    pending
        Requests that have no answer yet.
    success_ns, failure_ns
        Nanoseconds from taking a request to its answer, summed.
    spans
        The stages of the successes, summed.
    last_unix_ms
        When the last request was answered; 0 for never.
    """

    successes: int = 0
    failures: int = 0
    frames: int = 0
    pending: int = 0
    success_ns: int = 0
    failure_ns: int = 0
    spans: Spans = NO_TIME
    last_unix_ms: int = 0


Finish = Callable[[int, Spans], None]
"""Called with the number of frames and their spans where a request succeeded."""


@dataclass(slots=True)
class Statistics:
    """Counts the requests to one model. Safe to use from several threads at once."""

    _counts: Counts = Counts()
    _lock: Lock = field(default_factory=Lock)

    @property
    def counts(self) -> Counts:
        """The counts as they stand."""
        return self._counts

    @contextmanager
    def request(self) -> Iterator[Finish]:
        """Count a request: a success where the block calls what it is given, else a failure."""
        started, finished = perf_counter_ns(), list[tuple[int, Spans]]()
        self._begin()
        try:
            yield lambda frames, spans: finished.append((frames, spans))
        finally:
            elapsed = perf_counter_ns() - started
            if finished:
                self._succeed(*finished[0], elapsed)
            else:
                self._fail(elapsed)

    def _begin(self) -> None:
        with self._lock:
            self._counts = replace(self._counts, pending=self._counts.pending + 1)

    def _succeed(self, frames: int, spans: Spans, elapsed_ns: int) -> None:
        with self._lock:
            now = self._counts
            self._counts = replace(
                now,
                successes=now.successes + 1,
                frames=now.frames + frames,
                pending=now.pending - 1,
                success_ns=now.success_ns + elapsed_ns,
                spans=now.spans + spans,
                last_unix_ms=time_ns() // 10**6,
            )

    def _fail(self, elapsed_ns: int) -> None:
        with self._lock:
            now = self._counts
            self._counts = replace(
                now,
                failures=now.failures + 1,
                pending=now.pending - 1,
                failure_ns=now.failure_ns + elapsed_ns,
                last_unix_ms=time_ns() // 10**6,
            )
