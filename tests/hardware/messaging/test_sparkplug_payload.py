"""Payloads survive the wire, and what is no payload is refused."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andon.hardware.messaging.sparkplug_payload import DataType, Metric, Payload, PayloadError, Value, decode, encode

TIME = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
EXAMPLES: tuple[tuple[DataType, Value], ...] = (
    (DataType.INT8, -128), (DataType.INT8, 127), (DataType.INT16, -32_768), (DataType.INT32, -(1 << 31)), (DataType.INT64, -(1 << 63)),
    (DataType.UINT8, 255), (DataType.UINT16, 65_535), (DataType.UINT32, (1 << 32) - 1), (DataType.UINT64, (1 << 64) - 1),
    (DataType.FLOAT, 0.5), (DataType.DOUBLE, 0.1), (DataType.BOOLEAN, True), (DataType.BOOLEAN, False), (DataType.STRING, "件号 7"),
    (DataType.DATETIME, TIME), (DataType.TEXT, "line\nline"), (DataType.UUID, UUID(int=7)), (DataType.BYTES, b"\x00\xff"),
)  # fmt: skip


def values(datatype: DataType) -> st.SearchStrategy[Value]:
    bits = {1: 8, 2: 16, 3: 32, 4: 64, 5: 8, 6: 16, 7: 32, 8: 64}
    if datatype <= DataType.INT64:
        return st.integers(-(1 << bits[datatype] - 1), (1 << bits[datatype] - 1) - 1)
    if datatype <= DataType.UINT64:
        return st.integers(0, (1 << bits[datatype]) - 1)
    others: dict[DataType, st.SearchStrategy[Value]] = {
        DataType.FLOAT: st.floats(width=32, allow_nan=False),
        DataType.DOUBLE: st.floats(allow_nan=False),
        DataType.BOOLEAN: st.booleans(),
        DataType.STRING: st.text(),
        DataType.DATETIME: st.integers(0, 4_000_000_000_000).map(
            lambda ms: datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)
        ),
        DataType.TEXT: st.text(),
        DataType.UUID: st.builds(uuid4),
        DataType.BYTES: st.binary(),
    }
    return others[datatype]


def metrics() -> st.SearchStrategy[Metric]:
    return st.sampled_from(DataType).flatmap(
        lambda datatype: st.builds(
            Metric,
            st.text(min_size=1),
            st.just(datatype),
            st.none() | values(datatype),
            st.none() | st.just(TIME),
            st.none() | st.integers(0, (1 << 64) - 1),
            st.booleans(),
        )
    )


@settings(max_examples=200, deadline=None)
@given(
    st.builds(
        Payload, st.none() | st.just(TIME), st.lists(metrics(), max_size=5).map(tuple), st.none() | st.integers(0, 255)
    )
)
def test_what_was_written_is_read_back(payload: Payload) -> None:
    assert decode(encode(payload)) == payload


def test_the_bytes_are_those_of_the_specification() -> None:
    """Written out by hand from the field numbers of section 6.4.1: tag = number << 3 | wire type."""
    metric = Metric("a", DataType.INT8, -1, alias=3, is_historical=True)
    inner = b"\x0a\x01a" + b"\x10\x03" + b"\x20\x01" + b"\x28\x01" + b"\x50\xff\x01"
    assert encode(Payload(None, (metric,), 255)) == b"\x12" + bytes([len(inner)]) + inner + b"\x18\xff\x01"


@pytest.mark.parametrize(
    ("datatype", "value"),
    [
        (DataType.UINT8, 256), (DataType.UINT8, -1), (DataType.INT8, 128), (DataType.UINT64, 1 << 64), (DataType.INT32, 1.0),
        (DataType.INT32, True), (DataType.BOOLEAN, 1), (DataType.DOUBLE, "1"), (DataType.STRING, b"a"), (DataType.UUID, "7"),
        (DataType.STRING, "\ud800"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_its_type_is_named(datatype: DataType, value: Value) -> None:
    with pytest.raises(PayloadError) as refused:
        encode(Payload(TIME, (Metric("speed", datatype, value),), 0))
    assert (refused.value.subject, refused.value.params["datatype"]) == ("speed", datatype.name)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_payload_or_refused(data: bytes) -> None:
    with suppress(PayloadError):
        decode(data)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_payload_is_read_or_refused(data: st.DataObject) -> None:
    whole = encode(Payload(TIME, tuple(Metric(f"m{n}", kind, value) for n, (kind, value) in enumerate(EXAMPLES)), 7))
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at] + data.draw(st.binary(max_size=4)) + whole[at + data.draw(st.integers(0, 4)) :]
    with suppress(PayloadError):
        decode(damaged)


def test_where_the_alias_stands_for_the_name_the_type_is_left_out() -> None:
    (read,) = decode(encode(Payload(TIME, (Metric("", DataType.UINT8, 7, alias=3),), 0))).metrics
    assert read == Metric("", None, 7, alias=3)


def test_a_narrow_negative_number_that_was_extended_to_the_field_is_read() -> None:
    inner = b"\x20\x01" + b"\x50\xff\xff\xff\xff\x0f"  # Int8, int_value 0xffffffff
    assert decode(b"\x12" + bytes([len(inner)]) + inner).metrics[0].value == -1
