"""Payloads of Sparkplug B, as protobuf.

Eclipse Sparkplug Specification 3.0.0, section 6.4. The message is described here by its field numbers, because the encoders that can be had
pin old versions of protobuf; fields that are not used are left out, and skipped where they are read (DataSet, Template, PropertySet).
"""

import math
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import cache
from typing import Any
from uuid import UUID

from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, EncodeError
from google.protobuf.message_factory import GetMessageClass

from andon.models.types.errors import InputError
from andon.models.types.moments import unix_us, utc

Value = bool | int | float | str | bytes | datetime | UUID

_PACKAGE = "andon.sparkplug_b"
_PAYLOAD = (
    ("timestamp", 1, Field.TYPE_UINT64),
    ("metrics", 2, Field.TYPE_MESSAGE),
    ("seq", 3, Field.TYPE_UINT64),
)
_METRIC = (
    ("name", 1, Field.TYPE_STRING),
    ("alias", 2, Field.TYPE_UINT64),
    ("timestamp", 3, Field.TYPE_UINT64),
    ("datatype", 4, Field.TYPE_UINT32),
    ("is_historical", 5, Field.TYPE_BOOL),
    ("is_null", 7, Field.TYPE_BOOL),
)
_VALUES = (
    ("int_value", 10, Field.TYPE_UINT32),
    ("long_value", 11, Field.TYPE_UINT64),
    ("float_value", 12, Field.TYPE_FLOAT),
    ("double_value", 13, Field.TYPE_DOUBLE),
    ("boolean_value", 14, Field.TYPE_BOOL),
    ("string_value", 15, Field.TYPE_STRING),
    ("bytes_value", 16, Field.TYPE_BYTES),
)


class DataType(IntEnum):
    """Types of values, by their numbers in section 6.4.16."""

    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15
    BYTES = 17


class PayloadError(InputError):
    """Bytes are no payload of Sparkplug B, or a value does not fit its type."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One value at one moment.

    Parameters
    ----------
    name
        Empty where the alias stands for it.
    datatype
        Not written where the alias stands for the name, as the birth has told it. None where none was read that is known here: ``value``
        is then as it was on the wire.
    value
        A ``datetime`` in UTC, to the millisecond, for a DateTime; a ``uuid.UUID`` for a UUID; None for null.
    time
        When it was so, in UTC; None where nobody says.
    is_historical
        It was so at ``time`` and says nothing of now.
    """

    name: str
    datatype: DataType | None
    value: Value | None
    time: datetime | None = None
    alias: int | None = None
    is_historical: bool = False


@dataclass(frozen=True, slots=True)
class Payload:
    """What one message carries.

    Parameters
    ----------
    seq
        Sequence number, 0 to 255; None for NDEATH and commands.
    """

    time: datetime | None
    metrics: tuple[Metric, ...] = ()
    seq: int | None = None


_BITS = {
    DataType.INT8: 8,
    DataType.INT16: 16,
    DataType.INT32: 32,
    DataType.INT64: 64,
    DataType.UINT8: 8,
    DataType.UINT16: 16,
    DataType.UINT32: 32,
    DataType.UINT64: 64,
}
_TYPES = {each.value: each for each in DataType}
_SIGNED = {DataType.INT8, DataType.INT16, DataType.INT32, DataType.INT64}
_WIDE = {DataType.INT64, DataType.UINT64}
_FIELDS = {
    **{datatype: "long_value" if datatype in _WIDE else "int_value" for datatype in _BITS},
    DataType.FLOAT: "float_value",
    DataType.DOUBLE: "double_value",
    DataType.BOOLEAN: "boolean_value",
    DataType.STRING: "string_value",
    DataType.DATETIME: "long_value",
    DataType.TEXT: "string_value",
    DataType.UUID: "string_value",
    DataType.BYTES: "bytes_value",
}
_KINDS: dict[DataType, type | tuple[type, ...]] = {
    **dict.fromkeys(_BITS, int),
    DataType.FLOAT: (int, float),
    DataType.DOUBLE: (int, float),
    DataType.BOOLEAN: bool,
    DataType.STRING: str,
    DataType.DATETIME: datetime,
    DataType.TEXT: str,
    DataType.UUID: UUID,
    DataType.BYTES: bytes,
}


def encode(payload: Payload) -> bytes:
    """Write a payload.

    Raises
    ------
    PayloadError
        A value does not fit its type.
    """
    message = _message_class()()
    if payload.time is not None:
        message.timestamp = _unix_ms(payload.time)
    if payload.seq is not None:
        message.seq = payload.seq
    for metric in payload.metrics:
        _write(metric, message.metrics.add())
    return bytes(message.SerializeToString())


def decode(data: bytes) -> Payload:
    """Read a payload; fields and types that are not known here are passed over.

    Raises
    ------
    PayloadError
        The bytes are none, or hold a number that does not fit its type.
    """
    try:
        message = _message_class().FromString(data)
        return Payload(
            _moment(message),
            tuple(_read(metric) for metric in message.metrics),
            message.seq if message.HasField("seq") else None,
        )
    except (DecodeError, ValueError, OverflowError) as error:
        raise PayloadError("messaging.payload", "payload", reason=str(error)) from error


