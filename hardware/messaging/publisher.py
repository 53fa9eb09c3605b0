"""Tells a broker what waits in an outbox: at least once (QoS 1), in order, until the broker has confirmed it.

A broker that is away is waited for. A broker confirms what it has in its memory, and writes it down a little later: what it confirmed in the
seconds before the connection was lost is sent again, and so is what it did not confirm. All under the same id, so that a receiver that
compares ids has each once.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from types import TracebackType
from typing import Self

from paho.mqtt.client import Client

from andon.hardware.messaging.broker import BrokerSettings
from andon.hardware.messaging.connection import BrokerConnection, Confirmed, Happening, Lost
from andon.hardware.messaging.outbox import Message, Outbox

QOS = 1


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


class Publisher:
    """Sends the outbox of a station, in a thread of its own while it is used in a ``with`` statement.

    Parameters
    ----------
    outbox
        Open for as long; whoever adds to it otherwise calls ``wake``.
    """

    def __init__(self, outbox: Outbox, settings: BrokerSettings, pace: Pace | None = None) -> None:
        self._outbox = outbox
        self._pace = pace or Pace()
        self._connection = BrokerConnection(
            settings, self._pace.first_pause_s, self._pace.longest_pause_s, self._converse
        )

    def __enter__(self) -> Self:
        self._connection.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send what waits for ``drain_s`` at the most; the rest stays in the outbox."""
        self._connection.end(self._pace.drain_s)

    @property
    def failure(self) -> str | None:
        """Why the broker has nothing told to it now; None while it has."""
        return self._connection.failure

    def publish(self, messages: Sequence[Message]) -> None:
        """Keep messages in the outbox and send them. Raises as ``Outbox.add`` does."""
        self._outbox.add(messages)
        self.wake()

    def wake(self) -> None:
        """Look into the outbox at once."""
        self._connection.wake()

    def _converse(self) -> None:
        _Session(self._outbox, self._pace, self._connection).run()


@dataclass(slots=True)
class _Session:
    """One connection: what was published on it and not confirmed yet dies with it, and is in the outbox still."""

    outbox: Outbox
    pace: Pace
    connection: BrokerConnection
    under_way: dict[int, int] = field(default_factory=dict)
    doubted: deque[tuple[float, int]] = field(default_factory=deque)
    last_sent: int = 0
    window: int = 1

    def run(self) -> None:
        """Publish until it is over. Raises ``BrokerLostError``, or ``OutboxError``."""
        with self.connection.opened(self._prepare) as (client, receive_maximum):
            self.window = min(self.pace.window, receive_maximum)
            self.connection.works()
            self._fill(client)
            while not self.connection.is_over(has_more=bool(self.under_way)):
                for happening in self.connection.happened(self._patience_s()):
                    if isinstance(happening, Confirmed):
                        self._doubt(happening.mid)
                self._settle()
                self._fill(client)

    def _prepare(self, client: Client, put: Callable[[Happening], None]) -> None:
        # The window is kept here: paho would hold back what exceeds its own, and does not heed the broker's.
        client.max_inflight_messages_set(self.pace.window)
        client.on_publish = lambda _client, _data, mid, code, _more: put(
            Lost(str(code)) if code.is_failure else Confirmed(mid)
        )

    def _fill(self, client: Client) -> None:
        room = self.window - len(self.under_way)
        if room < max(self.window // 4, 1):  # reads of the outbox are worth it for several
            return
        for kept in self.outbox.waiting(self.last_sent, room):
            info = client.publish(kept.message.topic, kept.message.body, QOS)
            self.under_way[info.mid] = kept.number
            self.last_sent = kept.number

    def _doubt(self, mid: int) -> None:
        """Note that the broker has it in its memory."""
        self.doubted.append((monotonic(), self.under_way.pop(mid)))
        self.connection.was_useful()

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
