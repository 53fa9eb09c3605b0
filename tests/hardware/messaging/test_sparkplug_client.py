"""An edge node at a real broker: births, rebirth, deaths, and nothing lost over an outage."""

import json
import socket
import ssl
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import pbkdf2_hmac
from pathlib import Path
from threading import Event

import pytest
from tests.hardware.messaging.silent_broker import taken
from tests.hardware.messaging.subscribers import Heard, subscriber
from tests.serving.notify.receivers import Broker, broker, certify, eventually

from andon.hardware.messaging.broker import BrokerSettingError, BrokerSettings, tls_context
from andon.hardware.messaging.edge_node import REBIRTH, NodeName
from andon.hardware.messaging.outbox import Kept, Kind, Message, Outbox, OutboxError
from andon.hardware.messaging.sparkplug_client import EdgeNode, EdgeNodeSettings, SessionNumberError, next_bd_seq
from andon.hardware.messaging.sparkplug_payload import DataType, Metric, Payload, PayloadError, decode, encode

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
DEVICES = {"s1": (Metric("Score", DataType.DOUBLE, None),)}


def at(number: int) -> datetime:
    return NOON + timedelta(seconds=number)


def report(node: EdgeNode, number: int, kind: Kind = Kind.VERDICT) -> None:
    node.report(f"v{number}", kind, "s1", [Metric("Score", DataType.DOUBLE, float(number), at(number))])


def settings_in(folder: Path, primary_host: str = "") -> EdgeNodeSettings:
    return EdgeNodeSettings(
        NodeName("plant", "box"),
        folder / "bd_seq",
        primary_host,
        confirm_s=0.1,
        first_pause_s=0.05,
        longest_pause_s=0.2,
    )


@contextmanager
def edge_node(
    server: BrokerSettings, settings: EdgeNodeSettings, devices: Mapping[str, Sequence[Metric]] = DEVICES
) -> Iterator[tuple[EdgeNode, Outbox]]:
    path = settings.bd_seq_file.with_name("sparkplug.db")
    with Outbox(path) as outbox, EdgeNode(outbox, server, settings, devices) as node:
        yield node, outbox


def await_birth(node: EdgeNode) -> None:
    eventually(lambda: node.failure is None)


def await_failure(node: EdgeNode, reason: str) -> None:
    eventually(lambda: reason in str(node.failure))


def address(server: Broker) -> BrokerSettings:
    return BrokerSettings("127.0.0.1", server.port, "box", timeout_s=2.0)


def verbs(heard: Heard) -> list[str]:
    return [topic.split("/", 2)[2] for topic, _ in heard.messages]


def number_of_connection(payload: bytes) -> object:
    return next(metric.value for metric in decode(payload).metrics if metric.name == "bdSeq")


def scores(heard: Heard) -> list[tuple[object, bool, datetime | None]]:
    """Values of the one metric, and whether they were told as history."""
    payloads = [decode(payload) for topic, payload in heard.messages if "/DDATA/" in topic]
    return [(each.value, each.is_historical, each.time) for payload in payloads for each in payload.metrics]


def test_a_node_is_born_tells_and_dies_in_order(mosquitto: Broker, tmp_path: Path) -> None:
    with subscriber(mosquitto.port, "spBv1.0/#") as (heard, _):
        with edge_node(address(mosquitto), settings_in(tmp_path)) as (node, outbox):
            await_birth(node)
            report(node, 1)
            report(node, 1)
            eventually(lambda: not outbox.counts())
        eventually(lambda: "NDEATH/box" in verbs(heard))
    assert verbs(heard) == ["NBIRTH/box", "DBIRTH/box/s1", "DDATA/box/s1", "NDEATH/box"]
    assert [decode(payload).seq for _, payload in heard.messages] == [0, 1, 2, None]
    assert (heard.qos, any(heard.retained)) == ([0, 0, 0, 1], False)
    assert scores(heard) == [(1.0, False, at(1))]
    assert number_of_connection(heard.messages[0][1]) == number_of_connection(heard.messages[-1][1]) == 0


