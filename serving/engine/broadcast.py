"""Tell readers what happens as it happens, and those who come back what they missed."""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice, takewhile
from operator import attrgetter
from secrets import token_hex
from threading import Lock
from typing import Any

import msgspec

TOPICS = ("verdicts", "alerts")
MAX_DIGITS = 20
BATCH_EVENTS = 64
"""Events that a reader takes at once."""

_number = attrgetter("number")


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """Something that happened.

    Parameters
    ----------
    id
        Unlike that of any other event, before or after a restart.
    number
        Counts up from one start of the service to the next.
    data
        A JSON document.
    """

    id: str
    number: int
    topic: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """How much is kept of each topic for those who come back.

    Topics do not share it: a thousand verdicts push no alert out.
    """

    events: int = 1024
    megabytes: int = 4


KEPT = Kept()


@dataclass(frozen=True, slots=True)
class Batch:
    """What a reader has not seen yet, in order, and the topics of which it missed events that are no longer kept."""

    events: Sequence[Event] = ()
    lost: Sequence[str] = ()


NOTHING = Batch()


@dataclass(slots=True)
class _Topic:
    """The last events of one topic, and the number of the last one that was let go."""

    limits: Kept
    events: deque[Event] = field(default_factory=deque)
    n_bytes: int = 0
    gone: int = 0

    def add(self, event: Event) -> None:
        self.events.append(event)
        self.n_bytes += len(event.data)
        while len(self.events) > self.limits.events or self._is_heavy():
            first = self.events.popleft()
            self.n_bytes -= len(first.data)
            self.gone = first.number

    def since(self, number: int) -> list[Event]:
        newer = list(takewhile(lambda event: event.number > number, reversed(self.events)))
        return newer[::-1]

    def _is_heavy(self) -> bool:
        return self.n_bytes > self.limits.megabytes << 20 and len(self.events) > 1


class Broadcast:
    """Passes events on. ``publish`` and ``close`` are safe on every thread; readers live on one event loop.

    Nothing is queued for a reader: each has its place in what is kept, so a thousand that read nothing take no memory.
    """

    def __init__(self, topics: Sequence[str] = TOPICS, kept: Kept = KEPT) -> None:
        self._topics = {topic: _Topic(kept) for topic in topics}
        self._run = token_hex(8)
        self._last = 0
        self._lock = Lock()
        self._readers: set[Reader] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rung = False
        self._closed = False

    @property
    def topics(self) -> Sequence[str]:
        """What can be read."""
        return tuple(self._topics)

    @property
    def n_readers(self) -> int:
        """How many read."""
        return len(self._readers)

    def publish(self, topic: str, document: bytes | Mapping[str, Any]) -> None:
        """Tell everyone who reads ``topic``.

        Parameters
        ----------
        document
            JSON, or what is to be encoded.
        """
        data = document if isinstance(document, bytes) else msgspec.json.encode(document)
        with self._lock:
            self._last += 1
            self._topics[topic].add(Event(self._id(self._last), self._last, topic, data))
            self._ring()

    @contextmanager
    def reader(self, topics: Sequence[str], last_id: str | None = None) -> "Iterator[Reader]":
        """Read ``topics`` while the block runs.

        Parameters
        ----------
        last_id
            The last event that was seen, in any topic; None to begin with what comes next. Where it is not of this run
            of the service, everything that is kept is given, and what came before it counts as lost.
        """
        with self._lock:
            self._loop = asyncio.get_running_loop()
            seen = self._last if last_id is None else self._place(last_id)
            reader = Reader(self, topics, seen, None if seen is None else self._id(seen))
            self._readers.add(reader)
        try:
            yield reader
        finally:
            with self._lock:
                self._readers.discard(reader)

    def close(self) -> None:
        """Let every reader go, those who come later too."""
        with self._lock:
            self._closed = True
            self._ring()

    @property
    def closed(self) -> bool:
        """Whether readers have been let go."""
        return self._closed

    def take(self, places: dict[str, int]) -> Batch:
        """Take what comes after ``places``, the number of the last event seen of each topic, and move them on."""
        with self._lock:
            lost = [topic for topic, seen in places.items() if self._topics[topic].gone > seen]
            places.update({topic: self._topics[topic].gone for topic in lost})
            newer = [self._topics[topic].since(seen) for topic, seen in places.items()]
        events = list(islice(merge(*newer, key=_number), BATCH_EVENTS))
        places.update({event.topic: event.number for event in events})
        return Batch(events, lost)

    def _id(self, number: int) -> str:
        return f"{self._run}-{number}"

    def _place(self, last_id: str) -> int | None:
        run, _, number = last_id.rpartition("-")
        is_known = run == self._run and number.isascii() and number.isdecimal() and len(number) < MAX_DIGITS
        return int(number) if is_known and int(number) <= self._last else None

    def _ring(self) -> None:
        """Wake the readers' loop, once however many there are; the lock is held, so none of them has left it yet."""
        if self._readers and self._loop and not self._rung:
            self._rung = True
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        with self._lock:
            self._rung = False
            readers = list(self._readers)
        for reader in readers:
            reader.wake()


class Reader:
    """One who reads a broadcast. Used from the event loop on which it began.

    ``first_id`` is the event after which it began, of whatever topic: who comes back with it misses nothing. It is None
    where that is not known.
    """

    def __init__(self, broadcast: Broadcast, topics: Sequence[str], seen: int | None, first_id: str | None) -> None:
        self.first_id = first_id
        self._broadcast = broadcast
        self._places = dict.fromkeys(topics, -1 if seen is None else seen)
        self._bell = asyncio.Event()

    @property
    def closed(self) -> bool:
        """Whether nothing more will come."""
        return self._broadcast.closed

    def wake(self) -> None:
        """Look for events again."""
        self._bell.set()

    async def read(self, timeout_s: float) -> Batch:
        """Take what is there, or wait for it; nothing after ``timeout_s``, or once the broadcast is closed."""
        self._bell.clear()
        batch = self._broadcast.take(self._places)
        if batch.events or batch.lost or self.closed:
            return batch
        try:
            async with asyncio.timeout(timeout_s):
                await self._bell.wait()
        except TimeoutError:
            return NOTHING
        return self._broadcast.take(self._places)
