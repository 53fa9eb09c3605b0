"""Samples that sensors and gateways publish to an MQTT broker.

The broker keeps what comes while the box is away: the session outlives the connection, and a message is acknowledged only once its block
was taken and the next is asked for. So after a kill the last messages come again, which the stream engine knows by their time.
"""

import socket
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from andon.hardware.acquisition.clocks import ClockSettings, ClockState, Moment, box_moment, stamp
from andon.hardware.acquisition.payloads import Delivery, Payload, Said, TopicPattern, read_message, said_of
from andon.hardware.acquisition.standing import Report, StandingFaults
from andon.hardware.messaging.broker import tls_context
from andon.models.types.errors import OptionError, RecordError, ResourceError
from andon.models.types.moments import EPOCH
from andon.models.types.vibration import Signal

QOS = 1
WAITING = 64
"""Messages that the broker may send before one is acknowledged; more wait there and not in this process."""

REPEATED = 1024
"""A sequence number that lies this little behind the last comes again; one further behind was counted anew."""

MOST_MISSING = 1_000_000
"""A number further ahead was counted anew as well."""

_CHANNELS = 10_000
_LOOK_S = 0.1
_LET_GO_S = 1.0
_RETRY_S = (1, 30)


class TimeSource(StrEnum):
    """Whose clock gives blocks their time."""

    SENSOR = "sensor"
    """The sensor's, which something keeps right; a message that says no time ended when it came."""

    BOX = "box"
    """The box's: the sensor's is followed by when messages come. Where messages say no time, their samples are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSensorSettings:
    """A broker and what sensors publish there.

    Parameters
    ----------
    topic
        Levels with ``/`` between; ``{asset}``, ``{sensor}``, ``{rate_hz}`` and ``{unit}`` stand for what a level says.
    client_id
        Names the session at the broker: one of its own for each source of each box.
    asset, sensor, rate_hz, unit
        What neither the payload nor a user property of the message nor the topic says.
    max_gap_s
        The longest time between two messages of a sensor that leaves nothing out; None where sensors send snapshots.
    keep_s
        For how long the broker keeps what comes while the box is away.
    ca_file
        Certificates of the authority that is trusted; given, the connection is encrypted.
    """

    host: str
    topic: str
    client_id: str
    port: int = 1883
    payload: Payload = Payload.JSON
    asset: str = ""
    sensor: str = ""
    rate_hz: float | None = None
    unit: str | None = None
    time: TimeSource = TimeSource.SENSOR
    max_gap_s: float | None = None
    max_payload_bytes: int = 16 * 2**20
    keep_s: int = 7 * 86_400
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    timeout_s: float = 5.0

    def __post_init__(self) -> None:
        TopicPattern(self.topic)
        if not self.client_id:
            raise OptionError("acquisition.empty", "client_id")
        for name in ("port", "max_payload_bytes", "keep_s", "timeout_s"):
            if not getattr(self, name) > 0:
                raise OptionError("acquisition.not_positive", name, found=getattr(self, name))


@dataclass(frozen=True, slots=True, eq=False)
class _Arrived:
    """A message with when it came, and on which connection: only there may it be acknowledged."""

    message: MQTTMessage
    at: Moment
    connection: int


class MqttSensors:
    """A ``SignalSource`` of messages. A broker that is away is reported, and waited for.

    Parameters
    ----------
    report
        Told of messages that cannot be used or are missing, by topic, and of a broker that is away; called by the thread that draws
        the blocks and by that of the connection.
    stop
        Ends ``blocks`` once it is set.
    """

    def __init__(self, settings: MqttSensorSettings, report: Report, stop: Event) -> None:
        self._settings = settings
        self._pattern = TopicPattern(settings.topic)
        self._stop = stop
        self._report = report
        self._faults = StandingFaults(report)
        self._away = StandingFaults(report)
        self._address = f"{settings.host}:{settings.port}"
        self._defaults = Said(
            asset=settings.asset or None, sensor=settings.sensor or None, rate_hz=settings.rate_hz, unit=settings.unit
        )
        self._arrived: Queue[_Arrived] = Queue(WAITING)
        self._closed = Event()
        self._connection = 0
        self._times = SensorTimes(settings.time, settings.max_gap_s)
        self._client = self._new_client()

    def __enter__(self) -> Self:
        expiry = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        expiry.SessionExpiryInterval = self._settings.keep_s
        expiry.ReceiveMaximum = WAITING
        host, port = self._settings.host, self._settings.port
        self._client.connect_async(host, port, clean_start=False, properties=expiry)
        self._client.loop_start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._client.loop_stop()  # ends once acknowledgements are written
        _let_go(self._client.socket())

    def blocks(self) -> Iterator[Signal]:
        """Deliver what comes until ``stop`` is set."""
        while not self._stop.is_set():
            try:
                arrived = self._arrived.get(timeout=_LOOK_S)
            except Empty:
                continue
            yield from self._read(arrived)
            self._acknowledge(arrived)

    def _read(self, arrived: _Arrived) -> Iterator[Signal]:
        topic = arrived.message.topic
        try:
            delivery = self._delivery(topic, arrived.message)
        except RecordError as error:
            self._faults.note(error)
            return
        self._faults.clear(topic)
        block, missing = self._times.timed(delivery, arrived.at, topic)
        if missing:
            self._report(missing)
        yield block

    def _delivery(self, topic: str, message: MQTTMessage) -> Delivery:
        limit = self._settings.max_payload_bytes
        if len(message.payload) > limit:
            raise RecordError("acquisition.payload_size", topic, found=len(message.payload), limit=limit)
        said = said_of(topic, _user_properties(message)).over(self._pattern.said(topic))
        return read_message(self._settings.payload, topic, bytes(message.payload), said.over(self._defaults))

    def _acknowledge(self, arrived: _Arrived) -> None:
        if arrived.connection == self._connection:
            self._client.ack(arrived.message.mid, arrived.message.qos)

    def _new_client(self) -> Client:
        settings = self._settings
        client = Client(
            CallbackAPIVersion.VERSION2, settings.client_id, protocol=MQTTv5, manual_ack=True, reconnect_on_failure=True
        )
        client.connect_timeout = settings.timeout_s
        client.reconnect_delay_set(*_RETRY_S)
        if settings.ca_file:
            client.tls_set_context(tls_context(settings.ca_file))
        if settings.user is not None:
            client.username_pw_set(settings.user, settings.password)
        client.on_pre_connect = lambda *_: self._count_connection()
        client.on_connect = lambda client, _data, _flags, code, _more: self._connected(client, code)
        client.on_connect_fail = lambda *_: self._lost("no connection")
        client.on_disconnect = lambda _client, _data, _flags, code, _more: self._lost(str(code))
        client.on_subscribe = lambda _client, _data, _mid, codes, _more: self._subscribed(codes)
        client.on_message = lambda _client, _data, message: self._take(message)
        return client

    def _count_connection(self) -> None:
        self._connection += 1

    def _connected(self, client: Client, code: Any) -> None:
        if code.is_failure:
            self._lost(str(code))
            return
        self._away.clear(self._address)
        # What was retained comes with a new session alone.
        options = SubscribeOptions(QOS, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        client.subscribe(self._pattern.filter, options=options)

    def _subscribed(self, codes: list[Any]) -> None:
        for code in codes:
            if code.is_failure:
                self._away.note(
                    ResourceError("acquisition.refused", self._address, topic=self._pattern.filter, reason=str(code))
                )

    def _lost(self, reason: str) -> None:
        if not self._closed.is_set():
            self._away.note(ResourceError("acquisition.away", self._address, reason=reason))

    def _take(self, message: MQTTMessage) -> None:
        """Hand a message over. There is always room for what is acknowledged; what is not, is lost where there is none."""
        arrived = _Arrived(message, box_moment(), self._connection)
        if self._arrived.empty():
            self._away.clear(message.topic)
        try:
            self._arrived.put_nowait(arrived)
        except Full:
            if not message.qos:
                self._away.note(ResourceError("acquisition.overflow", message.topic, limit=WAITING))
                return
            self._put_patiently(arrived)

    def _put_patiently(self, arrived: _Arrived) -> None:
        while not self._closed.is_set():
            try:
                return self._arrived.put(arrived, timeout=_LOOK_S)
            except Full:
                continue
        return None


@dataclass(frozen=True, slots=True)
class _Channel:
    """What is remembered of a sensor: the last number, when its last message ended by its own clock (``EPOCH`` is 0), and that clock."""

    sequence: int | None = None
    end_s: float = 0.0
    clock: ClockState = field(default_factory=ClockState)


class SensorTimes:
    """Gives blocks their time, and says what is missing between two of a sensor."""

    def __init__(self, source: TimeSource, max_gap_s: float | None) -> None:
        self._source = source
        self._max_gap_s = max_gap_s
        self._channels: OrderedDict[tuple[str, str], _Channel] = OrderedDict()

    def timed(self, delivery: Delivery, at: Moment, topic: str) -> tuple[Signal, RecordError | None]:
        """Return the block with its time, and what is missing before it."""
        block, name = delivery.signal, (delivery.signal.asset, delivery.signal.sensor)
        before = self._channels.get(name, _Channel())
        ahead = _ahead(before, delivery)
        start_s = (block.time - EPOCH).total_seconds() if block.time else before.end_s + ahead * block.duration_s
        is_counted = block.time is None and ahead >= 0
        time, clock = self._time(block, before.clock, start_s, at, 1 if is_counted else ClockSettings().confirm)
        missing = self._missing(before, block, ahead, topic)
        if ahead >= 0:  # one that comes again is no news
            self._remember(name, _Channel(delivery.sequence, start_s + block.duration_s, clock))
        return replace(block, time=time), missing

    def _remember(self, name: tuple[str, str], channel: _Channel) -> None:
        self._channels[name] = channel
        self._channels.move_to_end(name)
        if len(self._channels) > _CHANNELS:
            self._channels.popitem(last=False)

    def _time(
        self, block: Signal, clock: ClockState, start_s: float, at: Moment, confirm: int
    ) -> tuple[datetime, ClockState]:
        """Return when the block began, and its clock; a count of samples that does not fit begins anew at once."""
        if self._source is TimeSource.SENSOR:
            return block.time or at.utc - timedelta(seconds=block.duration_s), clock
        settings = ClockSettings(confirm=confirm)
        clock, stamped = stamp(settings, clock, start_s, block.duration_s, at)
        return stamped.time, clock

    def _missing(self, before: _Channel, block: Signal, ahead: int, topic: str) -> RecordError | None:
        if ahead > 0:
            return RecordError("acquisition.missing", topic, found=ahead)
        if block.time is None or self._max_gap_s is None or not before.end_s:
            return None
        gap_s = (block.time - EPOCH).total_seconds() - before.end_s
        is_gap = gap_s > self._max_gap_s
        return RecordError("acquisition.gap", topic, found=round(gap_s, 3), limit=self._max_gap_s) if is_gap else None


def _let_go(connection: Any) -> None:
    """Close a connection so that the broker reads what was written.

    A connection that is closed with messages still unread is reset, and then what is on its way to the broker is thrown away: messages that
    were acknowledged would come again.
    """
    if connection is None:
        return
    with suppress(OSError):
        connection.settimeout(_LET_GO_S)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 16):
            pass
    connection.close()


def _ahead(before: _Channel, delivery: Delivery) -> int:
    """How many messages are missing before this one; negative for one that comes again, 0 where numbers begin anew."""
    if before.sequence is None or delivery.sequence is None:
        return 0
    ahead = delivery.sequence - before.sequence - 1
    return ahead if -REPEATED < ahead <= MOST_MISSING and delivery.sequence else 0


def _user_properties(message: MQTTMessage) -> Mapping[str, str]:
    properties = message.properties
    return dict(getattr(properties, "UserProperty", ())) if properties else {}
