"""Tells a broker what waits in an outbox: at least once (QoS 1), in order, until the broker has confirmed it.

A broker that is away is waited for. A broker confirms what it has in its memory, and writes it down a little later: what it confirmed in the
seconds before the connection was lost is sent again, and so is what it did not confirm. All under the same id, so that a receiver that
compares ids has each once.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from random import Random
from threading import Event, Thread
from time import monotonic
from types import TracebackType
from typing import Self

from paho.mqtt.client import Client

from andon.hardware.messaging.broker import BrokerSettings, new_client
from andon.hardware.messaging.outbox import Kept, Message, Outbox
from andon.models.types.errors import AndonError, ResourceError

logger = logging.getLogger(__name__)

QOS = 1
UNLIMITED = 65_535
"""What a broker lets be under way that does not say (MQTT 5, section 3.2.2.3.3)."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much at once, and how long to wait.

    Parameters
    ----------
    window
        Messages that are under way without being confirmed, where the broker allows as many.
    doubt_s
        What was confirmed so shortly before the connection was lost is sent again: longer than the broker takes to write down what it has.
    poll_s
        How often the outbox is looked into for what other processes have put there.
    first_pause_s, longest_pause_s
        Before the broker is tried again; doubled each time, and shortened by chance so that not all stations come at once.
    drain_s
        How long what waits is still sent at the end.
    """

    window: int = 200
    doubt_s: float = 5.0
    poll_s: float = 1.0
    first_pause_s: float = 0.5
    longest_pause_s: float = 30.0
    drain_s: float = 2.0


class BrokerLostError(ResourceError):
    """The broker cannot be reached, refuses, or left."""


@dataclass(frozen=True, slots=True)
class _Confirmed:
    mid: int


@dataclass(frozen=True, slots=True)
class _Connected:
    """The broker took the connection, and lets so many messages be under way."""

    receive_maximum: int


@dataclass(frozen=True, slots=True)
class _Lost:
    reason: str


@dataclass(frozen=True, slots=True)
class _Added:
    """Something was put into the outbox, or the end has come."""


_Event = _Confirmed | _Connected | _Lost | _Added


class Publisher:
    """Sends the outbox of a station, in a thread of its own while it is used in a ``with`` statement.

    Parameters
    ----------
    outbox
        Open for as long; whoever adds to it otherwise calls ``wake``.
    """

    def __init__(self, outbox: Outbox, settings: BrokerSettings, pace: Pace | None = None) -> None:
        self._outbox = outbox
        self._settings = settings
        self._pace = pace or Pace()
        self._events: SimpleQueue[_Event] = SimpleQueue()
        self._ending = Event()
        self._ends = float("inf")
        self._failure: str | None = "not connected yet"
        self._thread = Thread(target=self._work, name="mqtt publisher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send what waits for ``drain_s`` at the most; the rest stays in the outbox."""
        self._ends = monotonic() + self._pace.drain_s
        self._ending.set()
        self.wake()
        self._thread.join()

    @property
    def failure(self) -> str | None:
        """Why the broker has nothing told to it now; None while it has."""
        return self._failure if self._thread.is_alive() else "not running"

    def publish(self, messages: Sequence[Message]) -> None:
        """Keep messages in the outbox and send them. Raises as ``Outbox.add`` does."""
        self._outbox.add(messages)
        self.wake()

    def wake(self) -> None:
        """Look into the outbox at once."""
        self._events.put(_Added())

    def _work(self) -> None:
        pause_s, chance = self._pace.first_pause_s, Random()
        while not self._ending.is_set():
            session = _Session(self._outbox, self._settings, self._pace, self._events)
            try:
                session.run(self._connected, self._is_over)
            except AndonError as error:
                self._failed(str(error.params.get("reason", error)))
            if session.was_useful:
                pause_s = self._pace.first_pause_s
            self._ending.wait(pause_s * chance.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, self._pace.longest_pause_s)

    def _connected(self) -> None:
        if self._failure is not None:
            logger.info("broker reached", extra={"fields": {"host": self._settings.host}})
        self._failure = None

    def _failed(self, reason: str) -> None:
        if self._failure != reason:
            logger.warning("broker away", extra={"fields": {"host": self._settings.host, "reason": reason}})
        self._failure = reason

    def _is_over(self, under_way: int) -> bool:
        return self._ending.is_set() and (not under_way or monotonic() >= self._ends)


