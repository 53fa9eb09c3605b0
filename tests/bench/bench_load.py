"""The service under load: what it takes, how long requests wait at 0.7 of that, and what running images together would gain.

Run ``python -m tests.bench.bench_load [BUNDLE] [--short]``; without a bundle, one is trained on the solar cells first. The
service is a process of its own, started as a user starts it, and keeps every image on the disk; the client is another one, on
the same cores. Arrivals are at random (Poisson), and a request's time runs from when it was due: waiting for one of the
connections counts. Needs the extras ``train`` and ``demo``.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import monotonic, thread_time

import numpy as np
import uvloop
from tests.bench.bench_serving import MARK, ensure_bundle, jpeg
from tests.bench.figures import print_figure, seconds

from andon.models.bundle.bundle import MODEL
from andon.models.bundle.manifest import BANK
from andon.models.bundle.runtime import load_inspector
from andon.models.graphs.session import Array, GraphSession, Port
from andon.models.vision.decoding import decode_image
from andon.models.vision.graph import INPUTS, PatchGraph
from andon.models.vision.preprocessing import INTENSITIES, fit_to

CONNECTIONS = 100
SHARE = 0.7
"""Of the capacity: how much a line may ask for while its answers must come in time."""
SPREAD = 10
"""How much longer the slowest hundredth may take than half of the requests."""
IDLE_S = 4.0
"""After which a connection is opened anew: the service closes it after 5 s."""
WARM_UP_S, CAPACITY_S, LOAD_S, SHORT_S = 3.0, 20.0, 120.0, 10.0

BATCHES = (1, 2, 4, 8)
BUNDLES = "the bundle's graph"
ROUNDS = 15


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of requests: milliseconds of those that were answered, and how many were not."""

    took_ms: list[float]
    errors: int


Post = Callable[[], Awaitable[bool]]
"""Sends a request and waits for the answer; says whether it was one."""


def main(words: Sequence[str] = ()) -> None:
    """Print one JSON object a figure."""
    asked = _asked(words)
    with tempfile.TemporaryDirectory() as scratch:
        bundle = Path(scratch, "bundles", "m")
        ensure_bundle(bundle, asked.bundle)
        image = jpeg()
        with _serving(Path(scratch)) as port, _client() as client:
            _report_load(partial(client, port, image), SHORT_S if asked.short else LOAD_S)
        _report_batching(bundle, image)


