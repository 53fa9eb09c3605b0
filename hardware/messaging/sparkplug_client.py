"""Connects an edge node of Sparkplug B to a broker.

What is reported goes into an outbox first. While the node is connected it is told as it comes; what was not is told after the births of the
next connection, as historical. Sparkplug publishes data with QoS 0, which no broker confirms: so every little while something that it does
confirm is asked of it on the same connection, and what was published before counts as received once that comes.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from types import TracebackType
from typing import Self

import msgspec
from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode

from andon.hardware.messaging.broker import BrokerSettings
from andon.hardware.messaging.connection import BrokerConnection, Confirmed, Happening, Received
from andon.hardware.messaging.edge_node import (
    NAMESPACE,
    NUMBERS,
    NodeName,
    NodeState,
    Outgoing,
    Step,
    asks_for_rebirth,
    births,
    check_name,
    connecting,
    death,
    declared,
    device_lost,
    replayed,
    reported,
)
from andon.hardware.messaging.outbox import Kept, Kind, Message, Outbox
from andon.hardware.messaging.sparkplug_payload import Metric, Payload, decode, encode
from andon.models.files.durable import flush_folder, write_flushed
from andon.models.types.errors import InputError, ResourceError

logger = logging.getLogger(__name__)

CLIENT_QOS = 1
"""Of what the node listens to (commands, the state of the primary host)."""

MOST_AT_ONCE = 200
HISTORY_STEP_S = 0.1
GOODBYE_S = 2.0


class SessionNumberError(ResourceError):
    """The file with the number of the last connection cannot be used."""


@dataclass(frozen=True, slots=True)
class EdgeNodeSettings:
    """How an edge node works.

    Parameters
    ----------
    bd_seq_file
        Where the number of the last connection is kept.
    primary_host
        Nothing is born before this host application is there, and the connection is ended when it leaves; empty for none.
    history_per_s
        How many messages a second are told of what was missed, beside those of now: brokers drop QoS 0 where a receiver is slow.
    confirm_s
        How often the broker is asked for something that it confirms.
    first_pause_s, longest_pause_s
        Before the broker is tried again; doubled each time, and shortened by chance so that not all nodes come at once.
    """

    name: NodeName
    bd_seq_file: Path
    primary_host: str = ""
    history_per_s: float = 500.0
    confirm_s: float = 1.0
    first_pause_s: float = 0.5
    longest_pause_s: float = 30.0

    def __post_init__(self) -> None:
        if self.primary_host:
            check_name("primary_host", self.primary_host)

    @property
    def state_topic(self) -> str:
        """Where the primary host says whether it is there (section 4.2)."""
        return f"{NAMESPACE}/STATE/{self.primary_host}"


@dataclass(frozen=True, slots=True)
class _Gone:
    """A device was lost after the message ``reported_until`` had been added."""

    device: str
    reported_until: int


class _HostState(msgspec.Struct):
    online: bool
    timestamp: int


def next_bd_seq(path: Path) -> int:
    """Take the next number of a connection, which is on disk on return; 0 where the file is absent.

    Raises
    ------
    SessionNumberError
        The file holds something else, or cannot be written.
    """
    try:
        number = (int(path.read_bytes()) + 1) % NUMBERS if path.exists() else 0
        fresh = path.with_name(f"{path.name}.new")
        write_flushed(fresh, b"%d\n" % number)
        fresh.replace(path)
        flush_folder(path.parent)
    except (OSError, ValueError) as error:
        raise SessionNumberError("messaging.session", str(path), reason=str(error)) from error
    return number


class EdgeNode:
    """An edge node, in a thread of its own while it is used in a ``with`` statement.

    Parameters
    ----------
    outbox
        Of its own, open for as long.
    devices
        Metrics that devices will have, by device: they are born when the node is.
    """

    def __init__(
        self,
        outbox: Outbox,
        broker: BrokerSettings,
        settings: EdgeNodeSettings,
        devices: Mapping[str, Sequence[Metric]] | None = None,
    ) -> None:
        self._outbox = outbox
        self._settings = settings
        self._state = NodeState(settings.name)
        for device, metrics in (devices or {}).items():
            self._state = declared(self._state, device, metrics)
        self._gone: SimpleQueue[_Gone] = SimpleQueue()
        self._connection = BrokerConnection(
            replace(broker, version="3.1.1"),  # there a node says its death itself
            settings.first_pause_s,
            settings.longest_pause_s,
            self._converse,
        )

    def __enter__(self) -> Self:
        self._connection.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say the node's death and leave; what is not told stays in the outbox."""
        self._connection.end(0.0)

    @property
    def failure(self) -> str | None:
        """Why nothing is told now; None while the node is born."""
        return self._connection.failure

    def report(self, id_: str, kind: Kind, device: str, metrics: Sequence[Metric]) -> None:
        """Keep what is so of a device, and tell it.

        Parameters
        ----------
        id_
            Unique for ever; what was reported under it before is the same.
        metrics
            With names, types and times.

        Raises
        ------
        PayloadError
            A value does not fit its type.
        BrokerSettingError
            The device has a name that cannot stand in a topic.
        StorageFullError, OutboxError
            As ``Outbox.add`` raises them.
        """
        check_name("device", device)
        self._outbox.add([Message(id_, kind, device, encode(Payload(None, tuple(metrics))))])
        self._connection.wake()

    def lost(self, device: str) -> None:
        """Say that a device can tell nothing any more (a camera that is gone); what is reported of it next brings it back.

        Raises
        ------
        OutboxError
            As ``Outbox.newest`` raises it.
        """
        self._gone.put(_Gone(device, self._outbox.newest()))
        self._connection.wake()

    def _converse(self) -> None:
        session = _Session(self._outbox, self._settings, self._connection, self._gone, self._state)
        try:
            session.run()
        finally:
            self._state = session.state


