"""A thread with an event loop, and what becomes of it at the end."""

import asyncio
import logging
import subprocess
import sys

import pytest

from andon.hardware.plc.loop_thread import LoopThread


def test_what_fails_at_the_end_is_logged_and_the_thread_ends(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise LookupError("not there")

    thread = LoopThread("ending")
    with caplog.at_level(logging.WARNING):
        thread.stop(fail())
    assert "ending" in caplog.text
    assert "LookupError" in caplog.text
    assert thread.loop.is_closed()


def test_what_still_runs_is_cancelled() -> None:
    cancelled: list[bool] = []

    async def wait_on() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(True)

    async def begin() -> asyncio.Task[None]:
        task = asyncio.create_task(wait_on())
        await asyncio.sleep(0)
        return task

    thread = LoopThread("waiting")
    task = thread.run(begin())
    thread.stop()
    assert cancelled == [True]
    assert task.cancelled()


@pytest.mark.parametrize("library", ["pymodbus.logging", "asyncua.server"])
def test_libraries_do_not_speak_on_stderr_where_nobody_set_up_logging(library: str) -> None:
    code = f"import andon.hardware.plc, logging; logging.getLogger({library!r}).error('heard')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stderr == ""
