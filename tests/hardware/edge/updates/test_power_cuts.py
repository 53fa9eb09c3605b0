"""The process dies at every step that the disk takes: a whole version runs afterwards, and the update goes on to its end."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.hardware.edge.updates.conftest import MakeRelease, Station

from andon.hardware.edge.updates.slots import Slots
from andon.hardware.edge.updates.state import Phase
from andon.models.bundle.bundle import VisionBundle
from andon.models.bundle.runtime import load_bundle

STRIDE = 1 if os.environ.get("ANDON_SOAK") else 4
"""Every step, or some of them."""


class DiedError(BaseException):
    """The end of a process: nobody catches it."""


@contextmanager
def dying_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let the disk take so many steps and no more; those it was asked for are listed."""
    asked: list[str] = []

    def counted(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def act(*arguments: Any, **named: Any) -> Any:
            asked.append(name)
            if len(asked) > steps:
                raise DiedError
            return original(*arguments, **named)

        return act

    with monkeypatch.context() as patch:
        for owner, name in (
            (os, "fsync"),
            (Path, "replace"),
            (Path, "rename"),
            (Path, "symlink_to"),
            (Path, "unlink"),
            (Path, "mkdir"),
            (shutil, "rmtree"),
        ):
            patch.setattr(owner, name, counted(name, getattr(owner, name)))
        yield asked


def keep(station: Station) -> None:
    """Bring release 2 in, which is good."""
    station.updater.poll()
    station.shadow()
    if station.phase is Phase.PROBATION:
        station.probation()


def lose(station: Station) -> None:
    """Bring release 2 in, which fails once it runs."""
    station.updater.poll()
    station.shadow()
    if station.phase is Phase.PROBATION:
        station.probation(1, failed=True)


@pytest.mark.parametrize(("act", "end"), [(keep, Phase.KEPT), (lose, Phase.ROLLED_BACK)])
def test_whenever_the_process_dies_a_whole_version_runs(
    running_station: Station,
    release: MakeRelease,
    monkeypatch: pytest.MonkeyPatch,
    act: Callable[[Station], None],
    end: Phase,
) -> None:
    station, old, new = running_station, release(1).digest, release(2).digest
    station.publish(release(2))
    before = station.folder.with_name("before")
    shutil.copytree(station.folder, before, symlinks=True)
    for steps in count(0, STRIDE):
        shutil.rmtree(station.folder)
        shutil.copytree(before, station.folder, symlinks=True)
        station.restart()
        with dying_after(steps, monkeypatch) as asked, suppress(DiedError):
            act(station)
        assert_whole(station, old, new)
        station.restart()
        assert station.running in (old, new)
        assert station.phase not in (Phase.FETCHED, Phase.CHECKED, Phase.SWITCHING, Phase.ROLLING_BACK)
        wanted = (new if end is Phase.KEPT else old, end)
        if (station.running, station.phase) != wanted:
            act(station)
        assert (station.running, station.phase) == wanted, steps
        assert [path.name for path in (station.folder / "versions").iterdir() if path.name.startswith(".")] == []
        if len(asked) <= steps:
            break
    assert steps > 30


def assert_whole(station: Station, old: str, new: str) -> None:
    """What the links lead to is whole, whatever the process was at."""
    slots = Slots(station.folder)
    assert slots.current in (old, new)
    assert load_bundle(slots.path(slots.current)).bundle.digest == slots.current
    if slots.previous:
        assert load_bundle(slots.path(slots.previous)).bundle.digest == slots.previous
    state, journal = slots.state(), slots.journal()
    assert journal.of(slots.current), "only what was accepted runs"
    if state.phase in (Phase.SHADOW, Phase.FETCHED, Phase.CHECKED, Phase.REFUSED, Phase.ROLLED_BACK):
        assert slots.current == old
    if state.phase in (Phase.PROBATION,) or (state.phase is Phase.KEPT and state.digest == new):
        assert slots.current == new


def test_the_first_version_is_whole_or_not_there(
    station: Station, release: MakeRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle: VisionBundle = release(1)
    station.publish(bundle)
    for steps in count(0, STRIDE):
        shutil.rmtree(station.folder)
        station.restart()
        with dying_after(steps, monkeypatch) as asked, suppress(DiedError):
            station.updater.poll()
        current = Slots(station.folder).current
        assert current is None or load_bundle(station.folder / "current").bundle.digest == bundle.digest
        station.restart()
        station.updater.poll()
        assert (station.running, station.phase) == (bundle.digest, Phase.KEPT)
        if len(asked) <= steps:
            break
    assert steps > 20