@dataclass(slots=True)
class _Session:
    """One connection.

    What lay in the outbox when the node was born (up to ``born_at``) is history and told at its own pace, what came later is told at once.
    """

    outbox: Outbox
    settings: EdgeNodeSettings
    connection: BrokerConnection
    gone: SimpleQueue[_Gone]
    state: NodeState
    host_online: bool = False
    host_said: int = 0
    is_born: bool = False
    born_at: int = 0
    told_until: int = 0
    history_until: int = 0
    history_due: float = 0.0
    unconfirmed: list[int] = field(default_factory=list)
    asked: dict[int, list[int]] = field(default_factory=dict)
    asked_at: float = 0.0
    client: Client = field(init=False)

    def run(self) -> None:
        """Tell until the end. Raises ``BrokerLostError``, ``SessionNumberError``, or what the outbox raises."""
        self.host_online = not self.settings.primary_host
        self.state, will = connecting(self.state, next_bd_seq(self.settings.bd_seq_file), datetime.now(UTC))
        with self.connection.opened(partial(self._prepare, will)) as (self.client, _):
            self._listen()
            try:
                while not self.connection.is_over():
                    for happening in self.connection.happened(self._patience_s()):
                        self._heed(happening)
                    self._advance()
            finally:
                self._leave()

    def _prepare(self, will: Outgoing, client: Client, put: Callable[[Happening], None]) -> None:
        client.will_set(will.topic, will.payload, will.qos)
        client.on_unsubscribe = lambda _client, _data, mid, _codes, _more: put(Confirmed(mid))
        client.on_message = lambda _client, _data, message: put(Received(message.topic, bytes(message.payload)))

    def _listen(self) -> None:
        self.client.subscribe(self.settings.name.topic("NCMD"), CLIENT_QOS)
        if self.settings.primary_host:
            self.client.subscribe(self.settings.state_topic, CLIENT_QOS)

    def _patience_s(self) -> float:
        if not self._has_history():
            return self.settings.confirm_s
        return min(self.settings.confirm_s, max(self.history_due - monotonic(), 0.001))

    def _heed(self, happening: Confirmed | Received) -> None:
        match happening:
            case Received(topic, payload):
                self._obey(topic, payload)
            case Confirmed(mid):
                self._settle(self.asked.pop(mid, []))

    def _obey(self, topic: str, payload: bytes) -> None:
        if topic == self.settings.state_topic:
            self._heed_host(payload)
        elif self.is_born and asks_for_rebirth(payload):
            self._say(births(self.state, datetime.now(UTC)))

    def _heed_host(self, payload: bytes) -> None:
        try:
            said = msgspec.json.decode(payload, type=_HostState)
        except msgspec.MsgspecError:
            return
        if said.timestamp < self.host_said:  # an old will that comes late (chapter 5)
            return
        self.host_said, self.host_online = said.timestamp, said.online
        if self.is_born and not said.online:
            raise self.connection.lost("primary host offline")

    def _advance(self) -> None:
        """Be born once that is allowed; then tell what waits, and ask the broker to confirm."""
        self._bury()
        if not self.is_born and self.host_online:
            self._be_born()
        if self.is_born:
            self._tell_news(self.outbox.newest())
            self._tell_history()
            self._ask()

    def _bury(self) -> None:
        """Say of each device that was lost that it is, after what had been reported of it by then."""
        try:
            while True:
                gone = self.gone.get_nowait()
                if self.is_born:
                    self._tell_news(gone.reported_until)
                self._say(device_lost(self.state, gone.device, datetime.now(UTC)))
        except Empty:
            return

    def _be_born(self) -> None:
        self.born_at = self.told_until = self.outbox.newest()
        self._say(births(self.state, datetime.now(UTC)))
        self.is_born = True
        self.connection.works()

    def _tell_news(self, until: int) -> None:
        while news := self.outbox.waiting(self.told_until, MOST_AT_ONCE, until):
            for kept in news:
                self._tell(kept, reported)
                self.told_until = kept.number

    def _has_history(self) -> bool:
        """Whether some is to be told; not before the broker has confirmed what it was asked, so that a slow one is not swamped."""
        return self.is_born and self.history_until < self.born_at and not self.asked

    def _tell_history(self) -> None:
        if not self._has_history() or monotonic() < self.history_due:
            return
        many = max(round(self.settings.history_per_s * HISTORY_STEP_S), 1)
        missed = self.outbox.waiting(self.history_until, many, self.born_at)
        for kept in missed:
            self._tell(kept, replayed)
        self.history_until = missed[-1].number if missed else self.born_at
        self.history_due = monotonic() + len(missed) / self.settings.history_per_s

    def _tell(self, kept: Kept, tell: Callable[[NodeState, str, Sequence[Metric], datetime], Step]) -> None:
        """Tell a message. One that no state of the node can tell is passed over, as it would stop all others."""
        message = kept.message
        try:
            step = tell(self.state, message.topic, decode(message.body).metrics, datetime.now(UTC))
        except InputError as error:
            logger.error("not told by Sparkplug", extra={"fields": {"id": message.id, "reason": str(error)}})
        else:
            self._say(step)
        self.unconfirmed.append(kept.number)

    def _say(self, step: Step) -> None:
        self.state, said = step
        for each in said:
            self.client.publish(each.topic, each.payload, each.qos)

    def _ask(self) -> None:
        """Ask for something that is confirmed after all that was published before: to end a subscription that there is not."""
        if not self.unconfirmed or monotonic() < self.asked_at + self.settings.confirm_s:
            return
        _, mid = self.client.unsubscribe(f"{self.settings.name.topic('NCMD')}/none")
        if mid is not None:
            self.asked[mid], self.unconfirmed = self.unconfirmed, []
            self.asked_at = monotonic()

    def _settle(self, numbers: Sequence[int]) -> None:
        if numbers:
            self.outbox.settle(numbers)
            self.connection.was_useful()

    def _leave(self) -> None:
        """Say the node's death, whatever ends the connection but its loss: a broker that is left in order does not say it.

        The broker confirms it, and with it all that was published before.
        """
        if not self.is_born:
            return
        last = death(self.state, datetime.now(UTC))
        told = self.client.publish(last.topic, last.payload, last.qos)
        if told.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:  # the connection is lost, and the broker says it
            return
        told.wait_for_publish(GOODBYE_S)
        if told.is_published():
            self._settle([*self.unconfirmed, *(number for numbers in self.asked.values() for number in numbers)])