def test_a_rebirth_is_told_anew_on_the_same_connection(mosquitto: Broker, tmp_path: Path) -> None:
    command = encode(Payload(NOON, (Metric(REBIRTH, DataType.BOOLEAN, True),)))
    with (
        subscriber(mosquitto.port, "spBv1.0/+/+/box/#") as (heard, host),
        edge_node(address(mosquitto), settings_in(tmp_path)) as (node, outbox),
    ):
        await_birth(node)
        report(node, 1)
        eventually(lambda: not outbox.counts())
        host.publish("spBv1.0/plant/NCMD/box", b"\xff\xff")
        host.publish("spBv1.0/plant/NCMD/box", command)
        eventually(lambda: verbs(heard).count("DBIRTH/box/s1") == 2)
    again = heard.messages[verbs(heard).index("NBIRTH/box", 1) :]
    assert [decode(payload).seq for _, payload in again[:2]] == [0, 1]
    assert number_of_connection(again[0][1]) == 0
    assert decode(again[1][1]).metrics[0].value == 1.0


def test_what_was_missed_while_the_broker_was_away_is_told_as_history_after_the_births(
    mosquitto: Broker, tmp_path: Path
) -> None:
    with edge_node(address(mosquitto), settings_in(tmp_path)) as (node, outbox):
        await_birth(node)
        report(node, 0)
        eventually(lambda: not outbox.counts())
        mosquitto.kill()
        eventually(lambda: node.failure is not None)
        for number in range(1, 301):
            report(node, number)
        mosquitto.start()
        with subscriber(mosquitto.port, "spBv1.0/#") as (heard, host):
            await_birth(node)
            host.publish("spBv1.0/plant/NCMD/box", encode(Payload(NOON, (Metric(REBIRTH, DataType.BOOLEAN, True),))))
            eventually(lambda: "NBIRTH/box" in verbs(heard))
            report(node, 301)
            eventually(lambda: not outbox.counts())
            eventually(lambda: {300.0, 301.0} <= {value for value, *_ in scores(heard)})
    live = [value for value, is_historical, _ in scores(heard) if not is_historical]
    missed = [(value, time) for value, is_historical, time in scores(heard) if is_historical]
    assert live == [301.0]
    assert missed == [(float(number), at(number)) for number in range(301 - len(missed), 301)]
    birth = next(payload for topic, payload in heard.messages if "/NBIRTH/" in topic)
    assert number_of_connection(birth) not in (0, None)


def test_no_value_is_lost_over_an_outage_and_a_restart(mosquitto: Broker, tmp_path: Path) -> None:
    """The host is there before the node is born, as the node waits for it."""
    settings = settings_in(tmp_path, "scada")
    mosquitto.stop()
    for first in (0, 100):
        with edge_node(address(mosquitto), settings) as (node, _outbox):
            for number in range(first, first + 100):
                report(node, number)
    mosquitto.start()
    with (
        subscriber(mosquitto.port, "spBv1.0/plant/#") as (heard, host),
        edge_node(address(mosquitto), settings) as (node, outbox),
    ):
        host.publish("spBv1.0/STATE/scada", b'{"online": true, "timestamp": 1}', 1, True)
        await_birth(node)
        report(node, 200)
        eventually(lambda: not outbox.counts())
        eventually(lambda: len(scores(heard)) == 201)
    assert sorted(scores(heard)) == [(float(number), number < 200, at(number)) for number in range(201)]


def test_each_connection_has_the_next_number_and_a_broken_one_is_said_by_the_broker(
    mosquitto: Broker, tmp_path: Path
) -> None:
    with subscriber(mosquitto.port, "spBv1.0/#") as (heard, _):
        for _ in range(2):
            with edge_node(address(mosquitto), settings_in(tmp_path)) as (node, _outbox):
                await_birth(node)
        taken = replace(address(mosquitto), client_id="box")
        with edge_node(address(mosquitto), settings_in(tmp_path)) as (node, _outbox):
            await_birth(node)
            with subscriber(mosquitto.port, "none", client_id=taken.client_id):  # whoever has the id is thrown out
                eventually(lambda: verbs(heard).count("NDEATH/box") == 3)
    numbers = [number_of_connection(payload) for topic, payload in heard.messages if "/NDEATH/" in topic]
    born = [number_of_connection(payload) for topic, payload in heard.messages if "/NBIRTH/" in topic]
    assert numbers[:3] == [0, 1, 2]
    assert born[:3] == [0, 1, 2]


