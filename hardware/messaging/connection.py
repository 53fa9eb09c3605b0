"""Keeps a connection to a broker, and opens it anew whenever it is lost."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from random import Random
from threading import Event, Thread
from time import monotonic

from paho.mqtt.client import Client

from andon.hardware.messaging.broker import BrokerSettings, new_client
from andon.models.types.errors import AndonError, ResourceError

logger = logging.getLogger(__name__)

UNLIMITED = 65_535
"""What a broker lets be under way that does not say (MQTT 5, section 3.2.2.3.3)."""


class BrokerLostError(ResourceError):
    """The broker cannot be reached, refuses, or left."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The broker has what was sent it under this number."""

    mid: int


@dataclass(frozen=True, slots=True)
class Received:
    """The broker delivered something that was subscribed to."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """The broker refused, or the connection ended."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Connected:
    receive_maximum: int


@dataclass(frozen=True, slots=True)
class _Woken:
    """There is something to tell, or the end has come."""


Happening = Confirmed | Received | Lost | _Connected | _Woken


class BrokerConnection:
    """Runs ``converse`` in a thread of its own, over and over until the end, with a pause between two runs.

    ``converse`` opens the connection by ``opened`` and uses it until it is lost (an ``AndonError``, which is logged and shown as ``failure``)
    or ``is_over``. All other methods but ``wake``, ``failure``, ``start`` and ``end`` are for it.

    Parameters
    ----------
    first_pause_s, longest_pause_s
        Between two runs; doubled each time until one ``was_useful``, and shortened by chance so that not all boxes come at once.
    """

    def __init__(
        self, settings: BrokerSettings, first_pause_s: float, longest_pause_s: float, converse: Callable[[], None]
    ) -> None:
        self.settings = settings
        self._first_pause_s = self._pause_s = first_pause_s
        self._longest_pause_s = longest_pause_s
        self._converse = converse
        self._happenings: SimpleQueue[Happening] = SimpleQueue()
        self._ending = Event()
        self._ends = float("inf")
        self._failure: str | None = "not connected yet"
        self._thread = Thread(target=self._work, name=f"mqtt {settings.client_id}", daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def end(self, within_s: float) -> None:
        """End, for which ``converse`` has so much time."""
        self._ends = monotonic() + within_s
        self._ending.set()
        self.wake()
        self._thread.join()

    def wake(self) -> None:
        """Have ``happened`` return at once."""
        self._happenings.put(_Woken())

    @property
    def failure(self) -> str | None:
        """Why nothing is told now; None while it is."""
        return self._failure if self._thread.is_alive() else "not running"

    @contextmanager
    def opened(self, prepare: Callable[[Client, Callable[[Happening], None]], None]) -> Iterator[tuple[Client, int]]:
        """Connect, and say how many messages the broker lets be under way.

        Parameters
        ----------
        prepare
            Sets up the client, and has it tell what happens by the function that it is given.

        Raises
        ------
        BrokerLostError
            The broker is away, refuses, or does not answer in time.
        """
        self._forget_happenings()
        client, put = new_client(self.settings), self._happenings.put
        client.on_connect = lambda _client, _data, _flags, code, more: put(
            Lost(str(code)) if code.is_failure else _Connected(getattr(more, "ReceiveMaximum", UNLIMITED))
        )
        client.on_disconnect = lambda _client, _data, _flags, code, _more: put(Lost(str(code)))
        prepare(client, put)
        try:
            client.connect(self.settings.host, self.settings.port, self.settings.keepalive_s)
        except OSError as error:
            raise self.lost(error.strerror or str(error)) from error
        client.loop_start()
        try:
            yield client, self._accepted()
        finally:
            client.disconnect()
            client.loop_stop()

    def happened(self, patience_s: float) -> Iterator[Confirmed | Received]:
        """Wait for something to happen, and deliver all that has. Raises ``BrokerLostError``."""
        try:
            happening = self._happenings.get(timeout=patience_s)
            while True:
                match happening:
                    case Lost(reason):
                        raise self.lost(reason)
                    case Confirmed() | Received():
                        yield happening
                happening = self._happenings.get_nowait()
        except Empty:
            return

    def works(self) -> None:
        """Note that all is well."""
        if self._failure is not None:
            logger.info("broker reached", extra={"fields": self._fields()})
        self._failure = None

    def was_useful(self) -> None:
        """Note that the broker took something: the pause after this run is short again."""
        self._pause_s = self._first_pause_s

    def is_over(self, has_more: bool = False) -> bool:
        """Whether to end; with something left to do, once the time for that has run out."""
        return self._ending.is_set() and (not has_more or monotonic() >= self._ends)

    def lost(self, reason: str) -> BrokerLostError:
        """Build the error that ends a run."""
        return BrokerLostError("messaging.broker", f"{self.settings.host}:{self.settings.port}", reason=reason)

    def _work(self) -> None:
        chance = Random()
        while not self._ending.is_set():
            try:
                self._converse()
            except AndonError as error:
                self._failed(str(error.params.get("reason", error)))
            self._ending.wait(self._pause_s * chance.uniform(0.5, 1.0))
            self._pause_s = min(2 * self._pause_s, self._longest_pause_s)

    def _failed(self, reason: str) -> None:
        if self._failure != reason:
            logger.warning("broker away", extra={"fields": {**self._fields(), "reason": reason}})
        self._failure = reason

    def _accepted(self) -> int:
        """Wait until the broker takes the connection."""
        due = monotonic() + self.settings.timeout_s
        while (left_s := min(due, self._ends) - monotonic()) > 0:
            try:
                happening = self._happenings.get(timeout=left_s)
            except Empty:
                break
            match happening:
                case _Connected(receive_maximum):
                    return receive_maximum
                case Lost(reason):
                    raise self.lost(reason)
        raise self.lost(f"no answer within {self.settings.timeout_s:g} s")

    def _forget_happenings(self) -> None:
        """Forget what an earlier connection said."""
        try:
            while True:
                self._happenings.get_nowait()
        except Empty:
            return

    def _fields(self) -> dict[str, str]:
        return {"host": self.settings.host, "client": self.settings.client_id}
