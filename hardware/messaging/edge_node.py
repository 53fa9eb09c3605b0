"""What an edge node of Sparkplug B says and when, as a pure step: state goes in, state and messages come out.

Eclipse Sparkplug Specification 3.0.0: topics by chapter 4, births, deaths and rebirths by chapter 5, payloads by section 6.4. An edge node is
one box; each station and each asset is a device of it. Every metric has an alias, one for the whole node, that data speaks of it by; ``bdSeq``
and ``Node Control/Rebirth`` have none, as section 6.4 asks for.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from andon.hardware.messaging.broker import BrokerSettingError
from andon.hardware.messaging.sparkplug_payload import DataType, Metric, Payload, PayloadError, decode, encode

NAMESPACE = "spBv1.0"
REBIRTH, BD_SEQ = "Node Control/Rebirth", "bdSeq"
NUMBERS = 256
"""Sequence numbers run from 0 to 255 and begin again."""

_DEATH_QOS = 1


@dataclass(frozen=True, slots=True)
class NodeName:
    """What an edge node is called: unique at the broker."""

    group: str
    node: str

    def __post_init__(self) -> None:
        check_name("group", self.group)
        check_name("node", self.node)

    def topic(self, verb: str, device: str = "") -> str:
        """Where a message of this node, or of a device of it, is published.

        >>> NodeName("plant", "box").topic("DDATA", "s1")
        'spBv1.0/plant/DDATA/box/s1'
        """
        return "/".join((NAMESPACE, self.group, verb, self.node, *([device] if device else [])))


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish, never retained."""

    topic: str
    payload: bytes
    qos: int = 0


@dataclass(frozen=True, slots=True)
class Device:
    """A device as its birth tells of it: the newest value of each metric, by name, and whether it has been born on this connection."""

    metrics: Mapping[str, Metric]
    is_born: bool = False


@dataclass(frozen=True, slots=True)
class NodeState:
    """Where an edge node stands.

    Parameters
    ----------
    bd_seq
        Number of the connection.
    seq
        Number of the next message.
    lost
        Devices that cannot say anything now.
    """

    name: NodeName
    bd_seq: int = 0
    seq: int = 0
    devices: Mapping[str, Device] = field(default_factory=lambda: MappingProxyType({}))
    lost: frozenset[str] = frozenset()


Step = tuple[NodeState, tuple[Outgoing, ...]]


def check_name(what: str, name: str) -> None:
    """Check that a name can stand in a topic. Raises ``BrokerSettingError``."""
    if not name or set(name) & set("/+#\0"):
        raise BrokerSettingError("messaging.name", what, found=name)


def connecting(state: NodeState, bd_seq: int, now: datetime) -> tuple[NodeState, Outgoing]:
    """Begin a connection: return what the broker is to say when it breaks."""
    begun = replace(_unborn(state), bd_seq=bd_seq, seq=0)
    return begun, death(begun, now)


def death(state: NodeState, now: datetime) -> Outgoing:
    """Say that the node is gone, which ends its devices too."""
    return Outgoing(state.name.topic("NDEATH"), encode(Payload(now, (_bd_seq(state, now),))), _DEATH_QOS)


def births(state: NodeState, now: datetime) -> Step:
    """Tell anew all there is to know, when connected and whenever a host asks for it: the node, then each device that is not lost."""
    control = Metric(REBIRTH, DataType.BOOLEAN, False, now)
    payload = Payload(now, (_bd_seq(state, now), control), 0)
    begun = replace(state, seq=1)
    first = Outgoing(state.name.topic("NBIRTH"), encode(payload))
    return _all(begun, (first,), [name for name in state.devices if name not in state.lost], now)


def reported(state: NodeState, device: str, metrics: Sequence[Metric], now: datetime) -> Step:
    """Tell what is so now: as data, or by a birth where the device is not there yet or has new metrics.

    Raises
    ------
    PayloadError
        A metric has another type than before, or a value that does not fit its type.
    BrokerSettingError
        The device has a name that cannot stand in a topic.
    """
    known, is_new = _learnt(state, device, metrics)
    alive = replace(known, lost=known.lost - {device})
    if is_new:
        return _birth(alive, device, now)
    return _data(alive, device, metrics, now)


