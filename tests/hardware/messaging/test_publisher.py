"""A publisher tells a real broker all that its outbox holds, whatever stops meanwhile."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import pytest
from tests.hardware.messaging.silent_broker import taken
from tests.hardware.messaging.subscribers import subscriber
from tests.serving.notify.receivers import Broker, eventually

from andon.hardware.messaging.broker import BrokerSettingError, BrokerSettings
from andon.hardware.messaging.documents import Indicators, StationVerdict, indicators_message, verdict_message
from andon.hardware.messaging.outbox import Message, Outbox
from andon.hardware.messaging.publisher import Pace, Publisher
from andon.models.types.line import VerdictCode

QUICK = Pace(doubt_s=0.1, poll_s=0.05, first_pause_s=0.05, longest_pause_s=0.2)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def verdict(number: int) -> Message:
    found = StationVerdict(
        id=f"{number:06}",
        station="line 1/a",
        time=NOON,
        verdict=VerdictCode.NG,
        score=1.5,
        threshold=1.25,
        serial="SN-7",
        bundle="ab",
    )
    return verdict_message("plant 北", found)


def heard_ids(messages: list[tuple[str, bytes]]) -> list[str]:
    return [json.loads(payload)["event_id"] for _, payload in messages]


@contextmanager
def publishing(port: int, path: Path, pace: Pace = QUICK, version: str = "5") -> Iterator[tuple[Publisher, Outbox]]:
    settings = BrokerSettings("127.0.0.1", port, "station", version=version, timeout_s=2.0)
    with Outbox(path) as outbox, Publisher(outbox, settings, pace) as publisher:
        yield publisher, outbox


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_documents_arrive_once_at_their_topics_with_quality_1(mosquitto: Broker, tmp_path: Path, version: str) -> None:
    measured = Indicators(id="i1", asset="P-101", sensor="de", time=NOON, values={"rms_mm_s": 1.5, "kurtosis": None})
    with (
        subscriber(mosquitto.port, "andon/#") as (heard, _),
        publishing(mosquitto.port, tmp_path / "outbox.db", version=version) as (publisher, outbox),
    ):
        publisher.publish([verdict(1), indicators_message("plant 北", measured)])
        eventually(lambda: len(heard.messages) == 2 and not outbox.counts())
        assert publisher.failure is None
    (verdicts, first), (indicators, second) = heard.messages
    assert (verdicts, indicators) == ("andon/plant_北/line_1_a/verdicts", "andon/plant_北/P-101/indicators")
    assert json.loads(first) == {
        "type": "verdict", "id": "000001", "station": "line 1/a", "time": "2026-01-02T12:00:00.000Z", "verdict": "NG", "score": 1.5,
        "threshold": 1.25, "serial": "SN-7", "reason": None, "milliseconds": 0.0, "bundle": "ab", "event_id": "000001",
    }  # fmt: skip
    assert json.loads(second)["values"] == {"rms_mm_s": 1.5, "kurtosis": None}
    assert (heard.qos, heard.retained) == ([1, 1], [False, False])


def test_what_was_added_while_the_broker_was_away_arrives_in_order_when_it_is_back(
    mosquitto: Broker, tmp_path: Path
) -> None:
    with publishing(mosquitto.port, tmp_path / "outbox.db") as (publisher, outbox):
        eventually(lambda: publisher.failure is None)
        mosquitto.stop()
        eventually(lambda: publisher.failure is not None)
        publisher.publish([verdict(number) for number in range(500)])
        mosquitto.start()
        with subscriber(mosquitto.port, "andon/#") as (heard, _):
            eventually(lambda: not outbox.counts())
            publisher.publish([verdict(500)])
            eventually(lambda: not outbox.counts())
            eventually(lambda: "000500" in heard_ids(heard.messages))
    ids = heard_ids(heard.messages)
    assert ids == sorted(ids)  # the first ones may have come before the subscriber


def test_a_broker_that_lets_few_messages_be_under_way_is_heeded(tmp_path: Path) -> None:
    """Mosquitto does not say how many it lets; this one says three, and confirms none."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with publishing(port, tmp_path / "outbox.db", Pace(drain_s=0.0)) as (publisher, _):
            publisher.publish([verdict(number) for number in range(100)])
            received = taken(listener, b"\x20\x06\x00\x00\x03\x21\x00\x03")  # CONNACK, Receive Maximum 3
    assert received == [0x32] * 3


def test_the_end_does_not_wait_for_a_broker_that_does_not_answer(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings = BrokerSettings("127.0.0.1", listener.getsockname()[1], "station", timeout_s=60.0)
        with Outbox(tmp_path / "outbox.db") as outbox, Publisher(outbox, settings, Pace(drain_s=0.1)) as publisher:
            publisher.publish([verdict(1)])
            connection, _ = listener.accept()
            begun = monotonic()
        assert monotonic() - begun < 8.0
        connection.close()


def test_the_end_sends_what_waits_and_keeps_the_rest(mosquitto: Broker, tmp_path: Path) -> None:
    with subscriber(mosquitto.port, "andon/#") as (heard, _):
        with publishing(mosquitto.port, tmp_path / "outbox.db") as (publisher, _):
            eventually(lambda: publisher.failure is None)
            publisher.publish([verdict(number) for number in range(300)])
        eventually(lambda: len(heard.messages) == 300)
    mosquitto.stop()
    with publishing(mosquitto.port, tmp_path / "outbox.db") as (publisher, outbox):
        publisher.publish([verdict(1000)])
    with Outbox(tmp_path / "outbox.db") as outbox:
        # What was confirmed a moment before the end may be there still.
        assert [kept.message.id for kept in outbox.waiting(300, 9)] == ["001000"]
    mosquitto.start()


def test_what_was_confirmed_shortly_before_a_broker_was_killed_is_sent_again(mosquitto: Broker, tmp_path: Path) -> None:
    pace = Pace(doubt_s=60.0, poll_s=0.05, first_pause_s=0.05, longest_pause_s=0.2)
    with publishing(mosquitto.port, tmp_path / "outbox.db", pace) as (publisher, outbox):
        with subscriber(mosquitto.port, "andon/#") as (heard, _):
            publisher.publish([verdict(1)])
            eventually(lambda: heard.messages)
        mosquitto.kill()
        eventually(lambda: publisher.failure is not None)
        mosquitto.start()
        with subscriber(mosquitto.port, "andon/#") as (heard, _):
            publisher.publish([verdict(2)])
            eventually(lambda: "000002" in heard_ids(heard.messages))
        assert [kept.message.id for kept in outbox.waiting(0, 9)] == ["000001", "000002"]


def test_a_version_that_there_is_not_is_named() -> None:
    with pytest.raises(BrokerSettingError) as refused:
        BrokerSettings("broker", 1883, "station", version="4")
    assert refused.value.params["found"] == "4"


def test_many_messages_arrive_in_order(mosquitto: Broker, tmp_path: Path) -> None:
    with (
        subscriber(mosquitto.port, "andon/#") as (heard, _),
        publishing(mosquitto.port, tmp_path / "o.db") as (publisher, _),
    ):
        for first in range(0, 5_000, 100):
            publisher.publish([verdict(number) for number in range(first, first + 100)])
        eventually(lambda: len(heard.messages) == 5_000)
    assert heard_ids(heard.messages) == [f"{number:06}" for number in range(5_000)]
