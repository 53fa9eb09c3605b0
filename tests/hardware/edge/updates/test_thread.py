"""The thread that brings versions, beside the one that judges by them."""

import threading
from collections.abc import Callable

import pytest
from tests.hardware.edge.updates.conftest import POLICY, MakeRelease, Station

from andon.hardware.edge.updates.policy import UpdatePolicy
from andon.hardware.edge.updates.state import Phase
from andon.models.types.errors import ResourceError


def test_the_station_judges_while_the_other_thread_works(running_station: Station, release: MakeRelease) -> None:
    """Versions come and take over under a thread that judges all the time, which always has one to judge by."""
    station = running_station
    station.policy = UpdatePolicy(shadow_parts=4, probation_parts=4, probation_s=0.0)
    updater = station.restart()
    stopping, judged = threading.Event(), 0

    def judge() -> None:
        nonlocal judged
        while not stopping.is_set():
            active, candidate = updater.active, updater.candidate
            assert active
            if candidate:
                updater.compared(candidate.digest, "OK", "OK")
            updater.judged(active.digest)
            judged += 1

    thread = threading.Thread(target=judge)
    thread.start()
    try:
        for number in range(2, 7):
            station.publish(release(number))
            updater.poll()
            while updater.state.phase is not Phase.KEPT:
                updater.changed.wait(0.05)
                updater.work()
            assert station.running == release(number).digest
    finally:
        stopping.set()
        thread.join()
    assert judged > 40


def await_true(said: Callable[[], bool]) -> bool:
    """Wait for what another thread brings about."""
    for _ in range(600):
        if said():
            return True
        threading.Event().wait(0.05)
    return False


def test_the_thread_polls_and_works_by_itself(running_station: Station, release: MakeRelease) -> None:
    updater, stopping = running_station.updater, threading.Event()
    running_station.publish(release(2))
    thread = threading.Thread(target=updater.run, args=(stopping, 60.0))
    thread.start()
    try:
        assert await_true(lambda: updater.candidate is not None)
        assert updater.candidate
        digest = updater.candidate.digest
        for _ in range(POLICY.shadow_parts):
            updater.compared(digest, "OK", "OK")
        assert await_true(lambda: updater.active is not None and updater.active.digest == digest)
        assert (running_station.running, running_station.phase) == (release(2).digest, Phase.PROBATION)
    finally:
        stopping.set()
        updater.changed.set()
        thread.join()


def test_a_source_that_is_away_is_said_and_changes_nothing(
    running_station: Station, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(name: str, alias: str) -> str:
        stopping.set()
        raise ResourceError("update.store", "https://store", reason="away")

    stopping = threading.Event()
    monkeypatch.setattr(running_station.store, "find", away)
    running_station.updater.run(stopping, 60.0)
    assert "update failed" in caplog.text
    assert running_station.phase is Phase.KEPT