def _asked(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle", nargs="?", type=Path)
    parser.add_argument("--short", action="store_true")
    return parser.parse_args(words)


@contextmanager
def _serving(home: Path) -> Iterator[int]:
    command = [sys.executable, "-c", "import sys; from andon.models.command.main import main; sys.exit(main())"]
    options = ["serve", "--port", "0", "--bundles", str(home / "bundles"), "--json"]
    environment = {**os.environ, "ANDON_HOME": str(home)}
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        try:
            yield int(json.loads(process.stdout.readline())["url"].rpartition(":")[2])
        finally:
            process.terminate()


@contextmanager
def _client() -> Iterator[Callable[..., Sent]]:
    """Run what sends in a process of its own, which is there before anything is timed."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        yield lambda port, image, send, *how: process.submit(_run, port, image, send, *how).result()


def _report_load(send: Callable[..., Sent], load_s: float) -> None:
    send(_closed_loop, WARM_UP_S)
    closed_s = min(CAPACITY_S, load_s)
    most = send(_closed_loop, closed_s)
    capacity = len(most.took_ms) / closed_s
    print_figure(
        f"capacity: images a second over {CONNECTIONS} connections that always ask",
        value=round(capacity, 1),
        errors=most.errors,
        p50_ms=round(median(most.took_ms), 1),
        cores=os.cpu_count(),
    )
    loaded = send(_open_loop, load_s, SHARE * capacity)
    half, late, last = np.percentile(loaded.took_ms, (50, 90, 99))
    at = f"{SHARE} of capacity for {load_s:.0f} s, {CONNECTIONS} connections"
    print_figure(f"errors at {at}", value=loaded.errors, bound=0, requests=len(loaded.took_ms) + loaded.errors)
    print_figure(
        f"p99 over p50 at {at}",
        value=round(last / half, 2),
        bound=SPREAD,
        p50_ms=round(half, 1),
        p90_ms=round(late, 1),
        p99_ms=round(last, 1),
        max_ms=round(max(loaded.took_ms), 1),
        requests_a_second=round(SHARE * capacity, 1),
    )


def _run(port: int, image: bytes, send: Callable[..., Awaitable[Sent]], *how: float) -> Sent:
    return uvloop.run(_over_connections(port, image, send, *how))


async def _over_connections(port: int, image: bytes, send: Callable[..., Awaitable[Sent]], *how: float) -> Sent:
    numbers = iter(range(sys.maxsize))
    first = random.SystemRandom().getrandbits(24) << 32
    connections = [_Connection(port, image, lambda: first + next(numbers)) for _ in range(CONNECTIONS)]
    for connection in connections:
        await connection.open()
    sent = await send([connection.post for connection in connections], *how)
    for connection in connections:
        connection.close()
    return sent


class _Connection:
    """Sends an image, each time with a number at its end, so that none is kept already."""

    def __init__(self, port: int, image: bytes, number: Callable[[], int]) -> None:
        self._port = port
        self._number = number
        self._image = image[: -len(MARK)]
        self._head = (
            b"POST /api/v1/inspections HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n"
            b"Content-Length: %d\r\n\r\n" % len(image)
        )

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._used = monotonic()

    async def post(self) -> bool:
        try:
            if monotonic() - self._used > IDLE_S:
                self.close()
                await self.open()
            return await self._post()
        except (OSError, EOFError):
            return False
        finally:
            self._used = monotonic()

    async def _post(self) -> bool:
        self._writer.writelines([self._head, self._image, b"%0*x" % (len(MARK), self._number())])
        await self._writer.drain()
        head = await self._reader.readuntil(b"\r\n\r\n")
        await self._reader.readexactly(_length(head))
        return head.startswith(b"HTTP/1.1 200 ")

    def close(self) -> None:
        self._writer.close()


def _length(head: bytes) -> int:
    (length,) = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return int(length)


async def _closed_loop(posts: Sequence[Post], for_s: float) -> Sent:
    """Send the next request over each connection when the last is answered; those that end too late are not counted."""
    clock = asyncio.get_running_loop().time
    end, outcomes = clock() + for_s, list[tuple[float, bool]]()

    async def ask(post: Post) -> None:
        while (started := clock()) < end:
            done = await post()
            if clock() < end:
                outcomes.append((clock() - started, done))

    await asyncio.gather(*map(ask, posts))
    return _sent(outcomes)


async def _open_loop(posts: Sequence[Post], for_s: float, per_s: float) -> Sent:
    """Send requests when they are due, whatever became of the others."""
    clock, draw = asyncio.get_running_loop().time, random.Random(0)
    due, outcomes = asyncio.Queue[float | None](), list[tuple[float, bool]]()

    async def arrive() -> None:
        now = clock()
        end = now + for_s
        while (now := now + draw.expovariate(per_s)) < end:
            await asyncio.sleep(now - clock())
            due.put_nowait(now)
        for _ in posts:
            due.put_nowait(None)

    async def ask(post: Post) -> None:
        while (scheduled := await due.get()) is not None:
            done = await post()
            outcomes.append((clock() - scheduled, done))

    await asyncio.gather(arrive(), *map(ask, posts))
    return _sent(outcomes)


def _sent(outcomes: Sequence[tuple[float, bool]]) -> Sent:
    answered = [took_s * 1e3 for took_s, done in outcomes if done]
    return Sent(answered, len(outcomes) - len(answered))


def _report_batching(bundle: Path, image: bytes) -> None:
    """A bundle's graph takes one image a run. Beside it: the same network exported for any number, and two runs at once."""
    taught = load_inspector(bundle).bundle
    graph = PatchGraph(taught.files[MODEL])
    batched = GraphSession(
        _batched_graph(graph.height, graph.width), "batched", INPUTS, [Port("distances", "float32", ("b", "y", "x"))]
    )
    frame = fit_to(decode_image(image, "image"), graph.height, graph.width)
    frame = INTENSITIES[taught.manifest.preprocessing.intensity](frame)
    bank = taught.array(BANK, np.float32)
    own = graph.distances(frame, bank)
    if not np.allclose(_distances(batched, frame, bank, 2), own, atol=1e-3):
        raise RuntimeError("the graph for several images finds other distances")
    runs: dict[str, tuple[int, Callable[[], object]]] = {
        BUNDLES: (1, lambda: graph.distances(frame, bank)),
        **{str(n): (n, partial(_distances, batched, frame, bank, n)) for n in BATCHES},
    }
    turns = [{name: _cpu_ms(run) / n for name, (n, run) in runs.items()} for _ in range(ROUNDS + 1)][1:]
    image_ms = {name: round(median(turn[name] for turn in turns), 2) for name in runs}
    gains = {n: median(turn[BUNDLES] / turn[str(n)] for turn in turns) for n in BATCHES}
    best = max(BATCHES, key=lambda n: gains[n])
    print_figure(
        "dynamic batching: best gain in processor time, at one thread, over the bundle's graph, which takes one image a run",
        value=round(gains[best], 2),
        images_a_run=best,
        image_cpu_ms=image_ms,
        gain_over_the_same_export_with_one=round(gains[best] / gains[1], 2),
    )
    _report_side_by_side(lambda: graph.distances(frame, bank))


def _report_side_by_side(run: Callable[[], object]) -> None:
    """What the service does in place of batching."""
    with ThreadPoolExecutor(2) as threads:

        def both() -> None:
            for future in [threads.submit(run) for _ in range(2)]:
                future.result()

        gains = [2 * seconds(run) / seconds(both) for _ in range(ROUNDS + 1)][1:]
    print_figure(
        "images a second of two runs side by side over one", value=round(median(gains), 2), cores=os.cpu_count()
    )


def _cpu_ms(run: Callable[[], object]) -> float:
    started = thread_time()
    run()
    return (thread_time() - started) * 1e3


def _distances(session: GraphSession, frame: Array, bank: Array, n: int) -> Array:
    (result,) = session.run(["distances"], {"image": np.repeat(frame[None], n, axis=0), "bank": bank})
    return result


def _batched_graph(height: int, width: int) -> bytes:
    import torch

    from andon.models.nets.patchcore import GROUP, PatchCore
    from andon.training.export.files import export_module, serialized

    class Batched(torch.nn.Module):
        """``PatchCore`` for any number of images."""

        def __init__(self) -> None:
            super().__init__()
            self.patches = PatchCore().patches

        def forward(self, image: torch.Tensor, bank: torch.Tensor) -> torch.Tensor:
            maps = self.patches(image)
            features = maps.flatten(2).transpose(1, 2).flatten(0, 1)
            similarity = torch.addmm(-0.5 * bank.square().sum(dim=1), features, bank.t())
            groups = similarity.reshape(similarity.shape[0], -1, GROUP)
            best_group = groups.amax(dim=2).argmax(dim=1)
            members = groups.gather(1, best_group[:, None, None].expand(-1, 1, GROUP))[:, 0]
            nearest = bank[best_group * GROUP + members.argmax(dim=1)]
            distances: torch.Tensor = (features - nearest).square().sum(dim=1).sqrt()
            return distances.reshape(maps.shape[0], *maps.shape[-2:])

    example = (torch.zeros((2, height, width, 3), dtype=torch.uint8), torch.zeros((4 * GROUP, PatchCore.dimensions)))
    batch, groups = torch.export.Dim("batch", min=1), torch.export.Dim("groups", min=1)
    return serialized(
        export_module(Batched(), example, ["image", "bank"], ["distances"], ({0: batch}, {0: GROUP * groups}))
    )


if __name__ == "__main__":
    main(sys.argv[1:])
