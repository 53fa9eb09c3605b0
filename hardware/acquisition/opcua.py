"""Sensors and controllers that serve OPC UA: values they have computed, and arrays of samples."""

from collections.abc import Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from numbers import Real
from queue import Empty, Full, Queue
from threading import Event
from time import monotonic
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.subscription import Subscription
from asyncua.sync import ThreadLoop, ThreadLoopNotRunning
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.uaerrors import UaError

from andon.hardware.acquisition.names import check_names
from andon.hardware.acquisition.standing import Report, StandingFaults
from andon.models.types.errors import OptionError, RecordError, ResourceError
from andon.models.types.vibration import Signal, Unit

T = TypeVar("T")

KEPT = 64
"""Values that the server keeps for a node between two of its messages, and blocks that wait here."""

_OVERFLOW = 0x480
"""Info type and bit of a status code that say that values before this one were lost: OPC 10000-4, 7.39."""

_LOOK_S = 0.1
_CHECK_S = 1.0
_FAILED = (OSError, CancelledError, UaError, ThreadLoopNotRunning)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpcUaServer:
    """Where a server answers, and for how long it is waited for.

    Parameters
    ----------
    url
        ``opc.tcp://host:4840/path``.
    """

    url: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout_s: float = 2.0

    def __post_init__(self) -> None:
        if not self.url.startswith("opc.tcp://"):
            raise OptionError("acquisition.url", "url", found=self.url)
        if not self.timeout_s > 0:
            raise OptionError("acquisition.not_positive", "timeout_s", found=self.timeout_s)


