"""What an outbox keeps, a broker is told and board data takes, a second. Run ``python -m tests.bench.bench_messaging``; it needs mosquitto."""

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from tests.bench.figures import print_figure, seconds
from tests.hardware.messaging.subscribers import subscriber
from tests.serving.notify.receivers import broker, eventually

from andon.hardware.messaging.broker import BrokerSettings
from andon.hardware.messaging.documents import StationVerdict, verdict_message
from andon.hardware.messaging.edge_node import NodeName
from andon.hardware.messaging.metrics import verdict_metrics
from andon.hardware.messaging.outbox import Kind, Message, Outbox
from andon.hardware.messaging.publisher import Publisher
from andon.hardware.messaging.sparkplug_client import EdgeNode, EdgeNodeSettings
from andon.hardware.messaging.sparkplug_payload import Payload, decode, encode
from andon.hardware.plc.hermes_messages import HermesMessage, HermesReader, board_of, write
from andon.models.types.line import VerdictCode

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
MESSAGES, AT_ONCE, PAYLOADS = 2_000, 100, 20_000


def main(_: Sequence[str] = ()) -> None:
    """Print one JSON object a figure."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _outbox(folder)
        with broker(folder / "mosquitto") as server:
            _publisher(server.port, folder)
            _sparkplug(server.port, folder)
    _payloads()
    _boards()


def _verdict(number: int) -> StationVerdict:
    return StationVerdict(
        id=f"{number:032x}", station="s1", time=NOW, verdict=VerdictCode.NG, score=1.5, threshold=1.25, serial="SN-7",
        milliseconds=42.0, bundle="ab" * 32,
    )  # fmt: skip


def _messages(count: int) -> list[Message]:
    return [verdict_message("site", _verdict(number)) for number in range(count)]


def _outbox(folder: Path) -> None:
    with Outbox(folder / "one.db") as outbox:
        each_ms = [seconds(partial(outbox.add, [message])) * 1e3 for message in _messages(MESSAGES)]
    p50, p99 = np.percentile(each_ms, (50, 99)).round(1).tolist()
    print_figure("outbox_one_by_one_per_s", value=round(MESSAGES / sum(each_ms) * 1e3), p50_ms=p50, p99_ms=p99)
    many = _messages(MESSAGES * 10)
    with Outbox(folder / "many.db") as outbox:
        taken_s = seconds(partial(_add_by_the_hundred, outbox, many))
    print_figure("outbox_by_the_hundred_per_s", value=round(len(many) / taken_s))


def _add_by_the_hundred(outbox: Outbox, messages: Sequence[Message]) -> None:
    for first in range(0, len(messages), AT_ONCE):
        outbox.add(messages[first : first + AT_ONCE])


def _publisher(port: int, folder: Path) -> None:
    many = _messages(MESSAGES)
    with (
        subscriber(port, "andon/#") as (heard, _),
        Outbox(folder / "mqtt.db") as outbox,
        Publisher(outbox, BrokerSettings("127.0.0.1", port, "station")) as publisher,
    ):
        eventually(lambda: publisher.failure is None)

        def tell() -> None:
            for first in range(0, len(many), AT_ONCE):
                publisher.publish(many[first : first + AT_ONCE])
            eventually(lambda: len(heard.messages) == len(many))

        print_figure("publisher_to_subscriber_per_s", value=round(len(many) / seconds(tell)))


def _sparkplug(port: int, folder: Path) -> None:
    settings = EdgeNodeSettings(NodeName("plant", "box"), folder / "bd_seq")
    with (
        subscriber(port, "spBv1.0/+/DDATA/#") as (heard, _),
        Outbox(folder / "sparkplug.db") as outbox,
        EdgeNode(outbox, BrokerSettings("127.0.0.1", port, "box"), settings) as node,
    ):
        eventually(lambda: node.failure is None)

        def tell() -> None:
            for number in range(MESSAGES):
                node.report(str(number), Kind.VERDICT, "s1", verdict_metrics(_verdict(number)))
            eventually(lambda: len(heard.messages) == MESSAGES - 1)  # the first is told by the device's birth

        print_figure("sparkplug_to_host_per_s", value=round(MESSAGES / seconds(tell)))


def _payloads() -> None:
    payload = Payload(NOW, verdict_metrics(_verdict(1)), 7)
    data = encode(payload)
    written_s = seconds(lambda: [encode(payload) for _ in range(PAYLOADS)])
    read_s = seconds(lambda: [decode(data) for _ in range(PAYLOADS)])
    print_figure("sparkplug_payload_written_per_s", value=round(PAYLOADS / written_s))
    print_figure("sparkplug_payload_read_per_s", value=round(PAYLOADS / read_s))


def _boards() -> None:
    said = HermesMessage("BoardAvailable", {"BoardId": "b", "FailedBoard": "1", "TopBarcode": "SN-7"})
    data, reader = write(said, NOW), HermesReader()
    taken_s = seconds(lambda: [board_of(each) for _ in range(PAYLOADS) for each in reader.feed(data)])
    print_figure("board_available_read_per_s", value=round(PAYLOADS / taken_s))


if __name__ == "__main__":
    main()
