"""A signed webhook: what is posted, who can check it, and what each answer means."""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from pathlib import Path
from socket import create_server
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.serving.notify.receivers import WebServer, certify, free_port, server_tls, web_server

from andon.serving.notify.channels import Failed, Message, Outcome, Refused, Sent
from andon.serving.notify.signing import secret_bytes, signed_headers
from andon.serving.notify.webhook import Webhook, WebhookSettings, outcome_of, wait_s

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
OLD, NEW = b"o" * 24, b"n" * 32
Messages = Callable[..., Message]


def post(url: str, message: Message, ca: Path | None = None, timeout_s: float = 10.0) -> Outcome:
    return Webhook(WebhookSettings("cmms", url, (NEW, OLD), ca, timeout_s), lambda: NOW).send(message)


def accepts(secret: bytes, headers: dict[str, str], body: bytes) -> bool:
    """Check a webhook as its receiver does, after the specification's section on verification."""
    content = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    expected = b64encode(hmac.new(secret, content, sha256).digest()).decode()
    return any(
        hmac.compare_digest(f"v1,{expected}".encode(), each.encode()) for each in headers["webhook-signature"].split()
    )


def test_the_signature_is_that_of_the_specifications_example() -> None:
    secret = secret_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert secret
    time = datetime.fromtimestamp(1614265330, UTC)
    headers = signed_headers([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", time, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("size", [23, 24, 64, 65])
def test_a_secret_is_as_long_as_the_specification_asks(size: int) -> None:
    said = "whsec_" + b64encode(bytes(size)).decode()
    assert secret_bytes(said) == (bytes(size) if 24 <= size <= 64 else None)


@pytest.mark.parametrize(
    "said", ["", "whsec_", "secret", b64encode(bytes(32)).decode(), "whsec_" + "*" * 40, "whsec_ä"]
)
def test_what_is_no_secret_is_none(said: str) -> None:
    assert secret_bytes(said) is None


def test_the_alert_is_posted_with_a_signature_for_each_secret(web: WebServer, message_of: Messages) -> None:
    message = message_of(asset="泵 7")
    assert post(web.url + "/hook?x=1", message) == Sent()
    (request,) = web.requests
    assert request.path == "/hook?x=1"
    assert request.document == {**message.documents[0], "event_id": message.id}
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == message.id
    assert request.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    for secret in (OLD, NEW):
        assert accepts(secret, request.headers, request.body)
    assert not accepts(b"x" * 24, request.headers, request.body)
    assert not accepts(NEW, request.headers, request.body + b" ")


@pytest.mark.parametrize(
    ("status", "headers", "outcome"),
    [
        (200, {}, Sent()),
        (202, {}, Sent()),
        (400, {}, Failed("HTTP 400", alone=True)),
        (401, {}, Failed("HTTP 401", alone=True)),
        (410, {}, Refused("HTTP 410")),
        (429, {"retry-after": "7"}, Failed("HTTP 429", retry_after_s=7.0)),
        (500, {}, Failed("HTTP 500", alone=True)),
        (503, {"retry-after": "Wed, 04 Mar 2026 12:01:30 GMT"}, Failed("HTTP 503", retry_after_s=90.0)),
        (503, {"retry-after": "soon"}, Failed("HTTP 503")),
    ],
)
def test_the_answer_decides(
    web: WebServer, message_of: Messages, status: int, headers: dict[str, str], outcome: Outcome
) -> None:
    web.answer = lambda _: (status, dict(headers))
    assert post(web.url, message_of()) == outcome


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_refused(web: WebServer, message_of: Messages, status: int) -> None:
    with web_server() as other:
        web.answer = lambda _: (status, {"location": other.url})
        outcome = post(web.url, message_of())
        assert outcome == Failed(f"HTTP {status}, redirects are not followed", alone=True)
        assert other.requests == []


@given(st.integers(100, 599), st.text(max_size=40) | st.integers().map(str) | st.datetimes().map(format_datetime))
def test_every_answer_means_something(status: int, retry_after: str) -> None:
    outcome = outcome_of(status, retry_after, NOW)
    assert isinstance(outcome, Sent) is (200 <= status < 300)
    assert 0 <= wait_s(retry_after, NOW) <= 3600
    if isinstance(outcome, Failed):
        assert outcome.retry_after_s == wait_s(retry_after, NOW)


def test_a_receiver_that_is_not_there_is_a_failure_without_its_address(message_of: Messages) -> None:
    outcome = post(f"http://127.0.0.1:{free_port()}/hook?token=S3CRET", message_of())
    assert outcome == Failed("Connection refused")


def test_a_receiver_that_says_nothing_is_a_failure(message_of: Messages) -> None:
    with create_server(("127.0.0.1", 0)) as silent:
        outcome = post(f"http://127.0.0.1:{silent.getsockname()[1]}/?token=S3CRET", message_of(), timeout_s=0.2)
    assert outcome == Failed("ReadTimeout")


def test_an_answer_that_never_ends_is_not_waited_for(message_of: Messages) -> None:
    with create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
                while connection.recv(65536):
                    """Until the other side closes."""

        server = Thread(target=answer)
        server.start()
        assert post(f"http://127.0.0.1:{listener.getsockname()[1]}", message_of(), timeout_s=1.0) == Sent()
        server.join()


def test_only_a_server_that_is_trusted_gets_it(tmp_path: Path, message_of: Messages) -> None:
    ca, certificate, key = certify(tmp_path)
    with web_server(server_tls(certificate, key)) as server:
        assert post(server.url, message_of(), ca) == Sent()
        refused = post(server.url, message_of())
        assert isinstance(refused, Failed)
        assert refused.reason.startswith("TLS: ")
        assert "local issuer certificate" in refused.reason
        elsewhere = post(server.url.replace("127.0.0.1", "localhost"), message_of(), ca)
        assert isinstance(elsewhere, Failed)
        assert "localhost" in elsewhere.reason
        assert len(server.requests) == 1


def test_no_password_of_the_users_goes_along(
    web: WebServer, message_of: Messages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password S3CRET\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    post(web.url, message_of())
    assert "authorization" not in web.requests[0].headers


def test_nothing_shows_what_is_secret() -> None:
    settings = WebhookSettings("cmms", "https://cmms.example/?token=S3CRET", (b"S3CRET" * 4,), None, 1.0)
    assert "S3CRET" not in repr(settings)


def test_a_date_without_a_zone_is_in_utc() -> None:
    later = (NOW + timedelta(seconds=30)).replace(tzinfo=None)
    assert wait_s(later.strftime("%a, %d %b %Y %H:%M:%S"), NOW) == 30.0


def test_what_the_signature_is_made_of_is_base64() -> None:
    signature = signed_headers([OLD], "id", NOW, b"")["webhook-signature"]
    assert len(b64decode(signature.removeprefix("v1,"), validate=True)) == sha256().digest_size


def test_a_server_that_speaks_no_tls_is_a_failure(web: WebServer, message_of: Messages) -> None:
    outcome = post(web.url.replace("http:", "https:"), message_of())
    assert isinstance(outcome, Failed)
    assert outcome.reason.startswith("TLS: ")
