import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.serving.test_soak import service

from andon.models.bundle.bundle import VisionBundle
from andon.models.types.vision import Frame
from andon.serving.engine.repository import ModelRepository
from andon.serving.engine.watching import watching

IS_FULL = bool(os.environ.get("ANDON_SOAK"))
SWAPS = 200 if IS_FULL else 6
WARM_UP = 20 if IS_FULL else 3
GROWTH_KIB = 10 * 1024
"""What the process may grow over all swaps after the warm-up."""


@pytest.mark.soak
def test_no_request_fails_while_bundles_are_swapped(
    server: str,
    put_bundle: Callable[[VisionBundle, str], Path],
    break_bundle: Callable[[Path], None],
    variant: Callable[[int], VisionBundle],
    draw_plate: Callable[..., Frame],
    png: Callable[[Frame], bytes],
) -> None:
    image, answers, stop = png(draw_plate(3)), list[tuple[int, str]](), threading.Event()

    def ask() -> None:
        with httpx.Client(timeout=30) as client:
            while not stop.is_set():
                response = client.post(f"http://{server}/api/v1/inspections", content=image)
                answers.append((response.status_code, response.json().get("bundle_digest")))

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    try:
        for number in range(SWAPS):
            path = put_bundle(variant(number + 1), "plates")
            await_digest(answers, variant(number + 1).digest)
            break_bundle(path)
    finally:
        stop.set()
        for asker in askers:
            asker.join()
    assert {status for status, _ in answers} == {200}
    assert {variant(number + 1).digest for number in range(SWAPS)} <= {digest for _, digest in answers}


@pytest.mark.soak
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="only Linux says in /proc how much a process holds")
def test_a_service_does_not_grow_with_the_swaps(
    bundles: Path,
    tmp_path: Path,
    put_bundle: Callable[[VisionBundle, str], Path],
    variant: Callable[[int], VisionBundle],
    draw_plate: Callable[..., Frame],
    png: Callable[[Frame], bytes],
    record_property: Callable[[str, object], None],
) -> None:
    image, answers, sizes_kib = png(draw_plate(3)), list[tuple[int, str]](), list[int]()
    options = ("--bundles", str(bundles), "--poll-seconds", "0.05")
    with service(*options, home=tmp_path / ".home") as (process, url), asking(url, image, answers):
        for number in range(1, WARM_UP + SWAPS + 1):
            put_bundle(variant(number), "plates")
            await_digest(answers, variant(number).digest)
            sizes_kib.append(resident_kib(process.pid))
    growth_kib = sizes_kib[-1] - sizes_kib[WARM_UP - 1]
    record_property("resident_kib", sizes_kib[:: max(1, len(sizes_kib) // 20)])
    record_property("growth_kib", growth_kib)
    assert {status for status, _ in answers} == {200}
    if IS_FULL:
        assert growth_kib < GROWTH_KIB, sizes_kib


@contextmanager
def asking(url: str, image: bytes, answers: list[tuple[int, str]]) -> Iterator[None]:
    """Two clients that post an image over and over while the block runs; a request that fails is raised after it."""
    stop = threading.Event()

    def ask() -> None:
        with httpx.Client(timeout=30) as client:
            while not stop.is_set():
                response = client.post(f"{url}/api/v1/inspections", content=image)
                answers.append((response.status_code, response.json().get("bundle_digest")))

    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(ask) for _ in range(2)]
        try:
            yield
        finally:
            stop.set()
    for each in asked:
        each.result()


def resident_kib(process: int) -> int:
    """How much of a process lies in memory: VmRSS of proc_pid_status(5)."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def await_digest(answers: list[tuple[int, str]], digest: str) -> None:
    """Wait until the last answer is by the new bundle."""
    waited = threading.Event()
    for _ in range(1500):
        if answers and answers[-1][1] == digest:
            return
        waited.wait(0.02)
    raise TimeoutError(digest)


def test_a_watcher_that_dies_is_reported(caplog: pytest.LogCaptureFixture, repository: ModelRepository) -> None:
    async def scenario() -> None:
        async with watching(repository, 0.01):
            repository.poll = die  # type: ignore[method-assign]
            for _ in range(500):
                await asyncio.sleep(0.01)
                if caplog.records:
                    return

    def die() -> None:
        raise ZeroDivisionError

    asyncio.run(scenario())
    assert [record.getMessage() for record in caplog.records] == ["watcher stopped"]
