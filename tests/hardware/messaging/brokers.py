"""Real brokers on free ports of this machine, and who listens to them."""

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from time import monotonic

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/opt/homebrew/sbin")
PATIENCE_S = 30.0
OPEN = ("allow_anonymous true",)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def eventually(met: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Wait until something is so; a test that waits in vain fails."""
    pause, ends = Event(), monotonic() + patience_s
    while not met():
        if monotonic() > ends:
            raise AssertionError("waited in vain")
        pause.wait(0.02)


@dataclass
class Broker:
    """A mosquitto that can be stopped or killed, and started again."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [MOSQUITTO, "-c", str(self.folder / "mosquitto.conf")], stdout=log, stderr=log
            )
        eventually(self._listens)

    def stop(self) -> None:
        assert self.process
        self.process.terminate()
        self.process.wait()

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def broker(folder: Path, *settings: str) -> Iterator[Broker]:
    """Start a broker; with no settings anybody may use it."""
    folder.mkdir(exist_ok=True)
    # It gives up root's rights, and has to read and write its files nevertheless.
    lines = [f"listener {(port := free_port())} 127.0.0.1", "user root", *(settings or OPEN)]
    (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
    server = Broker(folder, port)
    server.start()
    try:
        yield server
    finally:
        server.stop()


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
