"""Requests that no client of good will sends, over a real socket: each is answered or dropped, and others are served meanwhile."""

import gzip
import json
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing

import httpx
import psutil
import pytest

from andon.models.types.vision import Frame

URL = "/api/v1/inspections"
GROWTH_BYTES = 50 << 20


@pytest.fixture
def good(draw_plate: Callable[..., Frame], png: Callable[[Frame], bytes]) -> bytes:
    return png(draw_plate(3))


def connected(server: str) -> socket.socket:
    host, port = server.split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def raw(server: str, *pieces: bytes) -> bytes:
    """Send bytes as they are, and return the first line of the answer; nothing where the connection was dropped."""
    with closing(connected(server)) as connection:
        for piece in pieces:
            connection.sendall(piece)
        try:
            return connection.recv(65536).partition(b"\r\n")[0]
        except (ConnectionError, TimeoutError):
            return b""


def still_serves(server: str, image: bytes) -> bool:
    return httpx.post(f"http://{server}{URL}", content=image).status_code == 200


def head(length: str, path: str = URL) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n".encode()


def test_a_body_that_never_ends_holds_nobody_up(server: str, good: bytes) -> None:
    slow = [connected(server) for _ in range(20)]
    for each in slow:
        each.sendall(head(str(len(good))) + good[:10])
    assert still_serves(server, good)
    for each in slow:
        each.close()
    assert still_serves(server, good)


@pytest.mark.parametrize(
    "pieces",
    [
        (head("-1"), b"x"),
        (head("x"), b"x"),
        (head("5\r\nContent-Length: 7"), b"12345"),
        (head("5\r\nTransfer-Encoding: chunked"), b"zz\r\n"),
        (b"POST /api/v1/inspections HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"not a size\r\n"),
        (b"POST /api/v1/inspections HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x00" * 100),
        (b"GET / HTTP/9.9\r\n\r\n",),
        (b"GET " + b"/a" * 100_000 + b" HTTP/1.1\r\n\r\n",),
    ],
)
def test_what_is_no_request_is_refused_or_dropped(server: str, good: bytes, pieces: tuple[bytes, ...]) -> None:
    answer = raw(server, *pieces)
    assert answer == b"" or answer.split()[1].startswith(b"4"), answer
    assert still_serves(server, good)


def test_more_than_is_taken_is_refused_before_it_comes(server: str, good: bytes) -> None:
    assert raw(server, head(str(100 << 20))).split()[1] == b"413"
    assert still_serves(server, good)


def test_a_longer_body_than_was_announced_is_no_second_request(server: str, good: bytes) -> None:
    answer = raw(server, head("4"), b"abcdGET /v2 HTTP/1.1\r\n\r\n")
    assert answer.split()[1] == b"400"
    assert still_serves(server, good)


def bomb() -> bytes:
    """A PNG of 30,000 x 30,000 pixels, of less than a megabyte."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + 3 * 30_000)) for _ in range(3000)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_an_image_bomb_does_not_go_off(server: str, good: bytes) -> None:
    image, process = bomb(), psutil.Process()
    assert still_serves(server, good)
    before = process.memory_info().rss
    answer = httpx.post(f"http://{server}{URL}", content=image)
    assert (answer.status_code, answer.json()["code"]) == (400, "image.too_many_pixels")
    assert process.memory_info().rss - before < GROWTH_BYTES


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/v2/models/plates/infer", gzip.compress(b"{}", mtime=0)[:-4], {"Content-Encoding": "gzip"}),
        ("/v2/models/plates/infer", b"{}", {"Content-Encoding": "br"}),
        ("/v2/models/plates/infer", b'{"inputs": [{"name": "image", "shape": [1e400]}]}', {}),
        ("/v2/models/plates/infer", b'{"inputs": [{"name": "image", "shape": [%s]}]}' % (b"9" * 400), {}),
        ("/v2/models/plates/infer", b"[" * 200_000, {}),
        ("/v2/models/plates/infer", b"{}", {"Inference-Header-Content-Length": "99999999"}),
        ("/api/v1/recipes", json.dumps({"name": "a", "bundle_digest": "0" * 64}).encode("utf-16"), {}),
        ("/api/v1/signals?rate_hz=1e400", bytes(400), {}),
        ("/api/v1/signals?rate_hz=1000&time=9999-12-31T23:59:59-14:00", bytes(400), {}),
        ("/api/v1/signals?rate_hz=1000&asset=%ED%A0%80", bytes(401), {}),
        ("/api/v1/signals?rate_hz=1000&asset=%00", bytes(400), {}),
        (
            "/api/v1/inspections",
            b'--b\r\nContent-Disposition: form-data; name="serial"\r\n\r\n' + "板".encode("gbk") + b"\r\n--b--\r\n",
            {"Content-Type": "multipart/form-data; boundary=b"},
        ),
        ("/api/v1/inspections?serial=%C0%80", b"no image", {}),
        ("/api/v1/recipes", b'{"name": "a", "bundle_digest": "x", "document": {"n": 1e999}}', {}),
    ],
)
def test_what_cannot_be_read_is_said_and_nothing_fails(
    server: str, good: bytes, path: str, body: bytes, headers: dict[str, str]
) -> None:
    answer = httpx.post(f"http://{server}{path}", content=body, headers=headers)
    assert 400 <= answer.status_code < 500, answer.text
    assert still_serves(server, good)


def test_a_clock_that_goes_back_breaks_no_order(server: str, good: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records are found in the order of their identifiers, and the ledger goes by its numbers."""
    now = iter_back(time.time_ns())
    monkeypatch.setattr(time, "time_ns", lambda: next(now))
    answers = [httpx.post(f"http://{server}{URL}", content=good).json() for _ in range(5)]
    listed = [each["id"] for each in httpx.get(f"http://{server}{URL}").json()["items"]]
    assert sorted(listed, reverse=True) == listed
    assert set(listed) == {each["id"] for each in answers}
    (chain,) = httpx.get(f"http://{server}/api/v1/ledger/chains").json()["items"]
    assert (chain["count"], chain["hash"]) == (5, answers[-1]["ledger_hash"])


def iter_back(start_ns: int) -> Iterator[int]:
    """Moments that go back by an hour each."""
    while True:
        start_ns -= 3600 * 10**9
        yield start_ns