class OpcUaLink:
    """A connection that is made anew after it failed; its network runs in a thread of its own."""

    def __init__(self, server: OpcUaServer) -> None:
        self._server = server
        self._loop = ThreadLoop(2 * server.timeout_s)
        self._client: Client | None = None

    def __enter__(self) -> Self:
        """Start the thread; the first request connects."""
        self._loop.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect and end the thread."""
        try:
            self.disconnect()
        finally:
            self._loop.stop()

    def client(self) -> Client:
        """Return a client that is connected. Raises ``ResourceError``."""
        if self._client is None:
            client = Client(self._server.url, timeout=self._server.timeout_s)
            if self._server.user is not None:
                client.set_user(self._server.user)
                client.set_password(self._server.password or "")
            self._client = client
            self.ask(client.connect())
        return self._client

    def ask(self, request: Coroutine[Any, Any, T]) -> T:
        """Wait for an answer; raises ``ResourceError`` where none comes, and then the connection is gone."""
        try:
            return self._loop.post(request)
        except _FAILED as error:
            self.disconnect()
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ResourceError("acquisition.away", self._server.url, reason=reason) from error

    def disconnect(self) -> None:
        """Give the connection up, whatever state it is in."""
        client, self._client = self._client, None
        if client is None:
            return
        try:
            self._loop.post(client.disconnect())
        except _FAILED:
            return


@dataclass(frozen=True, slots=True, kw_only=True)
class OpcUaValue:
    """A node whose value is a measure.

    Parameters
    ----------
    name
        Of the measure, with the unit that it has after scaling at its end: ``velocity_rms_mm_s``.
    node
        Its identifier: ``ns=2;s=P-101.Velocity``.
    """

    name: str
    node: str
    scale: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        check_node(self.node)


class OpcUaReadout:
    """A ``Readout`` of nodes' values, in one request.

    A value is None where its status is not good, its source timestamp is older than ``max_age_s`` or it is no finite number.

    Parameters
    ----------
    values
        At least one; their names differ.
    max_age_s
        None for servers whose timestamps stand still while a value does not change, as most do.
    """

    def __init__(self, server: OpcUaServer, values: Sequence[OpcUaValue], max_age_s: float | None = None) -> None:
        check_names([each.name for each in values])
        self._values, self._max_age_s = values, max_age_s
        self.address = server.url
        self.link = OpcUaLink(server)

    def read(self, now: datetime, faults: StandingFaults) -> Mapping[str, float | None]:
        """Read all. Raises ``ResourceError``."""
        client = self.link.client()
        found = self.link.ask(client.read_attributes([client.get_node(each.node) for each in self._values]))
        return {
            each.name: self._measure(each, value, now, faults) for each, value in zip(self._values, found, strict=True)
        }

    def _measure(self, asked: OpcUaValue, found: ua.DataValue, now: datetime, faults: StandingFaults) -> float | None:
        subject = f"{self.address} {asked.node}"
        try:
            value = asked.scale * _number(believed(found, subject), subject) + asked.offset
            self._check_age(found, subject, now)
        except RecordError as error:
            faults.note(error)
            return None
        faults.clear(subject)
        return value

    def _check_age(self, found: ua.DataValue, subject: str, now: datetime) -> None:
        taken = source_time(found)
        if self._max_age_s is None or taken is None:
            return
        age_s = (now - taken).total_seconds()
        if age_s > self._max_age_s:
            raise RecordError("acquisition.stale", subject, found=round(age_s, 3), limit=self._max_age_s)


class Stamped(StrEnum):
    """Which end of an array its source timestamp says."""

    START = "start"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpcUaArray:
    """A node whose value is an array of samples, written anew for each block.

    Parameters
    ----------
    node
        Its identifier: ``ns=2;s=P-101.Waveform``.
    scale
        What a 1 means in ``unit``.
    """

    node: str
    sensor: str
    rate_hz: float
    unit: Unit
    scale: float = 1.0
    stamped: Stamped = Stamped.END

    def __post_init__(self) -> None:
        check_node(self.node)
        if not self.rate_hz > 0:
            raise OptionError("acquisition.not_positive", "rate_hz", found=self.rate_hz)


class OpcUaWaveforms:
    """A ``SignalSource`` of the arrays of one server, by subscription: each value that is written is a block.

    A value whose status is not good is left out and reported, once for as long as that lasts; a block without a source timestamp ended when
    it came. A node that the server does not have yet is reported alike, and asked for again. After the server was away the value that is there
    comes, unless it is the one that came last.

    Parameters
    ----------
    every_s
        How often the server is to look at the nodes and to send what it found; it keeps 64 values a node in between.
    report
        Told of what cannot be believed, was lost or cannot be reached.
    stop
        Ends ``blocks`` once it is set, within twice the time that the server is waited for.
    """

    def __init__(
        self,
        *,
        server: OpcUaServer,
        asset: str,
        every_s: float,
        arrays: tuple[OpcUaArray, ...],
        report: Report,
        stop: Event,
    ) -> None:
        check_names([each.node for each in arrays])
        if not every_s > 0:
            raise OptionError("acquisition.not_positive", "every_s", found=every_s)
        self._server, self._asset, self._stop, self._every_s = server, asset, stop, every_s
        self._arrays = {ua.NodeId.from_string(each.node): each for each in arrays}
        self._report = report
        self._faults = StandingFaults(report)
        self._link = OpcUaLink(server)
        self._came: Queue[tuple[OpcUaArray, ua.DataValue, datetime]] = Queue(KEPT)
        self._last: dict[str, datetime] = {}

    def __enter__(self) -> Self:
        self._link.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link.__exit__(kind, error, trace)

    def blocks(self) -> Iterator[Signal]:
        """Deliver what is written until ``stop`` is set."""
        while not self._stop.is_set():
            try:
                yield from self._until_lost()
            except ResourceError as error:
                self._faults.note(error)
                self._stop.wait(_CHECK_S)

    def datachange_notification(self, node: Any, _value: object, data: Any) -> None:
        """Take what asyncua hands over, in its thread."""
        array = self._arrays[node.nodeid]
        try:
            self._came.put_nowait((array, data.monitored_item.Value, datetime.now(UTC)))
        except Full:
            self._faults.note(RecordError("acquisition.overflow", self._subject(array), limit=KEPT))

    def _monitored(self, subscription: Subscription, nodes: Sequence[ua.NodeId]) -> list[ua.NodeId]:
        """Have the server look at nodes; return those that it refuses."""
        answers = self._link.ask(subscription.create_monitored_items(map(self._item, nodes))) if nodes else ()
        refused: list[ua.NodeId] = []
        for node, answer in zip(nodes, answers, strict=True):
            if isinstance(answer, ua.StatusCode):
                self._faults.note(
                    RecordError("acquisition.status", self._subject(self._arrays[node]), found=answer.name)
                )
                refused.append(node)
        return refused

    def _item(self, node: ua.NodeId) -> ua.MonitoredItemCreateRequest:
        """Ask for each value that is written, also for one that is equal to the last: a sensor that is dead sends the same."""
        changes = ua.DataChangeFilter(ua.DataChangeTrigger.StatusValueTimestamp)
        interval_ms = ua.Double(1000 * self._every_s)
        handle = ua.IntegerId([*self._arrays].index(node))
        how = ua.MonitoringParameters(handle, interval_ms, changes, ua.Counter(KEPT), DiscardOldest=True)
        what = ua.ReadValueId(node, AttributeIds.Value)
        return ua.MonitoredItemCreateRequest(what, ua.MonitoringMode.Reporting, how)

    def _until_lost(self) -> Iterator[Signal]:
        """Deliver what comes over one connection. Raises ``ResourceError`` once it is lost."""
        client = self._link.client()
        subscription = self._link.ask(client.create_subscription(1000 * self._every_s, self))
        unseen = self._monitored(subscription, [*self._arrays])
        self._faults.clear(self._server.url)
        check_s = monotonic() + _CHECK_S
        while not self._stop.is_set():
            if monotonic() > check_s:
                self._link.ask(client.check_connection())
                unseen = self._monitored(subscription, unseen)
                check_s = monotonic() + _CHECK_S
            try:
                array, value, came = self._came.get(timeout=_LOOK_S)
            except Empty:
                continue
            yield from self._block(array, value, came)

    def _block(self, array: OpcUaArray, value: ua.DataValue, came: datetime) -> Iterator[Signal]:
        subject, taken = self._subject(array), source_time(value)
        if taken is not None and self._last.get(array.node) == taken:
            return
        if value.StatusCode and value.StatusCode.value & _OVERFLOW == _OVERFLOW:
            self._report(RecordError("acquisition.overflow", subject, limit=KEPT))
        try:
            samples = array.scale * _samples(believed(value, subject), subject)
        except RecordError as error:
            self._faults.note(error)
            return
        self._faults.clear(subject)
        if taken is not None:
            self._last[array.node] = taken
        duration = timedelta(seconds=len(samples) / array.rate_hz)
        is_start = taken is not None and array.stamped is Stamped.START
        time = (taken or came) - (timedelta(0) if is_start else duration)
        yield Signal(samples, array.rate_hz, array.unit, array.sensor, self._asset, time)

    def _subject(self, array: OpcUaArray) -> str:
        return f"{self._server.url} {array.node}"


def believed(found: ua.DataValue, subject: str) -> Any:
    """Return a value whose status is good.

    Raises
    ------
    RecordError
        Its status is bad or uncertain (OPC 10000-4, 7.39), or it has no value.
    """
    status = found.StatusCode
    if status is not None and not status.is_good():
        raise RecordError("acquisition.status", subject, found=status.name)
    if found.Value is None or found.Value.Value is None:
        raise RecordError("acquisition.no_value", subject)
    return found.Value.Value


def source_time(found: ua.DataValue) -> datetime | None:
    """When a value was taken, in UTC; None where the server does not say."""
    time = found.SourceTimestamp
    return time and (time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC))


def check_node(text: str) -> None:
    """Raise ``OptionError`` where a text is no identifier of a node."""
    try:
        ua.NodeId.from_string(text)
    except (UaError, ValueError) as error:
        raise OptionError("acquisition.node", "node", found=text) from error


def _number(value: Any, subject: str) -> float:
    if not isinstance(value, Real) or not np.isfinite(float(value)):
        raise RecordError("acquisition.no_number", subject, found=str(value)[:80])
    return float(value)


def _samples(value: Any, subject: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    try:
        samples = np.asarray(value, np.float64)
    except (TypeError, ValueError) as error:
        raise RecordError("acquisition.no_samples", subject, found=type(value).__name__) from error
    if samples.ndim != 1 or not len(samples):
        raise RecordError("acquisition.no_samples", subject, found=str(list(samples.shape)))
    return samples