@dataclass(slots=True)
class _Session:
    """One connection: what was published on it and not confirmed yet dies with it, and is in the outbox still."""

    outbox: Outbox
    settings: BrokerSettings
    pace: Pace
    events: SimpleQueue[_Event]
    under_way: dict[int, int] = field(default_factory=dict)
    doubted: deque[tuple[float, int]] = field(default_factory=deque)
    last_sent: int = 0
    window: int = 1
    was_connected: bool = False
    was_useful: bool = False

    def run(self, connected: Callable[[], None], is_over: Callable[[int], bool]) -> None:
        """Publish until it is over. Raises ``BrokerLostError``, or ``OutboxError``."""
        self.events = _emptied(self.events)
        client = self._connect()
        try:
            self._await_connection()
            connected()
            self._fill(client)
            while not is_over(len(self.under_way)):
                self._take_events()
                self._fill(client)
        finally:
            client.disconnect()
            client.loop_stop()

    def _connect(self) -> Client:
        client = new_client(self.settings)
        # The window is kept here: paho would hold back what exceeds its own, and does not heed the broker's.
        client.max_inflight_messages_set(self.pace.window)
        events = self.events
        client.on_connect = lambda _client, _data, _flags, code, more: events.put(
            _Lost(str(code)) if code.is_failure else _Connected(getattr(more, "ReceiveMaximum", UNLIMITED))
        )
        client.on_publish = lambda _client, _data, mid, code, _more: events.put(
            _Lost(str(code)) if code.is_failure else _Confirmed(mid)
        )
        client.on_disconnect = lambda _client, _data, _flags, code, _more: events.put(_Lost(str(code)))
        try:
            client.connect(self.settings.host, self.settings.port, self.settings.keepalive_s)
        except OSError as error:
            raise self._lost(error.strerror or str(error)) from error
        client.loop_start()
        return client

    def _await_connection(self) -> None:
        ends = monotonic() + self.settings.timeout_s
        while not self.was_connected:
            try:
                event = self.events.get(timeout=max(ends - monotonic(), 0.001))
            except Empty:
                raise self._lost(f"no answer within {self.settings.timeout_s:g} s") from None
            self._heed(event)

    def _fill(self, client: Client) -> None:
        room = self.window - len(self.under_way)
        if room < max(self.window // 4, 1):  # reads of the outbox are worth it for several
            return
        for kept in self.outbox.waiting(self.last_sent, room):
            self._send(client, kept)

    def _send(self, client: Client, kept: Kept) -> None:
        info = client.publish(kept.message.topic, kept.message.body, QOS)
        self.under_way[info.mid] = kept.number
        self.last_sent = kept.number

    def _take_events(self) -> None:
        """Wait for something to happen, then heed all that has, and settle what has been confirmed for long enough."""
        try:
            self._heed(self.events.get(timeout=self._patience_s()))
            while True:
                self._heed(self.events.get_nowait())
        except Empty:
            self._settle()

    def _heed(self, event: _Event) -> None:
        match event:
            case _Connected(receive_maximum):
                self.was_connected = True
                self.window = min(self.pace.window, receive_maximum)
            case _Confirmed(mid):
                self.doubted.append((monotonic(), self.under_way.pop(mid)))
                self.was_useful = True
            case _Lost(reason):
                raise self._lost(reason)

    def _patience_s(self) -> float:
        if not self.doubted:
            return self.pace.poll_s
        due = self.doubted[0][0] + self.pace.doubt_s
        return min(max(due - monotonic(), 0.05), self.pace.poll_s)

    def _settle(self) -> None:
        until, numbers = monotonic() - self.pace.doubt_s, []
        while self.doubted and self.doubted[0][0] <= until:
            numbers.append(self.doubted.popleft()[1])
        if numbers:
            self.outbox.settle(numbers)

    def _lost(self, reason: str) -> BrokerLostError:
        return BrokerLostError("messaging.broker", f"{self.settings.host}:{self.settings.port}", reason=reason)


def _emptied(events: SimpleQueue[_Event]) -> SimpleQueue[_Event]:
    """Forget what an earlier connection said."""
    try:
        while True:
            events.get_nowait()
    except Empty:
        return events
