"""End a run of a graph from another thread: a graph that loops must not hold its thread for ever."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock

from onnxruntime import RunOptions

from andon.models.types.errors import ResourceError


class Cancellation:
    """Ends what runs under it, wherever in a call that is. Safe to use from several threads at once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: RunOptions | None = None
        self._cancelled = False

    def cancel(self) -> None:
        """End the graph that runs now, and let none start any more."""
        with self._lock:
            self._cancelled = True
            if self._running is not None:
                self._running.terminate = True

    def check(self) -> None:
        """Return where nothing was cancelled.

        Raises
        ------
        ResourceError
            It was.
        """
        if self._cancelled:
            raise ResourceError("graph.cancelled", "model")

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put graphs that run within the block under it."""
        token = _APPLIED.set(self)
        try:
            yield
        finally:
            _APPLIED.reset(token)

    @contextmanager
    def running(self) -> Iterator[RunOptions]:
        """Give the options that a run must have."""
        options = RunOptions()
        with self._lock:
            self._running = options
            options.terminate = self._cancelled
        try:
            yield options
        finally:
            with self._lock:
                self._running = None


_APPLIED: ContextVar[Cancellation | None] = ContextVar("applied", default=None)


def applied() -> Cancellation:
    """What the code that runs now is under; one that nobody cancels where there is none."""
    return _APPLIED.get() or Cancellation()
