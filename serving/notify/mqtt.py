"""Messages to an MQTT broker.

Each message has a connection of its own: alerts are rare, and so nothing has to be kept alive and nothing goes stale.
"""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

import msgspec
from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from andon.models.types.identifiers import safe_name
from andon.serving.notify.channels import Failed, Message, Outcome, Sent, machine_document

TOPIC = "andon/{site}/{asset}/alerts"
QOS = 1
PORT, TLS_PORT = 1883, 8883
VERSIONS = {"3.1.1": MQTTv311, "5": MQTTv5}


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """A broker and where to publish.

    Parameters
    ----------
    topic
        With ``{site}`` and ``{asset}``; in both, what is neither letter nor digit becomes ``_``.
    tls
        Trusted certificates and an own one; None for a connection that is not encrypted.
    version
        Of the protocol: with 5 the broker says where it does not let through what it took.
    """

    name: str
    host: str
    port: int
    site: str
    topic: str
    version: str
    tls: ssl.SSLContext | None
    user: str | None
    password: str | None = field(repr=False)
    timeout_s: float

    def topic_of(self, document: Mapping[str, Any]) -> str:
        """Where what concerns the document's asset is published."""
        return self.topic.format(site=safe_name(self.site), asset=safe_name(document["asset"]))


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the broker said to a connection, or to message ``mid``."""

    said: str
    is_failure: bool
    mid: int | None = None


class _BrokerError(Exception):
    """The broker refused, or left."""

    def __init__(self, answer: _Answer) -> None:
        super().__init__(f"MQTT: {answer.said}")
        self.alone = answer.mid is not None


class Broker:
    """Publishes messages, at least once (QoS 1)."""

    in_order = True

    def __init__(self, settings: MqttSettings) -> None:
        self._settings = settings

    def send(self, message: Message) -> Outcome:
        """Publish a message; a summary once for each topic that its alerts belong to."""
        ends = monotonic() + self._settings.timeout_s
        try:
            with self._connected(ends) as (client, answers):
                for topic, documents in _by_topic(self._settings, message):
                    body = msgspec.json.encode(machine_document(message.id, documents))
                    _await(answers, client.publish(topic, body, QOS).mid, ends)
        except Empty:
            return Failed(f"no answer within {self._settings.timeout_s:g} s")
        except _BrokerError as error:
            return Failed(str(error), error.alone)
        except OSError as error:
            return Failed(error.strerror or str(error) or type(error).__name__)
        return Sent()

    @contextmanager
    def _connected(self, ends: float) -> Iterator[tuple[Client, SimpleQueue[_Answer]]]:
        answers: SimpleQueue[_Answer] = SimpleQueue()
        client = _client(self._settings, answers)
        client.connect(self._settings.host, self._settings.port)
        client.loop_start()
        try:
            _await(answers, None, ends)
            yield client, answers
        finally:
            client.disconnect()
            client.loop_stop()


def _client(settings: MqttSettings, answers: SimpleQueue[_Answer]) -> Client:
    client = Client(CallbackAPIVersion.VERSION2, protocol=VERSIONS[settings.version], reconnect_on_failure=False)
    client.connect_timeout = settings.timeout_s
    if settings.tls:
        client.tls_set_context(settings.tls)
    if settings.user is not None:
        client.username_pw_set(settings.user, settings.password)
    client.on_connect = lambda _client, _data, _flags, code, _more: answers.put(_Answer(str(code), code.is_failure))
    client.on_publish = lambda _client, _data, mid, code, _more: answers.put(_Answer(str(code), code.is_failure, mid))
    client.on_disconnect = lambda _client, _data, _flags, code, _more: answers.put(_Answer(str(code), True))
    return client


def _await(answers: SimpleQueue[_Answer], mid: int | None, ends: float) -> None:
    """Wait for the answer to a connection (None) or a message; an earlier one's is passed over."""
    while True:
        answer = answers.get(timeout=max(ends - monotonic(), 0.001))
        if answer.is_failure:
            raise _BrokerError(answer)
        if answer.mid == mid:
            return


def _by_topic(settings: MqttSettings, message: Message) -> list[tuple[str, tuple[Mapping[str, Any], ...]]]:
    named = sorted(((settings.topic_of(each), each) for each in message.documents), key=itemgetter(0))
    return [(topic, tuple(each for _, each in group)) for topic, group in groupby(named, key=itemgetter(0))]