def test_a_device_that_is_lost_dies_after_what_was_reported_of_it_and_comes_back(
    mosquitto: Broker, tmp_path: Path
) -> None:
    with (
        subscriber(mosquitto.port, "spBv1.0/#") as (heard, _),
        edge_node(address(mosquitto), settings_in(tmp_path)) as (node, _outbox),
    ):
        await_birth(node)
        report(node, 1)
        node.lost("s1")
        eventually(lambda: "DDEATH/box/s1" in verbs(heard))
        report(node, 2)
        eventually(lambda: verbs(heard).count("DBIRTH/box/s1") == 2)
    assert verbs(heard)[:5] == ["NBIRTH/box", "DBIRTH/box/s1", "DDATA/box/s1", "DDEATH/box/s1", "DBIRTH/box/s1"]
    assert decode(heard.messages[4][1]).metrics[0].value == 2.0


def test_what_is_reported_after_a_device_was_lost_brings_it_back_however_late_it_is_told(
    mosquitto: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        subscriber(mosquitto.port, "spBv1.0/#") as (heard, _),
        edge_node(address(mosquitto), settings_in(tmp_path)) as (node, outbox),
    ):
        await_birth(node)
        asked, answered, waiting = Event(), Event(), outbox.waiting

        def waiting_late(after: int, limit: int, until: int) -> list[Kept]:
            asked.set()
            assert answered.wait(30)
            return waiting(after, limit, until)

        monkeypatch.setattr(outbox, "waiting", waiting_late)
        report(node, 1)
        assert asked.wait(30)
        node.lost("s1")
        report(node, 2)
        answered.set()
        eventually(lambda: len(heard.messages) >= 5)
    assert verbs(heard)[1:5] == ["DBIRTH/box/s1", "DDATA/box/s1", "DDEATH/box/s1", "DBIRTH/box/s1"]


