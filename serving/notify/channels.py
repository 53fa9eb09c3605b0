"""What a channel is: it takes a message and says what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Protocol

BUSY = "the attempt before has not ended yet"


class Tone(StrEnum):
    """How a message is meant, for channels that show it by a colour or a sign."""

    NEWS = "news"
    GOOD = "good"
    WARNING = "warning"
    DANGER = "danger"


@dataclass(frozen=True, slots=True)
class Message:
    """Something to tell, in words for people and as documents for machines.

    Parameters
    ----------
    id
        The same at every attempt.
    body
        Lines of plain text.
    documents
        Of one alert; or of several that were held back, in the order in which they were given.
    """

    id: str
    title: str
    body: str
    tone: Tone
    documents: tuple[Mapping[str, Any], ...]

    @property
    def document(self) -> dict[str, Any]:
        """The one document with the message's id as ``event_id``; a summary of them where there are several."""
        return machine_document(self.id, self.documents)


@dataclass(frozen=True, slots=True)
class Sent:
    """The receiver has it."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The receiver does not have it, as far as anybody knows; it is worth another attempt.

    Parameters
    ----------
    reason
        In technical words, without secrets.
    alone
        The receiver answered, and refused this message: another may do better.
    retry_after_s
        How long the receiver asked to be left alone.
    """

    reason: str
    alone: bool = False
    retry_after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Refused:
    """The receiver does not want it, now or later."""

    reason: str


Outcome = Sent | Failed | Refused


class Channel(Protocol):
    """Where messages go. One message at a time.

    Parameters
    ----------
    in_order
        The receiver keeps a state, and what comes late must not overtake what failed.
    """

    in_order: bool

    def send(self, message: Message) -> Outcome:
        """Send a message and wait until the receiver has it."""
        ...


class Bounded:
    """A channel whose attempts end in time, whatever its library waits for.

    Each attempt has a thread of its own, which is left alone when its time is over; as long as it has not ended, no other begins.
    """

    def __init__(self, channel: Channel, timeout_s: float) -> None:
        self.in_order = channel.in_order
        self._channel = channel
        self._timeout_s = timeout_s
        self._attempt: Thread | None = None

    def send(self, message: Message) -> Outcome:
        """Send a message, or fail when the time is over."""
        if self._attempt and self._attempt.is_alive():
            return Failed(BUSY)
        outcomes: SimpleQueue[Outcome] = SimpleQueue()
        # A daemon: what never ends must not keep the process from ending.
        self._attempt = Thread(target=lambda: outcomes.put(self._channel.send(message)), daemon=True)
        self._attempt.start()
        try:
            return outcomes.get(timeout=self._timeout_s)
        except Empty:
            return Failed(f"no answer within {self._timeout_s:g} s")


def machine_document(event_id: str, documents: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    """Build what machines get.

    >>> machine_document("7", ({"type": "alert", "asset": "P-1"},))
    {'type': 'alert', 'asset': 'P-1', 'event_id': '7'}
    >>> machine_document("7", ({"asset": "P-1"}, {"asset": "P-2"}))["type"]
    'summary'
    """
    if len(documents) == 1:
        return {**documents[0], "event_id": event_id}
    return {"type": "summary", "event_id": event_id, "alerts": list(documents)}
