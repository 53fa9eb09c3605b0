"""Tells over HTTP how a box is, and lets those with its key take back a version."""

import hmac
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import dumps
from ssl import SSLContext
from threading import Thread
from typing import Any

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from andon.hardware.edge.agent import Box, RollBack
from andon.hardware.edge.status import Figures, status_document
from andon.hardware.edge.status_page import page
from andon.models.messages.accepted import accepted_language
from andon.models.messages.catalogue import Catalogue, catalogue
from andon.models.types.errors import InputError, ResourceError

PAGE, STATUS, METRICS, ROLL_BACK = "/", "/status", "/metrics", "/roll-back"
MOST_BYTES = 4096
"""Of what is posted."""

Answer = tuple[str, Callable[[], bytes]]
"""The type of its content, and what makes it."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where the box is asked.

    Parameters
    ----------
    key
        What must be sent as a bearer token; None where anybody may know, and nobody change anything.
    tls
        None where it speaks without.
    """

    host: str
    port: int
    key: str | None = None
    tls: SSLContext | None = None


@contextmanager
def telling(door: Door, box: Box, text: Catalogue) -> Iterator[str]:
    """Tell over HTTP how the box is, and give the address: ``/`` for people, ``/status`` as JSON, ``/metrics``.

    ``POST /roll-back`` takes a ``RollBack``.

    Raises
    ------
    ResourceError
        The address cannot be listened on.
    """
    with _listening(door, box, text) as server:
        thread = Thread(target=server.serve_forever, name="status")
        thread.start()
        try:
            yield f"{'https' if door.tls else 'http'}://{door.host}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _listening(door: Door, box: Box, text: Catalogue) -> "_Server":
    try:
        return _Server(door, box, text)
    except OSError as error:
        raise ResourceError("edge.port", f"{door.host}:{door.port}", reason=error.strerror or str(error)) from error


def _answers(box: Box, registry: CollectorRegistry, text: Catalogue) -> Mapping[str, Answer]:
    """Give by its path what can be asked for, in the language of ``text``."""
    document = partial(status_document, box, text)
    return {
        PAGE: ("text/html; charset=utf-8", lambda: page(document(), text).encode()),
        STATUS: ("application/json", lambda: dumps(document(), ensure_ascii=False).encode()),
        METRICS: (CONTENT_TYPE_LATEST, lambda: generate_latest(registry)),
    }


class _Server(ThreadingHTTPServer):
    """Holds what a request needs."""

    def __init__(self, door: Door, box: Box, text: Catalogue) -> None:
        self.key, self.box, self.text = door.key, box, text
        self.registry = CollectorRegistry()
        self.registry.register(Figures(partial(status_document, box, text)))
        super().__init__((door.host, door.port), _Handler)
        if door.tls:  # each caller's handshake takes place in its own thread
            self.socket = door.tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who leaves early, or does not speak TLS, is nothing to be told."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: _Server
    timeout = 10

    def do_GET(self) -> None:
        """Tell how the box is."""
        answers = self._answers()
        if self.server.key and not self._shows(self.server.key):
            self.send_error(401)
        elif self.path not in answers:
            self.send_error(404)
        else:
            self._answer(*answers[self.path])

    def do_POST(self) -> None:
        """Take back a version."""
        if not (self.server.key and self._shows(self.server.key)):
            self.send_error(401)
        elif self.path != ROLL_BACK:
            self.send_error(404)
        else:
            self._roll_back()

    def _shows(self, key: str) -> bool:
        said = self.headers.get("Authorization", "").encode()
        return hmac.compare_digest(said, f"Bearer {key}".encode())

    def _roll_back(self) -> None:
        try:
            length = min(int(self.headers.get("Content-Length", "0")), MOST_BYTES)
            self.server.box.roll_back(msgspec.json.decode(self.rfile.read(length), type=RollBack))
        except ValueError as error:  # of the length, and msgspec's
            self.send_error(400, explain=str(error))
        except InputError as error:
            self._send(409, "text/plain; charset=utf-8", self._text().error(error).encode())
        else:
            self._answer(*self._answers()[STATUS])

    def _answers(self) -> Mapping[str, Answer]:
        return _answers(self.server.box, self.server.registry, self._text())

    def _text(self) -> Catalogue:
        """Speak the language that is asked for, or the box's own."""
        said = self.headers.get("Accept-Language", "")
        return catalogue(accepted_language(said, self.server.text.language))

    def _answer(self, content_type: str, make: Callable[[], bytes]) -> None:
        try:
            body = make()
        except ResourceError as error:  # the box's own database: a fleet must see that
            self.send_error(503, explain=str(error))
        else:
            self._send(200, content_type, body)

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Who asks how the box is, is nothing to be written down."""
