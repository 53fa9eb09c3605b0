"""Real receivers on free ports of this machine: a web server, a broker, a mail server, and certificates for them."""

import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from time import monotonic
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/opt/homebrew/sbin")
PATIENCE_S = 30.0


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
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass
class WebServer:
    """Answers every POST by ``answer``, and keeps what came."""

    url: str
    requests: list[Request] = field(default_factory=list)
    answer: Callable[[Request], tuple[int, dict[str, str]]] = lambda _: (204, {})

    @property
    def ids(self) -> list[str]:
        return [each.document["event_id"] for each in self.requests]


@contextmanager
def web_server(tls: ssl.SSLContext | None = None, port: int = 0) -> Iterator[WebServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            request = Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            server.requests.append(request)
            status, headers = server.answer(request)
            self.send_response(status)
            answer = headers.pop("body", "").encode()
            for name, value in {**headers, "content-length": str(len(answer))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        # Clients that give up are what some tests are about.
        def handle_error(self, *_: object) -> None:
            """Say nothing."""

    with Quiet(("127.0.0.1", port), Handler) as listener:
        if tls:
            listener.socket = tls.wrap_socket(listener.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "https" if tls else "http"
        server = WebServer(f"{scheme}://127.0.0.1:{listener.server_port}")
        thread = Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown()
            thread.join()


@dataclass
class Broker:
    """A mosquitto that can be stopped or killed, and started again; what it says is in ``log``."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO
        with self.log.open("ab") as log:
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

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def broker(folder: Path, *settings: str) -> Iterator[Broker]:
    """Start a broker; with no settings anybody may use it. The test is skipped where there is none."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed (apt-get install mosquitto)")
    folder.mkdir(exist_ok=True)
    # It gives up root's rights, and has to read and write its files nevertheless.
    lines = [f"listener {(port := free_port())} 127.0.0.1", "user root", *(settings or ("allow_anonymous true",))]
    (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
    server = Broker(folder, port)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@dataclass
class Subscriber:
    messages: SimpleQueue[tuple[str, Any]] = field(default_factory=SimpleQueue)
    all: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        return [document["event_id"] for _, document in self.all]


@contextmanager
def subscriber(port: int, **login: str) -> Iterator[Subscriber]:
    """Hear everything below ``andon/``, again after the broker was away."""
    heard, subscribed = Subscriber(), Event()
    client = Client(CallbackAPIVersion.VERSION2)
    client.reconnect_delay_set(1, 1)

    def note(_client: Client, _data: object, message: MQTTMessage) -> None:
        said = (message.topic, msgspec.json.decode(message.payload))
        heard.all.append(said)
        heard.messages.put(said)

    client.on_connect = lambda client, *_: client.subscribe("andon/#", qos=1)
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = note
    if login:
        client.username_pw_set(login["user"], login["password"])
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        assert subscribed.wait(PATIENCE_S)
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


@dataclass
class MailServer:
    port: int
    mails: list[Message] = field(default_factory=list)
    status: str = "250 OK"

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802
        if self.status.startswith("250"):
            self.mails.append(message_from_bytes(envelope.content, policy=default))
        return self.status


@contextmanager
def mail_server() -> Iterator[MailServer]:
    from aiosmtpd.controller import Controller

    server = MailServer(free_port())
    controller = Controller(server, hostname="127.0.0.1", port=server.port)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


def certify(folder: Path) -> tuple[Path, Path, Path]:
    """Make an authority and a certificate of it for 127.0.0.1. Returns the authority's, the server's and the server's key."""
    own_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")])
    ca = _certificate(name, name, own_key, own_key.public_key(), x509.BasicConstraints(True, None))
    here = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    server = _certificate(name, here, own_key, key.public_key(), address)
    paths = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    pem = serialization.Encoding.PEM
    paths[0].write_bytes(ca.public_bytes(pem))
    paths[1].write_bytes(server.public_bytes(pem))
    paths[2].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return paths


def _certificate(
    issuer: x509.Name,
    subject: x509.Name,
    signer: ec.EllipticCurvePrivateKey,
    public: ec.EllipticCurvePublicKey,
    extension: x509.ExtensionType,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().issuer_name(issuer).subject_name(subject).public_key(public)
    builder = builder.serial_number(x509.random_serial_number()).add_extension(extension, critical=True)
    return (
        builder.not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(signer, hashes.SHA256())
    )


def server_tls(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
