"""The life of an edge node follows the specification, as pure steps."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andon.hardware.messaging.broker import BrokerSettingError
from andon.hardware.messaging.edge_node import (
    REBIRTH,
    NodeName,
    NodeState,
    Outgoing,
    asks_for_rebirth,
    births,
    connecting,
    death,
    declared,
    device_lost,
    replayed,
    reported,
)
from andon.hardware.messaging.sparkplug_payload import DataType, Metric, Payload, PayloadError, decode, encode

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=1)
NAME = NodeName("plant", "box")


def score(value: float | None, time: datetime = NOW) -> Metric:
    return Metric("Score", DataType.DOUBLE, value, time)


def verb(outgoing: Outgoing) -> str:
    return outgoing.topic.split("/", 2)[2]


def connected(*devices: str) -> NodeState:
    state, _ = connecting(NodeState(NAME), 7, NOW)
    for device in devices:
        state = declared(state, device, [score(None)])
    return births(state, NOW)[0]


def test_the_will_and_the_birth_carry_the_same_number_of_the_connection() -> None:
    state, will = connecting(NodeState(NAME), 255, NOW)
    _, (birth,) = births(state, NOW)
    assert (will.topic, will.qos) == ("spBv1.0/plant/NDEATH/box", 1)
    assert decode(will.payload) == Payload(NOW, (Metric("bdSeq", DataType.INT64, 255, NOW),))
    assert (birth.topic, birth.qos) == ("spBv1.0/plant/NBIRTH/box", 0)
    assert decode(birth.payload) == Payload(
        NOW, (Metric("bdSeq", DataType.INT64, 255, NOW), Metric(REBIRTH, DataType.BOOLEAN, False, NOW)), 0
    )
    assert decode(death(state, NOW).payload) == decode(will.payload)


def test_devices_are_born_with_the_node_and_data_speaks_of_them_by_alias() -> None:
    state = declared(declared(connecting(NodeState(NAME), 0, NOW)[0], "s1", [score(None)]), "s2", [score(None)])
    state, said = births(state, NOW)
    assert [verb(each) for each in said] == ["NBIRTH/box", "DBIRTH/box/s1", "DBIRTH/box/s2"]
    born = [decode(each.payload) for each in said[1:]]
    assert [each.seq for each in born] == [1, 2]
    assert [each.metrics for each in born] == [
        (Metric("Score", DataType.DOUBLE, None, NOW, alias=0),),
        (Metric("Score", DataType.DOUBLE, None, NOW, alias=1),),
    ]
    state, (data,) = reported(state, "s2", [score(1.5)], NOW)
    assert verb(data) == "DDATA/box/s2"
    assert decode(data.payload) == Payload(NOW, (Metric("", None, 1.5, NOW, alias=1),), 3)
    _, rebirth = births(state, NOW)
    assert [decode(each.payload).seq for each in rebirth] == [0, 1, 2]
    assert decode(rebirth[2].payload).metrics == (Metric("Score", DataType.DOUBLE, 1.5, NOW, alias=1),)


def test_sequence_numbers_begin_again_after_255() -> None:
    state, numbers = connected("s1"), []
    for turn in range(300):
        state, (data,) = reported(state, "s1", [score(float(turn))], NOW)
        numbers.append(decode(data.payload).seq)
    assert numbers == [number % 256 for number in range(2, 302)]


def test_a_new_device_and_a_new_metric_are_told_by_a_birth_that_holds_the_value() -> None:
    state, (birth,) = reported(connected("s1"), "s2", [score(2.0)], NOW)
    assert verb(birth) == "DBIRTH/box/s2"
    assert decode(birth.payload).metrics == (Metric("Score", DataType.DOUBLE, 2.0, NOW, alias=1),)
    serial = Metric("Serial", DataType.STRING, "7", NOW)
    _, (again,) = reported(state, "s2", [serial], NOW)
    assert verb(again) == "DBIRTH/box/s2"
    assert {(each.name, each.value, each.alias) for each in decode(again.payload).metrics} == {
        ("Score", 2.0, 1),
        ("Serial", "7", 2),
    }


def test_a_device_dies_once_and_what_is_reported_of_it_brings_it_back() -> None:
    state, (gone,) = device_lost(connected("s1"), "s1", NOW)
    assert (verb(gone), decode(gone.payload)) == ("DDEATH/box/s1", Payload(NOW, (), 2))
    assert device_lost(state, "s1", NOW)[1] == ()
    assert [verb(each) for each in births(state, NOW)[1]] == ["NBIRTH/box"]
    assert [verb(each) for each in reported(state, "s1", [score(1.0)], NOW)[1]] == ["DBIRTH/box/s1"]


def test_what_was_missed_is_told_as_history_and_changes_no_value_of_now() -> None:
    state, (data,) = replayed(connected("s1"), "s1", [score(9.0, EARLIER)], NOW)
    assert decode(data.payload) == Payload(NOW, (Metric("", None, 9.0, EARLIER, alias=0, is_historical=True),), 2)
    assert decode(births(state, NOW)[1][1].payload).metrics[0].value is None


def test_the_history_of_a_device_that_is_not_there_is_told_between_its_birth_and_its_death() -> None:
    _, said = replayed(connected(), "s9", [score(9.0, EARLIER)], NOW)
    assert [verb(each) for each in said] == ["DBIRTH/box/s9", "DDATA/box/s9"]
    assert decode(said[0].payload).metrics[0].value is None
    lost, _ = device_lost(connected("s1"), "s1", NOW)
    state, said = replayed(lost, "s1", [score(9.0, EARLIER)], NOW)
    assert [verb(each) for each in said] == ["DBIRTH/box/s1", "DDATA/box/s1", "DDEATH/box/s1"]
    assert [decode(each.payload).seq for each in said] == [3, 4, 5]
    assert not state.devices["s1"].is_born


def test_a_metric_keeps_its_type() -> None:
    for tell in (reported, replayed):
        with pytest.raises(PayloadError) as refused:
            tell(connected("s1"), "s1", [Metric("Score", DataType.STRING, "high", NOW)], NOW)
        assert (refused.value.params["found"], refused.value.params["expected"]) == ("STRING", "DOUBLE")


@pytest.mark.parametrize("name", ["", "a/b", "a+", "#"])
def test_a_name_that_cannot_stand_in_a_topic_is_refused(name: str) -> None:
    with pytest.raises(BrokerSettingError):
        NodeName("plant", name)
    with pytest.raises(BrokerSettingError):
        NodeName(name, "box")
    with pytest.raises(BrokerSettingError):
        reported(connected(), name, [score(1.0)], NOW)


def test_only_a_rebirth_that_is_true_is_one() -> None:
    def command(*metrics: Metric) -> bytes:
        return encode(Payload(NOW, metrics))

    assert asks_for_rebirth(command(Metric("x", DataType.INT8, 1), Metric(REBIRTH, DataType.BOOLEAN, True)))
    assert not asks_for_rebirth(command(Metric(REBIRTH, DataType.BOOLEAN, False)))
    assert not asks_for_rebirth(command(Metric(REBIRTH, DataType.INT32, 1)))
    assert not asks_for_rebirth(b"\xff\xff")


STEPS = st.lists(
    st.tuples(st.sampled_from(["report", "replay", "lost", "births"]), st.sampled_from("abc"), st.sampled_from("xyz")),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_whatever_happens_numbers_follow_and_data_comes_only_from_what_is_born(
    steps: list[tuple[str, str, str]],
) -> None:
    state = connecting(NodeState(NAME), 0, NOW)[0]
    state, said = births(state, NOW)
    sent = list(said)
    for what, device, name in steps * 8:
        metrics = [Metric(name, DataType.INT32, 1, NOW)]
        match what:
            case "report":
                state, said = reported(state, device, metrics, NOW)
            case "replay":
                state, said = replayed(state, device, metrics, NOW)
            case "lost":
                state, said = device_lost(state, device, NOW)
            case _:
                state, said = births(state, NOW)
        sent += said
    follow(sent)


def follow(sent: list[Outgoing]) -> None:
    """Follow what was sent as a host does."""
    born: dict[str, set[int | None]] = {}
    owners: dict[int | None, tuple[str, str]] = {}
    expected = 0
    for each in sent:
        kind, *_, device = verb(each).split("/")
        payload = decode(each.payload)
        if kind == "NBIRTH":
            born, expected = {}, 0
        assert payload.seq == expected
        expected = (expected + 1) % 256
        if kind == "DBIRTH":
            born[device] = {metric.alias for metric in payload.metrics}
            for metric in payload.metrics:
                assert owners.setdefault(metric.alias, (device, metric.name)) == (device, metric.name)
        elif kind == "DDATA":
            assert {metric.alias for metric in payload.metrics} <= born[device]
            assert all(metric.time is not None for metric in payload.metrics)
        elif kind == "DDEATH":
            del born[device]
