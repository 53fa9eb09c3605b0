"""Samples from a real broker."""

import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from tests.hardware.acquisition.devices import Reported, drawn
from tests.serving.notify.receivers import Broker, broker, certify, eventually, free_port

from andon.hardware.acquisition.clocks import Moment
from andon.hardware.acquisition.mqtt import WAITING, MqttSensors, MqttSensorSettings, SensorTimes, TimeSource
from andon.hardware.acquisition.payloads import Delivery, Payload, Said, TopicPattern, read_message, said_of
from andon.models.types.errors import InputError, OptionError, RecordError
from andon.models.types.vibration import Signal, Unit

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
SAMPLES = np.arange(100) / 8
"""Exact in 32 bits."""
ALL = Said(asset="pump", sensor="DE", rate_hz=100.0, unit="g")


def settings_of(port: int, **said: Any) -> MqttSensorSettings:
    return replace(
        MqttSensorSettings(host="127.0.0.1", port=port, topic="plant/{asset}/{sensor}", client_id="box"), **said
    )


def envelope(number: int, **said: Any) -> bytes:
    time = str(NOON + timedelta(seconds=number))
    document = {"rate_hz": 100, "unit": "m/s2", "time": time, "sequence": number, "samples": SAMPLES.tolist()}
    return json.dumps({**document, **said}).encode()


def publish(port: int, messages: Sequence[tuple[str, bytes]], qos: int = 1) -> None:
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        for info in [client.publish(topic, body, qos) for topic, body in messages]:
            info.wait_for_publish(20)
    finally:
        client.disconnect()
        client.loop_stop()


def heard(port: int, topic: str, blocks: Sequence[Signal]) -> bool:
    """Publish until a source listens."""
    publish(port, [(topic, envelope(1))])
    return bool(blocks)


def opened(port: int, **said: Any) -> None:
    """Make the session, so that the broker keeps what comes from now on."""
    stop, reported = Event(), Reported()
    with MqttSensors(settings_of(port, **said), reported, stop) as source, drawn(source.blocks(), stop) as blocks:
        eventually(lambda: heard(port, "plant/first/DE", blocks))


def seconds(blocks: Sequence[Signal]) -> list[int]:
    return [round((block.time - NOON).total_seconds()) for block in blocks if block.time]


def test_blocks_come_from_envelopes(mosquitto: Broker, reported: Reported, stop: Event) -> None:
    opened(mosquitto.port)
    data = base64.b64encode(SAMPLES.astype("<f4").tobytes()).decode()
    with MqttSensors(settings_of(mosquitto.port), reported, stop) as source, drawn(source.blocks(), stop) as blocks:
        publish(
            mosquitto.port,
            [
                ("plant/P-101/drive end", envelope(1)),
                ("plant/P-101/drive end", envelope(2, samples=None, data=data, scale=2.0, asset="P-102", rpm=1480.0)),
            ],
        )
        eventually(lambda: sum(block.asset != "first" for block in blocks) == 2)
    first, second = (block for block in blocks if block.asset != "first")
    assert (first.asset, first.sensor, first.unit, first.rate_hz, first.rpm) == (
        "P-101",
        "drive end",
        Unit.M_S2,
        100.0,
        None,
    )
    np.testing.assert_array_equal(first.samples, SAMPLES)
    np.testing.assert_array_equal(second.samples, 2 * SAMPLES)
    assert (second.asset, second.rpm, second.time) == ("P-102", 1480.0, NOON + timedelta(seconds=2))
    assert reported.codes == []


def test_nothing_is_lost_while_the_box_is_away(mosquitto: Broker, reported: Reported, stop: Event) -> None:
    opened(mosquitto.port)
    messages = [("plant/pump/DE", envelope(number)) for number in range(1, 301)]
    publish(mosquitto.port, messages)
    got: list[int] = []
    for _ in range(2):
        # Each time the box is switched off with a block in its hands, and others already here.
        with MqttSensors(settings_of(mosquitto.port), reported, Event()) as source:
            got += seconds(list(islice((block for block in source.blocks() if block.asset == "pump"), 100)))
    with MqttSensors(settings_of(mosquitto.port), reported, stop) as source, drawn(source.blocks(), stop) as blocks:
        eventually(lambda: 300 in seconds(blocks))
    got += seconds(blocks)
    assert got == [*range(1, 101), *range(100, 200), *range(199, 301)], "what was in its hands comes again, and no more"


def test_the_source_goes_on_after_the_broker_was_away(mosquitto: Broker, reported: Reported, stop: Event) -> None:
    with MqttSensors(settings_of(mosquitto.port), reported, stop) as source, drawn(source.blocks(), stop) as blocks:
        eventually(lambda: heard(mosquitto.port, "plant/pump/DE", blocks))
        mosquitto.stop()
        eventually(lambda: "acquisition.away" in reported.codes)
        mosquitto.start()
        publish(mosquitto.port, [("plant/pump/DE", envelope(5000))])
        eventually(lambda: 5000 in seconds(blocks))
    assert reported.codes.count("acquisition.away") == 1


