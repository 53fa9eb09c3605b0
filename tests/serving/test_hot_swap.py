import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from andon.models.bundle.bundle import VisionBundle
from andon.models.types.vision import Frame
from andon.serving.engine.repository import ModelRepository
from andon.serving.engine.watching import watching

SWAPS = 200 if os.environ.get("ANDON_SOAK") else 6


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
