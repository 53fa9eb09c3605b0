"""A service's door on a free port of this machine: it takes what boxes send, and fails as a test tells it to."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from andon.datasets.store.opening import Store
from andon.datasets.store.replica import Replica
from andon.datasets.store.replication import Batch
from andon.models.ledger.chain import Head
from andon.models.types.errors import AndonError


@dataclass(frozen=True, slots=True)
class Instead:
    """What is answered instead of what should be.

    Parameters
    ----------
    after
        Whether the request is served first: its answer is lost.
    status
        None closes the connection without an answer.
    delay_s
        How long nothing is said.
    """

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    after: bool = False
    delay_s: float = 0.0


@dataclass
class Door:
    """What came through it, and what comes instead of the next answers, by the start of ``METHOD /path``."""

    store: Store
    url: str = ""
    seen: list[tuple[float, str, dict[str, str]]] = field(default_factory=list)
    instead: list[tuple[str, Instead]] = field(default_factory=list)

    def asked(self, start: str) -> list[str]:
        return [request for _, request, _ in self.seen if request.startswith(start)]

    def answer(self, request: str, body: bytes) -> tuple[int, bytes]:
        """Serve a request as the service does."""
        try:
            return 200, json.dumps(self._served(request, body)).encode()
        except AndonError as error:
            return 422, json.dumps({"code": error.code, "detail": str(error)}).encode()

    def _served(self, request: str, body: bytes) -> dict[str, Any]:
        replica, words = Replica(self.store), request.split("/")
        if request.startswith("PUT"):
            replica.put_file(words[-1], body)
            return {}
        if words[-1] == "missing":
            return {"missing": replica.missing(json.loads(body)["digests"])}
        if words[-1] == "head":
            return head_document(replica.head(words[-2]))
        return head_document(replica.take(words[-2], msgspec.json.decode(body, type=Batch)).head)

    def take_instead(self, request: str) -> Instead | None:
        for place, (start, instead) in enumerate(self.instead):
            if request.startswith(start):
                del self.instead[place]
                return instead
        return None


def head_document(head: Head) -> dict[str, Any]:
    return {"origin": head.origin, "seq": head.seq, "hash": head.hash}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def handle_request(self) -> None:
        door, request = self.server.door, f"{self.command} {self.path}"
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        door.seen.append((time.monotonic(), request, dict(self.headers)))
        instead = door.take_instead(request)
        if instead is None:
            self.say(*door.answer(request, body), {})
            return
        if instead.after:
            door.answer(request, body)
        time.sleep(instead.delay_s)
        if instead.status is None:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        else:
            self.say(instead.status, instead.body, instead.headers)

    def say(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


for _method in ("GET", "POST", "PUT"):
    setattr(Handler, f"do_{_method}", Handler.handle_request)


class Server(ThreadingHTTPServer):
    """Closes its connections with it: a client would go on to talk to a door that is shut."""

    def __init__(self, port: int, door: Door) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.door = door
        self.open: list[socket.socket] = []

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.append(request)
        super().process_request(request, client_address)

    def shut(self) -> None:
        self.shutdown()
        for each in self.open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news."""


@contextmanager
def opened_door(store: Store, port: int = 0) -> Iterator[Door]:
    """Serve while the block runs."""
    door = Door(store)
    with Server(port, door) as server:
        door.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield door
        finally:
            server.shut()
            thread.join()