def test_a_broker_that_is_not_there_yet_is_waited_for(reported: Reported, stop: Event) -> None:
    with MqttSensors(settings_of(free_port()), reported, stop) as source, drawn(source.blocks(), stop) as blocks:
        eventually(lambda: reported.codes)
    assert (reported.codes, blocks) == (["acquisition.away"], [])


def test_bad_messages_are_reported_by_topic_and_the_others_delivered(
    mosquitto: Broker, reported: Reported, stop: Event
) -> None:
    opened(mosquitto.port)
    bad = [b"", b"{", b"[]", envelope(1, unit="bar"), envelope(1, samples=[]), envelope(1, rate_hz=0), b"\xff\xfe"]
    with (
        MqttSensors(settings_of(mosquitto.port, max_payload_bytes=4096), reported, stop) as source,
        drawn(source.blocks(), stop) as blocks,
    ):
        publish(mosquitto.port, [(f"plant/{number}/DE", body) for number, body in enumerate(bad)])
        publish(mosquitto.port, [("plant/7/DE", b" " * 5000)] * 3)
        publish(mosquitto.port, [("plant/pump/DE", envelope(1))])
        eventually(lambda: any(block.asset == "pump" for block in blocks))
    assert [error.subject for error in reported.errors] == [f"plant/{number}/DE" for number in range(8)]


def test_missing_messages_are_said(mosquitto: Broker, reported: Reported, stop: Event) -> None:
    opened(mosquitto.port)
    with MqttSensors(settings_of(mosquitto.port), reported, stop) as source, drawn(source.blocks(), stop) as blocks:
        publish(mosquitto.port, [("plant/pump/DE", envelope(number)) for number in (1, 2, 5, 4, 6, 0, 1)])
        eventually(lambda: len(seconds(blocks)) >= 7)
    assert [(error.code, error.params["found"]) for error in reported.errors] == [("acquisition.missing", 2)]


def test_what_is_lost_for_want_of_room_is_said_once_each_time(
    mosquitto: Broker, reported: Reported, stop: Event
) -> None:
    def said(times: int) -> bool:
        """Send more than there is room for; what comes before the source listens is gone."""
        publish(mosquitto.port, [("plant/pump/DE", envelope(0))] * (WAITING + 10), 0)
        return len(reported.codes) == times

    with MqttSensors(settings_of(mosquitto.port), reported, stop) as source:
        blocks = source.blocks()
        for times in (1, 2):
            eventually(partial(said, times))
            said(times)  # while it lasts
            assert len(list(islice(blocks, WAITING))) == WAITING
    assert reported.codes == ["acquisition.overflow"] * 2


def test_the_connection_can_be_encrypted(tmp_path: Path, reported: Reported, stop: Event) -> None:
    ca, certificate, key = certify(tmp_path)
    tls = ("allow_anonymous true", f"cafile {ca}", f"certfile {certificate}", f"keyfile {key}")
    with broker(tmp_path / "mosquitto", *tls) as server:
        plain = Reported()
        with MqttSensors(settings_of(server.port), plain, Event()):
            eventually(lambda: plain.codes == ["acquisition.away"])
        said = settings_of(server.port, ca_file=ca)
        with MqttSensors(said, reported, stop) as source, drawn(source.blocks(), stop) as blocks:
            sender = Client(CallbackAPIVersion.VERSION2)
            sender.tls_set(str(ca))
            sender.connect("127.0.0.1", server.port)
            sender.loop_start()
            eventually(lambda: sender.publish("plant/pump/DE", envelope(1), 1) and blocks)
            sender.disconnect()
            sender.loop_stop()


def test_certificates_that_cannot_be_read_are_said(tmp_path: Path, reported: Reported, stop: Event) -> None:
    with pytest.raises(InputError, match="certificate"):
        MqttSensors(settings_of(1, ca_file=tmp_path / "none.pem"), reported, stop)


def delivery(sequence: int | None, time: datetime | None = None) -> Delivery:
    return Delivery(Signal(SAMPLES, 100.0, Unit.G, "DE", "pump", time), sequence)


def at(since_noon_s: float) -> Moment:
    return Moment(since_noon_s, NOON + timedelta(seconds=since_noon_s))


def test_samples_are_counted_where_messages_say_no_time() -> None:
    times = SensorTimes(TimeSource.BOX, None)
    jitter_s = [0.0, 0.2, 0.1, 0.3, 0.05]
    found = []
    for number, late_s in enumerate(jitter_s):
        block, _ = times.timed(delivery(number + 1), at(number + late_s), "t")
        found.append(block.time)
    expected = [NOON + timedelta(seconds=number - 1) for number in range(5)]
    assert max(abs((one - other).total_seconds()) for one, other in zip(found, expected, strict=True) if one) < 0.002
    again, _ = times.timed(delivery(3), at(5.5), "t")
    assert again.time
    assert abs((again.time - expected[2]).total_seconds()) < 0.01, "one that comes again has its time"
    block, missing = times.timed(delivery(8), at(7), "t")
    assert missing
    assert missing.params["found"] == 2
    assert block.time
    assert abs((block.time - NOON).total_seconds() - 6) < 0.01, "what is missing took its time"


