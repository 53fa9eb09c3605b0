"""Broker and agent are killed in the middle of their work: nothing is lost, and by id nothing is there twice."""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Self

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from tests.serving.notify.receivers import Broker, broker, eventually

KILLS, MESSAGES = (50, 10_000) if os.environ.get("ANDON_SOAK") else (2, 300)
SHARE = MESSAGES // (KILLS + 1)
AGENT = Path(__file__).with_name("agent.py")
PERSISTENT = ("allow_anonymous true", "persistence true", "autosave_interval 1", "max_queued_messages 0")
"""Mosquitto writes down every second what it has; without a bound on what it queues it drops nothing."""


class Listener:
    """A subscriber with a session that the broker keeps, which comes back by itself."""

    def __init__(self, port: int) -> None:
        self.count: Counter[str] = Counter()
        self._subscribed = Event()
        self._client = Client(CallbackAPIVersion.VERSION2, "listener", clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("andon/#", qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._note
        self._client.connect("127.0.0.1", port)

    def _note(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.count[json.loads(message.payload)["event_id"]] += 1

    def __enter__(self) -> Self:
        self._client.loop_start()
        assert self._subscribed.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Agent:
    """The process that publishes, started anew with what it has not kept yet."""

    def __init__(self, port: int, outbox: Path) -> None:
        self._arguments = [sys.executable, str(AGENT), str(port), str(outbox)]
        self.kept = -1
        self.waiting: int | None = None

    def start(self, last: int) -> None:
        self.waiting = None
        words = [*self._arguments, str(self.kept + 1), str(last)]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self._reader = Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        with self._process.stdout as lines:
            for line in lines:
                self._heed(line)

    def _heed(self, line: str) -> None:
        if line.startswith("-") or (line == "0\n" and self.kept >= 0):
            self.waiting = -int(line)
        else:
            self.kept = int(line)

    def await_kept(self, count: int) -> None:
        eventually(lambda: self.kept >= count - 1, 120)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()


@contextmanager
def at_work(agent: Agent, last: int) -> Iterator[None]:
    agent.start(last)
    try:
        yield
    finally:
        agent.kill()


def work_under_kills(server: Broker, agent: Agent, chance: random.Random) -> None:
    """Kill the agent and the broker, each time after a share of the messages was kept, and in either order."""
    pause = Event()
    for turn in range(KILLS):
        due = SHARE * (turn + 1)
        with at_work(agent, min(due + SHARE, MESSAGES) if turn % 3 else due):
            agent.await_kept(due)
            pause.wait(chance.uniform(0, 0.3))
            if turn % 2:
                kill_for_a_while(server, pause, chance)
                pause.wait(chance.uniform(0, 0.5))
        if turn % 2 == 0:
            kill_for_a_while(server, pause, chance)


def kill_for_a_while(server: Broker, pause: Event, chance: random.Random) -> None:
    server.kill()
    pause.wait(chance.uniform(0, 0.2))
    server.start()


@pytest.mark.soak
def test_what_was_kept_arrives_whoever_is_killed(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    folder = tmp_path / "mosquitto"
    settings = (*PERSISTENT, f"persistence_location {folder}/")
    with broker(folder, *settings) as server, Listener(server.port) as listener:
        agent = Agent(server.port, tmp_path / "outbox.db")
        Event().wait(2)  # until the broker has written down who listens
        work_under_kills(server, agent, random.Random(5))
        with at_work(agent, MESSAGES):
            eventually(lambda: agent.waiting == 0 and agent.kept == MESSAGES - 1, 300)
            eventually(lambda: len(listener.count) == MESSAGES, 60)
    doubled = sum(count - 1 for count in listener.count.values())
    for name, value in {
        "kills_of_each": KILLS,
        "messages": MESSAGES,
        "distinct": len(listener.count),
        "sent_again": doubled,
    }.items():
        record_property(name, value)
    assert sorted(listener.count) == [f"{number:06}" for number in range(MESSAGES)]
