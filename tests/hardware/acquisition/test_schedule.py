"""Ticks and snapshot schedules, by a clock that the tests turn."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Event
from types import TracebackType
from typing import Self

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.hardware.acquisition.schedule import ScheduleSettings, SnapshotSchedule, Ticks
from andon.hardware.acquisition.snapshots import ScheduledSensors
from andon.models.types.errors import OptionError
from andon.models.types.vibration import Signal, Unit

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Turned(Event):
    """A clock, and an event that waits by turning it."""

    def __init__(self, now_s: float = 100.0) -> None:
        super().__init__()
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s

    def wait(self, timeout: float | None = None) -> bool:
        self.now_s += timeout or 0.0
        return self.is_set()


@given(st.lists(st.floats(0, 0.95), min_size=1, max_size=200))
def test_work_between_ticks_makes_no_drift(works_s: list[float]) -> None:
    clock = Turned()
    ticks = Ticks(1.0, clock)
    for number, work_s in enumerate(works_s):
        assert ticks.wait(clock)
        assert clock.now_s == pytest.approx(100 + number)
        clock.now_s += work_s
    assert ticks.missed == 0


def test_missed_ticks_are_counted_and_not_caught_up() -> None:
    clock = Turned()
    ticks = Ticks(1.0, clock)
    assert ticks.wait(clock)
    clock.now_s += 3.5
    assert ticks.wait(clock)
    assert (clock.now_s, ticks.missed) == (103.5, 2), "late, but at once"
    assert ticks.wait(clock)
    assert (clock.now_s, ticks.missed) == (104.0, 2)


def test_a_stop_ends_the_ticks() -> None:
    clock = Turned()
    ticks = Ticks(1.0, clock)
    assert ticks.wait(clock)
    clock.set()
    assert not ticks.wait(clock)


@pytest.mark.parametrize("every_s", [0.0, -1.0, float("nan")])
def test_a_distance_that_cannot_be_is_refused(every_s: float) -> None:
    with pytest.raises(OptionError, match="not_positive"):
        Ticks(every_s)
    with pytest.raises(OptionError, match="not_positive"):
        ScheduleSettings(every_s=every_s)


def begun(schedule: SnapshotSchedule, clock: Turned, seconds: int) -> list[float]:
    """At which seconds a snapshot begins where somebody looks each second."""
    found = []
    for _ in range(seconds):
        if schedule.take():
            found.append(clock.now_s - 100)
        clock.now_s += 1
    return found


def test_snapshots_begin_at_equal_distances() -> None:
    clock = Turned()
    schedule = SnapshotSchedule(ScheduleSettings(every_s=10), clock)
    assert begun(schedule, clock, 35) == [0, 10, 20, 30]
    clock.now_s += 100
    assert begun(schedule, clock, 6) == [135, 140]
    assert schedule.missed == 9


def test_a_snapshot_waits_for_the_speed() -> None:
    clock = Turned()
    schedule = SnapshotSchedule(ScheduleSettings(every_s=10, min_rpm=1400, max_rpm=1500), clock)
    assert begun(schedule, clock, 5) == [], "nobody knows the speed"
    schedule.note_rpm(900)
    assert begun(schedule, clock, 3) == []
    schedule.note_rpm(1450)
    assert begun(schedule, clock, 5) == [8, 10]
    schedule.note_rpm(1600)
    assert begun(schedule, clock, 20) == []
    schedule.note_rpm(1500)
    assert begun(schedule, clock, 1) == [33]
    assert schedule.missed == 1
    schedule.note_rpm(None)
    assert begun(schedule, clock, 20) == []


def test_an_old_speed_is_none() -> None:
    clock = Turned()
    schedule = SnapshotSchedule(ScheduleSettings(every_s=10, min_rpm=1000, max_age_s=15), clock)
    schedule.note_rpm(1450)
    assert begun(schedule, clock, 40) == [0, 10]


def test_whoever_asks_gets_a_snapshot_at_any_speed() -> None:
    clock = Turned()
    schedule = SnapshotSchedule(ScheduleSettings(min_rpm=1000), clock)
    schedule.note_rpm(2000)
    assert begun(schedule, clock, 3) == [], "without a distance only who asks gets one"
    schedule.note_rpm(0)
    schedule.request()
    assert begun(schedule, clock, 3) == [3]


def test_an_empty_band_is_refused() -> None:
    with pytest.raises(OptionError, match="empty_band"):
        ScheduleSettings(min_rpm=2000, max_rpm=1000)


@dataclass(frozen=True)
class Streaming:
    """Sensors that never stop: a block of each, each second."""

    clock: Turned
    seconds: int
    lost: frozenset[int] = frozenset()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def blocks(self) -> Iterator[Signal]:
        block = Signal(np.zeros(100), 100.0, Unit.G, "a", "pump")
        for second in range(self.seconds):
            for sensor in "ab":
                if sensor == "b" or second not in self.lost:
                    yield replace(block, sensor=sensor, time=NOON + timedelta(seconds=second))
            self.clock.now_s += 1


def delivered(source: Streaming, duration_s: float) -> dict[str, list[int]]:
    """Which seconds of each sensor belong to snapshots that begin every ten seconds."""
    schedule = SnapshotSchedule(ScheduleSettings(every_s=10), source.clock)
    found: dict[str, list[int]] = {"a": [], "b": []}
    with ScheduledSensors(source, schedule, duration_s) as scheduled:
        for block in scheduled.blocks():
            assert block.time
            found[block.sensor].append(round((block.time - NOON).total_seconds()))
    return found


def test_every_channel_delivers_snapshots_of_the_asked_length() -> None:
    assert delivered(Streaming(Turned(), 25), 2.5) == {sensor: [0, 1, 2, 10, 11, 12, 20, 21, 22] for sensor in "ab"}


def test_a_snapshot_that_a_gap_cuts_off_begins_anew() -> None:
    found = delivered(Streaming(Turned(), 20, frozenset({1})), 3)
    assert found == {"a": [0, 2, 3, 4, 10, 11, 12], "b": [0, 1, 2, 10, 11, 12]}


def test_only_whole_blocks_pass_and_none_too_many() -> None:
    assert delivered(Streaming(Turned(), 10), 3) == {sensor: [0, 1, 2] for sensor in "ab"}
