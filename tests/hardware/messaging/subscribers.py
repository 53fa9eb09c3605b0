"""Who listens to a broker."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from tests.serving.notify.receivers import PATIENCE_S


@dataclass
class Heard:
    """What a subscriber was told: topics with payloads, in their order, and whether each was retained."""

    messages: list[tuple[str, bytes]] = field(default_factory=list)
    qos: list[int] = field(default_factory=list)
    retained: list[bool] = field(default_factory=list)

    def note(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.messages.append((message.topic, bytes(message.payload)))
        self.qos.append(message.qos)
        self.retained.append(message.retain)


@contextmanager
def subscriber(port: int, topic: str, client_id: str = "") -> Iterator[tuple[Heard, Client]]:
    """Hear everything below a topic, again after the broker was away."""
    heard, subscribed = Heard(), Event()
    client = Client(CallbackAPIVersion.VERSION2, client_id)
    client.reconnect_delay_set(1, 1)
    client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = heard.note
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        assert subscribed.wait(PATIENCE_S)
        yield heard, client
    finally:
        client.disconnect()
        client.loop_stop()
