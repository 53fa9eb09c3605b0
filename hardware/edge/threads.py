"""What a box does at the same time, each on a thread of its own."""

from collections.abc import Callable, Mapping
from threading import Event, Thread
from typing import Self

from andon.models.types.errors import ResourceError


class ThreadEndedError(ResourceError):
    """A thread has ended by itself: the box must be started anew."""


class Threads:
    """Runs everything while it is used in a ``with`` statement.

    Parameters
    ----------
    runs
        By the names of their threads; each runs until its event is set.
    """

    def __init__(self, runs: Mapping[str, Callable[[Event], None]]) -> None:
        self._stop = Event()
        self._threads = [Thread(target=run, args=(self._stop,), name=name, daemon=True) for name, run in runs.items()]

    def __enter__(self) -> Self:
        """Start all."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let each end what it is doing."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def check(self) -> None:
        """Return where all run.

        Raises
        ------
        ThreadEndedError
            One does not, whatever the reason.
        """
        for thread in self._threads:
            check_runs(thread)


def check_runs(thread: Thread) -> None:
    """Return where a thread runs. Raises ``ThreadEndedError``."""
    if not thread.is_alive():
        raise ThreadEndedError("edge.ended", thread.name)