def replayed(state: NodeState, device: str, metrics: Sequence[Metric], now: datetime) -> Step:
    """Tell what was so while nobody heard it; the values of now are left as they are. Raises as ``reported`` does."""
    before = _names(state, device)
    for metric in metrics:
        _check_type(before.get(metric.name), metric)
    fresh = [replace(each, value=None, time=None) for each in metrics if each.name not in before]
    known, is_new = _learnt(state, device, fresh)
    born, said = _birth(known, device, now) if is_new else (known, ())
    told, data = _data(born, device, [replace(metric, is_historical=True) for metric in metrics], now)
    if device not in state.lost:
        return told, (*said, *data)
    dead, last = device_lost(told, device, now)
    return dead, (*said, *data, *last)


def device_lost(state: NodeState, device: str, now: datetime) -> Step:
    """Tell that a device can say nothing any more; what is reported of it next brings it back."""
    lost = replace(state, lost=state.lost | {device})
    if device not in state.devices or not state.devices[device].is_born:
        return lost, ()
    said, payload = _numbered(lost, Payload(now))
    gone = replace(said.devices[device], is_born=False)
    return _with_device(said, device, gone), (Outgoing(state.name.topic("DDEATH", device), payload),)


def declared(state: NodeState, device: str, metrics: Sequence[Metric]) -> NodeState:
    """Note before the births what metrics a device will have. Raises as ``reported`` does."""
    return _learnt(state, device, metrics)[0]


def asks_for_rebirth(payload: bytes) -> bool:
    """Whether a command to the node (NCMD) is ``Node Control/Rebirth``; a damaged one is not."""
    try:
        metrics = decode(payload).metrics
    except PayloadError:
        return False
    return any(metric.name == REBIRTH and metric.value is True for metric in metrics)


def _names(state: NodeState, device: str) -> Mapping[str, Metric]:
    return state.devices[device].metrics if device in state.devices else {}


def _learnt(state: NodeState, device: str, metrics: Sequence[Metric]) -> tuple[NodeState, bool]:
    """Take metrics into a device; says whether a birth has to tell of it."""
    check_name("device", device)
    known = dict(_names(state, device))
    next_alias = sum(len(each.metrics) for each in state.devices.values())
    before = len(known)
    for metric in metrics:
        alias = known[metric.name].alias if metric.name in known else next_alias + len(known) - before
        _check_type(known.get(metric.name), metric)
        known[metric.name] = replace(metric, alias=alias)
    is_born = device in state.devices and state.devices[device].is_born
    learnt = _with_device(state, device, Device(MappingProxyType(known), is_born))
    return learnt, not is_born or len(known) > before


def _check_type(before: Metric | None, metric: Metric) -> None:
    if before is not None and before.datatype is not metric.datatype:
        found, expected = (each.datatype.name if each.datatype else "?" for each in (metric, before))
        raise PayloadError("messaging.datatype", metric.name, found=found, expected=expected)


def _birth(state: NodeState, device: str, now: datetime) -> Step:
    metrics = tuple(replace(each, time=each.time or now) for each in state.devices[device].metrics.values())
    said, payload = _numbered(state, Payload(now, metrics))
    born = replace(state.devices[device], is_born=True)
    return _with_device(said, device, born), (Outgoing(state.name.topic("DBIRTH", device), payload),)


def _data(state: NodeState, device: str, metrics: Sequence[Metric], now: datetime) -> Step:
    known = state.devices[device].metrics
    told = tuple(replace(each, name="", alias=known[each.name].alias, time=each.time or now) for each in metrics)
    said, payload = _numbered(state, Payload(now, told))
    return said, (Outgoing(state.name.topic("DDATA", device), payload),)


def _numbered(state: NodeState, payload: Payload) -> tuple[NodeState, bytes]:
    return replace(state, seq=(state.seq + 1) % NUMBERS), encode(replace(payload, seq=state.seq))


def _all(state: NodeState, said: tuple[Outgoing, ...], devices: Iterable[str], now: datetime) -> Step:
    for device in devices:
        state, more = _birth(state, device, now)
        said = (*said, *more)
    return state, said


def _unborn(state: NodeState) -> NodeState:
    devices = {name: replace(device, is_born=False) for name, device in state.devices.items()}
    return replace(state, devices=MappingProxyType(devices))


def _with_device(state: NodeState, name: str, device: Device) -> NodeState:
    return replace(state, devices=MappingProxyType({**state.devices, name: device}))


def _bd_seq(state: NodeState, now: datetime) -> Metric:
    return Metric(BD_SEQ, DataType.INT64, state.bd_seq, now)
