"""What a request costs beyond the inspection itself: processor time of the service over decode and inspect in process.

Once with an archive that keeps nothing, once as the service is. Both hash the image, make the record and answer.

Run ``python -m tests.bench.bench_serving [BUNDLE]``; without a bundle, one is trained on the solar cells first.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from statistics import median
from unittest.mock import patch

import cv2
import numpy as np
from PIL import Image
from tests.bench.asking import asking, cpu_ms, serving
from tests.bench.figures import print_figure

from andon.datasets.store.inspections import Kept
from andon.datasets.store.opening import StoreOptions, open_store
from andon.datasets.store.recorder import InspectionRecord
from andon.models.bundle.runtime import LoadedInspector, load_inspector
from andon.models.bundle.storage import read_bundle, write_bundle
from andon.models.command.main import main as andon
from andon.models.ledger.chain import GENESIS
from andon.models.vision.decoding import decode_image
from andon.serving.api.app import create_app
from andon.serving.engine.archive import Archive
from andon.serving.engine.repository import ModelRepository

WIDTH, HEIGHT, SIGMA, QUALITY = 1280, 1024, 1.3, 85
ROUNDS, REQUESTS = 60, 5
MARK = b"0" * 16
"""Stands behind the end of an image and gives way to a number, so that no image is kept already."""

CLIENT = """
import http.client, sys
port, content_type, count, place, length = sys.argv[1:]
body = bytearray(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))
mark, number = slice(int(place), int(place) + int(length)), 0
connection = http.client.HTTPConnection("127.0.0.1", int(port))
for _ in sys.stdin.buffer:
    for _ in range(int(count)):
        number += 1
        body[mark] = b"%0*x" % (int(length), number)
        connection.request("POST", "/api/v1/inspections", body, {"Content-Type": content_type})
        response = connection.getresponse()
        assert response.status == 200, response.read()
        response.read()
    print(flush=True)
"""
"""Sends as many requests as it is told for every line it reads; a process of its own, whose time does not count."""


def main(words: Sequence[str] = ()) -> None:
    """Print one JSON object a figure."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        ensure_bundle(folder / "m", Path(words[0]) if words else None)
        image = jpeg()
        loaded = load_inspector(folder / "m")
        for storing, (archive, bound) in ARCHIVES.items():
            with _serving(folder, archive) as port:
                for form, (content_type, body) in _requests(image).items():
                    costs = _measure(loaded, image, port, content_type, body)
                    _report(f"{form}, {storing}", bound, len(image), *costs)


class _KeepsNothing(Archive):
    """Answers as the archive does, without disk or database."""

    async def inspection(self, image: bytes, record: Callable[[str], InspectionRecord]) -> Kept:
        return Kept(record(sha256(image).hexdigest()).document, GENESIS)


ARCHIVES = {"without storing": (_KeepsNothing, 1.05), "with storing": (Archive, 1.3)}
"""What keeps, and what a request may then cost."""


def _measure(
    loaded: LoadedInspector, image: bytes, port: int, content_type: str, body: bytes
) -> tuple[list[float], list[float]]:
    """Milliseconds of processor time an image: in process and served, in turns, since others use the machine too.

    In process, too, a thread other than the first does the work: memory of a frame's size is reused there, while in the
    first it goes back to the system every time, which costs a fifth more and would flatter the service.
    """

    def inspect() -> None:
        for _ in range(REQUESTS):
            loaded.inspector.inspect(decode_image(image, "image"))

    pairs = []
    words = [str(port), content_type, str(REQUESTS), str(body.rindex(MARK)), str(len(MARK))]
    with asking(CLIENT, words, body) as post, ThreadPoolExecutor(1) as thread:
        for _ in range(ROUNDS + 1):
            pairs.append((cpu_ms(lambda: thread.submit(inspect).result(), REQUESTS), cpu_ms(post, REQUESTS)))
    own_ms, served_ms = zip(*pairs[1:], strict=True)
    return list(own_ms), list(served_ms)


def _report(how: str, bound: float, image_bytes: int, own_ms: list[float], served_ms: list[float]) -> None:
    ratio = median(served / own for own, served in zip(own_ms, served_ms, strict=True))
    print_figure(
        f"POST /api/v1/inspections ({how}): CPU over decode and inspect in process",
        value=round(ratio, 3),
        bound=bound,
        in_process_cpu_ms=round(median(own_ms), 2),
        served_cpu_ms=round(median(served_ms), 2),
        overhead_cpu_ms=round(median(served - own for own, served in zip(own_ms, served_ms, strict=True)), 2),
        image=f"{WIDTH}x{HEIGHT} JPEG, {image_bytes // 1024} KiB",
    )


def _requests(image: bytes) -> dict[str, tuple[str, bytes]]:
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="i.jpg"\r\n\r\n'
    return {
        "raw body": ("image/jpeg", image),
        "multipart": ("multipart/form-data; boundary=b", head + image + b"\r\n--b--\r\n"),
    }


@contextmanager
def _serving(folder: Path, archive: type[Archive]) -> Iterator[int]:
    with tempfile.TemporaryDirectory() as home:
        store = open_store(Path(home), StoreOptions("bench"))
        with patch("andon.serving.api.app.Archive", archive):
            app = create_app(ModelRepository(folder), store)
        with store.database, serving(app) as port:
            yield port


def jpeg() -> bytes:
    """Make an image of a camera's size, with ``MARK`` behind its end."""
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(cv2.GaussianBlur(noise, (0, 0), SIGMA)).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue() + MARK


def ensure_bundle(bundle: Path, given: Path | None) -> None:
    """Copy the bundle that is given to ``bundle``, or train one there on the solar cells, which needs the extra ``demo``."""
    if given:
        write_bundle(read_bundle(given), bundle)
    elif andon(["train", "vision", "--data", "elpv:mono", "--out", str(bundle)]) != 0:
        raise SystemExit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