def fits(datatype: DataType, value: Value | None) -> bool:
    """Whether a type can hold a value.

    >>> fits(DataType.UINT8, 255), fits(DataType.UINT8, 256), fits(DataType.DOUBLE, "1")
    (True, False, False)
    """
    if value is None:
        return True
    if isinstance(value, bool) is not (datatype is DataType.BOOLEAN) or not isinstance(value, _KINDS[datatype]):
        return False
    return not isinstance(value, int) or datatype not in _BITS or value in _range(datatype)


def _range(datatype: DataType) -> range:
    bits = _BITS[datatype]
    return range(-(1 << bits - 1), 1 << bits - 1) if datatype in _SIGNED else range(1 << bits)


def _write(metric: Metric, message: Any) -> None:
    if metric.name:
        message.name = metric.name
    if metric.alias is not None:
        message.alias = metric.alias
    if metric.time is not None:
        message.timestamp = _unix_ms(metric.time)
    if metric.is_historical:
        message.is_historical = True
    if metric.datatype is None:
        raise PayloadError("messaging.value", metric.name, found=str(metric.value), datatype="known type")
    if metric.name:
        message.datatype = metric.datatype
    _write_value(metric, metric.datatype, message)


def _write_value(metric: Metric, datatype: DataType, message: Any) -> None:
    if metric.value is None:
        message.is_null = True
        return
    try:
        if not fits(datatype, metric.value):
            raise ValueError(datatype)
        setattr(message, _FIELDS[datatype], _to_wire(datatype, metric.value))
    except (ValueError, EncodeError, OverflowError) as error:
        found, name = str(metric.value)[:80], metric.name or str(metric.alias)
        raise PayloadError("messaging.value", name, found=found, datatype=datatype.name) from error


def _to_wire(datatype: DataType, value: Value) -> Any:
    match value:
        case datetime():
            return _unix_ms(value)
        case UUID():
            return str(value)
        case int() if datatype in _SIGNED:  # two's complement of the type's own width
            return value % (1 << _BITS[datatype])
        case int() | float() if datatype in (DataType.FLOAT, DataType.DOUBLE):
            return float(value)
    return value


def _read(message: Any) -> Metric:
    datatype = _TYPES.get(message.datatype)
    return Metric(
        message.name,
        datatype,
        _read_value(message, datatype),
        _moment(message),
        message.alias if message.HasField("alias") else None,
        message.is_historical,
    )


def _read_value(message: Any, datatype: DataType | None) -> Value | None:
    field = message.WhichOneof("value")
    if field is None or message.is_null:
        return None
    value: Value = getattr(message, field)
    return value if datatype is None else _from_wire(datatype, field, value)


def _from_wire(datatype: DataType, field: str, value: Value) -> Value:
    if field != _FIELDS[datatype]:
        raise ValueError(f"{datatype.name} in {field}")
    match datatype, value:
        case DataType.DATETIME, int():
            return utc(value * 1000)
        case DataType.UUID, str():
            return UUID(value)
        case _, int() if datatype in _BITS:
            return _signed(datatype, value)
    return value


def _signed(datatype: DataType, value: int) -> int:
    """Read an integer; some encoders extend the sign of a narrow one to the whole field."""
    bits = _BITS[datatype]
    if datatype in _SIGNED and value >= 1 << bits - 1:
        value -= 1 << (bits if value < 1 << bits else 64 if datatype is DataType.INT64 else 32)
    if value not in _range(datatype):
        raise ValueError(f"{value} as {datatype.name}")
    return value


def _moment(message: Any) -> datetime | None:
    return utc(message.timestamp * 1000) if message.HasField("timestamp") else None


def _unix_ms(time: datetime) -> int:
    return math.floor(unix_us(time) / 1000)


@cache
def _message_class() -> Any:
    """Make the class of the payload."""
    file = FileDescriptorProto(name="andon/sparkplug_b.proto", package=_PACKAGE, syntax="proto2")
    payload = file.message_type.add(name="Payload")
    for name, number, kind in _PAYLOAD:
        _add_field(payload, name, number, kind)
    payload.field[1].type_name = f".{_PACKAGE}.Payload.Metric"
    payload.field[1].label = Field.LABEL_REPEATED
    metric = payload.nested_type.add(name="Metric")
    for name, number, kind in _METRIC:
        _add_field(metric, name, number, kind)
    metric.oneof_decl.add(name="value")
    for name, number, kind in _VALUES:
        _add_field(metric, name, number, kind).oneof_index = 0
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))


def _add_field(message: Any, name: str, number: int, kind: Any) -> Any:
    return message.field.add(name=name, number=number, type=kind, label=Field.LABEL_OPTIONAL)