def test_a_node_that_cannot_read_its_outbox_says_that_it_is_gone(
    mosquitto: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever leaves a broker in order has no last will: a host would take the last values for those of now."""

    def broken(*_: int) -> list[Kept]:
        raise OutboxError("messaging.outbox", "outbox", reason="disk I/O error")

    with (
        subscriber(mosquitto.port, "spBv1.0/#") as (heard, _),
        edge_node(address(mosquitto), settings_in(tmp_path)) as (node, outbox),
    ):
        await_birth(node)
        with monkeypatch.context() as disk:
            disk.setattr(outbox, "waiting", broken)
            report(node, 1)
            eventually(lambda: "NDEATH/box" in verbs(heard))
            await_failure(node, "disk I/O error")
        eventually(lambda: scores(heard))
    assert scores(heard) == [(1.0, True, at(1))]


def test_history_waits_for_a_broker_that_does_not_keep_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = BrokerSettings("127.0.0.1", listener.getsockname()[1], "box")
        settings = replace(settings_in(tmp_path), history_per_s=1000.0)
        with Outbox(tmp_path / "sparkplug.db") as outbox:
            missed = encode(Payload(None, (Metric("Score", DataType.DOUBLE, 1.0, NOON),)))
            outbox.add([Message(str(number), Kind.VERDICT, "s1", missed) for number in range(2000)])
            with EdgeNode(outbox, server, settings, DEVICES):
                received = taken(listener, b"\x20\x02\x00\x00")  # CONNACK
    assert 0 < received.count(0x30) < 1000


def test_nothing_is_told_while_the_primary_host_is_away(mosquitto: Broker, tmp_path: Path) -> None:
    def state(online: bool, timestamp: int) -> bytes:
        return json.dumps({"online": online, "timestamp": timestamp}).encode()

    with (
        subscriber(mosquitto.port, "spBv1.0/plant/#") as (heard, host),
        edge_node(address(mosquitto), settings_in(tmp_path, "scada")) as (node, outbox),
    ):
        eventually(lambda: " as box " in mosquitto.log.read_text())
        report(node, 1)
        host.publish("spBv1.0/STATE/scada", b"OFFLINE", 1, True)
        host.publish("spBv1.0/STATE/scada", state(False, 5), 1, True).wait_for_publish(5)
        Event().wait(0.5)
        assert (node.failure, heard.messages) == ("not connected yet", [])
        host.publish("spBv1.0/STATE/scada", state(True, 10), 1, True)
        eventually(lambda: node.failure is None and not outbox.counts())
        assert verbs(heard)[0] == "NBIRTH/box"
        host.publish("spBv1.0/STATE/scada", state(False, 9), 1)  # a will that comes late
        report(node, 2)
        eventually(lambda: not outbox.counts())
        assert node.failure is None
        host.publish("spBv1.0/STATE/scada", state(False, 11), 1, True)
        eventually(lambda: "NDEATH/box" in verbs(heard))
        eventually(lambda: node.failure == "primary host offline")
        report(node, 3)
        host.publish("spBv1.0/STATE/scada", state(True, 12), 1, True)
        eventually(lambda: len(scores(heard)) == 3)
    assert scores(heard) == [(1.0, True, at(1)), (2.0, False, at(2)), (3.0, True, at(3))]


def test_a_value_or_device_that_cannot_be_told_is_refused_before_it_is_kept(mosquitto: Broker, tmp_path: Path) -> None:
    with edge_node(address(mosquitto), settings_in(tmp_path)) as (node, outbox):
        with pytest.raises(PayloadError):
            node.report("v1", Kind.VERDICT, "s1", [Metric("Code", DataType.UINT8, 300)])
        with pytest.raises(BrokerSettingError):
            node.report("v1", Kind.VERDICT, "s/1", [])
        assert outbox.counts() == {}


def test_a_metric_that_changes_its_type_stops_no_other(mosquitto: Broker, tmp_path: Path) -> None:
    with (
        subscriber(mosquitto.port, "spBv1.0/#") as (heard, _),
        edge_node(address(mosquitto), settings_in(tmp_path)) as (node, outbox),
    ):
        await_birth(node)
        node.report("wrong", Kind.VERDICT, "s1", [Metric("Score", DataType.STRING, "high", NOON)])
        report(node, 1)
        eventually(lambda: not outbox.counts())
        eventually(lambda: scores(heard) == [(1.0, False, at(1))])


def test_the_number_of_the_connection_wraps_and_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "bd_seq"
    assert [next_bd_seq(path) for _ in range(257)] == [*range(256), 0]
    path.write_text("many")
    with pytest.raises(SessionNumberError):
        next_bd_seq(path)
    assert path.read_text() == "many"
    with pytest.raises(SessionNumberError):
        next_bd_seq(tmp_path / "absent" / "bd_seq")


# paho leaves it to the collector to close a connection whose handshake failed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_only_who_is_known_is_let_in_and_only_who_is_trusted_is_told(tmp_path: Path) -> None:
    ca, certificate, key = certify(tmp_path)
    salt = b"0123456789ab"
    digest = pbkdf2_hmac("sha512", b"S3CRET", salt, 101)
    (tmp_path / "passwords").write_text(f"andon:$7$101${b64encode(salt).decode()}${b64encode(digest).decode()}\n")
    lines = (
        "allow_anonymous false",
        f"password_file {tmp_path / 'passwords'}",
        f"certfile {certificate}",
        f"keyfile {key}",
    )
    with broker(tmp_path / "mosquitto", *lines) as server:
        known = replace(address(server), tls=tls_context(ca), user="andon", password="S3CRET")
        with edge_node(known, settings_in(tmp_path)) as (node, _):
            await_birth(node)
        for wrong, reason in (
            (replace(known, password="other"), "Not authorized"),
            (replace(known, tls=ssl.create_default_context()), "CERTIFICATE_VERIFY_FAILED"),
        ):
            with edge_node(wrong, settings_in(tmp_path)) as (node, _):
                await_failure(node, reason)
    assert "S3CRET" not in repr(known)


def test_certificates_that_are_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("none")
    for path in (tmp_path / "none.pem", tmp_path / "absent.pem"):
        with pytest.raises(BrokerSettingError) as refused:
            tls_context(path)
        assert refused.value.subject == str(path)
