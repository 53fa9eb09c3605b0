"""Messages to a real broker: where they arrive, who may send, and what happens when the broker is away."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server

import pytest
from tests.serving.notify.receivers import Broker, broker, certify, free_port, subscriber

from andon.serving.notify import mqtt
from andon.serving.notify.channels import Failed, Message, Outcome, Sent
from andon.serving.notify.mqtt import TOPIC, MqttSettings
from andon.serving.notify.wording import summary_message

Messages = Callable[..., Message]


def settings(port: int, timeout_s: float = 10.0, **more: object) -> MqttSettings:
    given = {"site": "north", "topic": TOPIC, "version": "5", "tls": None, "user": None, "password": None} | more
    return MqttSettings(name="broker", host="127.0.0.1", port=port, timeout_s=timeout_s, **given)  # type: ignore[arg-type]


def publish(message: Message, port: int, **more: object) -> Outcome:
    return mqtt.Broker(settings(port, **more)).send(message)  # type: ignore[arg-type]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_an_alert_arrives_under_its_site_and_asset(mosquitto: Broker, message_of: Messages, version: str) -> None:
    message = message_of(asset="泵 7/DE+#")
    with subscriber(mosquitto.port) as heard:
        assert publish(message, mosquitto.port, version=version) == Sent()
        topic, document = heard.messages.get(timeout=30)
    assert topic == "andon/north/泵_7_DE__/alerts"
    assert document == {**message.documents[0], "event_id": message.id}


def test_a_summary_arrives_once_for_each_asset(mosquitto: Broker, waiting_of: Callable[..., object]) -> None:
    told = [waiting_of(asset=asset) for asset in ("P-1", "P-2", "P-1")]
    message = summary_message(told, None)  # type: ignore[arg-type]
    with subscriber(mosquitto.port) as heard:
        assert publish(message, mosquitto.port) == Sent()
        first, second = (heard.messages.get(timeout=30) for _ in range(2))
    assert (first[0], first[1]["type"], len(first[1]["alerts"])) == ("andon/north/P-1/alerts", "summary", 2)
    assert (second[0], second[1]["asset"]) == ("andon/north/P-2/alerts", "P-2")
    assert first[1]["event_id"] == second[1]["event_id"] == message.id


def test_a_broker_that_is_away_is_a_failure_and_gets_it_when_it_is_back(
    mosquitto: Broker, message_of: Messages
) -> None:
    message = message_of()
    mosquitto.stop()
    assert publish(message, mosquitto.port) == Failed("Connection refused")
    mosquitto.start()
    with subscriber(mosquitto.port) as heard:
        assert publish(message, mosquitto.port) == Sent()
        assert heard.messages.get(timeout=30)[1]["event_id"] == message.id


def test_a_broker_that_says_nothing_is_a_failure(message_of: Messages) -> None:
    with create_server(("127.0.0.1", 0)) as silent:
        outcome = publish(message_of(), silent.getsockname()[1], timeout_s=0.3)
    assert outcome == Failed("no answer within 0.3 s")


def test_a_host_that_nobody_knows_is_a_failure(message_of: Messages) -> None:
    channel = mqtt.Broker(settings(free_port()))
    object.__setattr__(channel._settings, "host", "no-such-host.invalid")
    outcome = channel.send(message_of())
    assert isinstance(outcome, Failed)
    assert outcome.reason


@contextmanager
def guarded(folder: Path) -> Iterator[tuple[Broker, ssl.SSLContext]]:
    """A broker with TLS that knows one user, who may not publish for the asset ``forbidden``."""
    ca, certificate, key = certify(folder)
    passwords = folder / "passwords"
    # "andon" with the password "S3CRET", by mosquitto_passwd.
    passwords.write_text(f"andon:{hashed('S3CRET')}\n")
    (folder / "acl").write_text("user andon\ntopic write andon/+/P-101/alerts\n")
    lines = (
        "allow_anonymous false",
        f"password_file {passwords}",
        f"acl_file {folder / 'acl'}",
        f"certfile {certificate}",
        f"keyfile {key}",
    )
    with broker(folder / "mosquitto", *lines) as server:
        yield server, ssl.create_default_context(cafile=ca)


def hashed(password: str) -> str:
    """A password as mosquitto keeps it: ``$7$``, PBKDF2 of SHA-512."""
    from base64 import b64encode
    from hashlib import pbkdf2_hmac

    salt = b"0123456789ab"
    digest = pbkdf2_hmac("sha512", password.encode(), salt, 101)
    return f"$7$101${b64encode(salt).decode()}${b64encode(digest).decode()}"


# paho leaves it to the collector to close a connection whose handshake failed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_only_who_is_known_may_publish_and_only_to_who_is_trusted(tmp_path: Path, message_of: Messages) -> None:
    with guarded(tmp_path) as (server, trusting):
        login = {"user": "andon", "password": "S3CRET"}
        assert publish(message_of(), server.port, tls=trusting, **login) == Sent()
        wrong = publish(message_of(), server.port, tls=trusting, user="andon", password="other")
        assert wrong == Failed("MQTT: Not authorized")
        assert publish(message_of(), server.port, tls=trusting) == Failed("MQTT: Not authorized")
        untrusted = publish(message_of(), server.port, tls=ssl.create_default_context(), **login)
        assert isinstance(untrusted, Failed)
        assert "CERTIFICATE_VERIFY_FAILED" in untrusted.reason
        forbidden = publish(message_of(asset="forbidden"), server.port, tls=trusting, **login)
        assert forbidden == Failed("MQTT: Not authorized", alone=True)


def test_the_password_is_not_shown() -> None:
    assert "S3CRET" not in repr(settings(1, user="andon", password="S3CRET"))