def test_a_gap_in_time_is_said_where_nothing_may_be_left_out() -> None:
    for limit_s, gaps in ((None, 0), (0.5, 1)):
        times = SensorTimes(TimeSource.SENSOR, limit_s)
        found = [times.timed(delivery(None, NOON + timedelta(seconds=s)), at(s), "t")[1] for s in (0, 1, 2, 9, 10)]
        assert sum(each is not None for each in found) == gaps


def test_a_message_that_says_no_time_ended_when_it_came() -> None:
    block, _ = SensorTimes(TimeSource.SENSOR, None).timed(delivery(None), at(10), "t")
    assert block.time == NOON + timedelta(seconds=9)


def test_what_a_topic_says() -> None:
    pattern = TopicPattern("v1/{asset}/+/{sensor}/{rate_hz}/{unit}/#")
    assert pattern.filter == "v1/+/+/+/+/+/#"
    said = pattern.said("v1/P-101/x/DE/25600/m_s2/more/still")
    assert (said.asset, said.sensor, said.rate_hz, said.unit) == ("P-101", "DE", 25_600.0, "m_s2")
    signal = read_message(Payload.FLOAT32, "t", SAMPLES.astype("<f4").tobytes(), said).signal
    assert (signal.unit, signal.rate_hz) == (Unit.M_S2, 25_600.0)
    np.testing.assert_array_equal(signal.samples, SAMPLES)
    with pytest.raises(RecordError, match="payload"):
        pattern.said("v1/P-101/x/DE/fast/g")


def test_user_properties_say_what_raw_numbers_do_not() -> None:
    said = said_of("t", {"time": "2026-05-01T20:00:00+08:00", "sequence": "7", "rpm": "1480", "vendor": "x"}).over(ALL)
    found = read_message(Payload.FLOAT32, "t", SAMPLES.astype("<f4").tobytes(), said)
    assert (found.signal.time, found.sequence, found.signal.rpm, found.signal.asset) == (NOON, 7, 1480.0, "pump")


@pytest.mark.parametrize("topic", ["", "a//b", "a/#/b", "a/{speed}", "a/x{asset}", "a/b+"])
def test_a_topic_that_cannot_be_is_refused(topic: str) -> None:
    with pytest.raises(OptionError, match=r"acquisition\.topic"):
        MqttSensorSettings(host="h", topic=topic, client_id="box")


@pytest.mark.parametrize("missing", ["asset", "rate_hz", "unit"])
def test_what_nobody_says_is_named(missing: str) -> None:
    import msgspec

    with pytest.raises(RecordError, match=f"missing={missing}"):
        read_message(Payload.FLOAT32, "t", b"\0" * 8, msgspec.structs.replace(ALL, **{missing: None}))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["asset", "sensor", "rate_hz", "unit", "rpm", "time", "sequence", "scale", "samples", "data", "other"]
)


@given(st.lists(st.dictionaries(KEYS, JSON), min_size=1, max_size=4), st.sampled_from(TimeSource))
@settings(max_examples=300, deadline=None)
def test_whatever_envelopes_hold_is_read_or_refused(documents: list[dict[str, object]], source: TimeSource) -> None:
    times = SensorTimes(source, 1.0)
    for document in documents:
        body = json.dumps({"samples": [1.0], **document}).encode()
        try:
            found = read_message(Payload.JSON, "t", body, ALL)
        except RecordError as error:
            assert error.code.startswith("acquisition.")
        else:
            block, _ = times.timed(found, at(10), "t")
            assert block.time is not None
            assert block.duration_s < 86_400


@pytest.mark.parametrize("source", TimeSource)
def test_clocks_and_numbers_that_are_thousands_of_years_off_stop_nothing(source: TimeSource) -> None:
    times = SensorTimes(source, 1.0)
    slow = Signal(np.zeros(1), 1 / 80_000, Unit.G, "DE", "pump")
    for number in range(1, 6):
        times.timed(Delivery(slow, number * 900_000), at(10), "t")
    for year in (9998, 1970, 2026):
        block, _ = times.timed(delivery(None, NOON.replace(year=year)), at(10), "t")
        assert block.time


@given(st.binary(max_size=64), st.sampled_from(Payload))
@settings(max_examples=300, deadline=None)
def test_whatever_bytes_come_are_read_or_refused(body: bytes, payload: Payload) -> None:
    try:
        found = read_message(payload, "t", body, ALL)
    except RecordError as error:
        assert error.code.startswith("acquisition.")
    else:
        assert len(found.signal.samples)
