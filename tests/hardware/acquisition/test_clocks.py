"""A sensor's clock followed by when its blocks arrive."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from andon.hardware.acquisition.clocks import ClockSettings, ClockState, Moment, Stamp, stamp
from andon.models.stream.windows import StreamOptions

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
BOX = 5_000.0
"""The box's monotonic clock at noon."""
SETTINGS = ClockSettings()


def moment(since_noon_s: float, wall_s: float = 0.0) -> Moment:
    return Moment(BOX + since_noon_s, NOON + timedelta(seconds=since_noon_s + wall_s))


def stamps(
    sensor_s: Sequence[float], arrivals: Sequence[Moment], block_s: float = 1.0, state: ClockState | None = None
) -> Iterator[Stamp]:
    """Stamp blocks that begin at ``sensor_s`` by the sensor's clock."""
    state = state or ClockState()
    for start_s, arrived in zip(sensor_s, arrivals, strict=True):
        state, stamped = stamp(SETTINGS, state, start_s, block_s, arrived)
        yield stamped


def late_s(stamped: Sequence[Stamp], true_s: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """By how much the stamps are late, in seconds."""
    said_s: NDArray[np.float64] = np.array([(each.time - NOON).total_seconds() for each in stamped])
    return np.asarray(said_s - true_s, np.float64)


def delays(count: int, base_s: float, jitter_s: float, seed: int) -> NDArray[np.float64]:
    jitter: NDArray[np.float64] = np.random.default_rng(seed).exponential(jitter_s, count)
    return base_s + jitter


@given(
    offset_s=st.floats(-1e9, 1e9),
    drift_ppm=st.floats(-150, 150),
    base_s=st.floats(0, 0.05),
    jitter_s=st.floats(0.0005, 0.02),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=25, deadline=None)
def test_offset_and_drift_are_found_through_jitter(
    offset_s: float, drift_ppm: float, base_s: float, jitter_s: float, seed: int
) -> None:
    true_s = np.arange(900) * 1.0
    sensor_s = offset_s + true_s * (1 - 1e-6 * drift_ppm)
    arrivals = [moment(at) for at in true_s + 1 + delays(900, base_s, jitter_s, seed)]
    found = list(stamps(sensor_s.tolist(), arrivals))
    assert found[-1].drift_ppm == pytest.approx(drift_ppm, abs=20e6 * jitter_s / 600 / 10 + 2)
    settled = late_s(found, true_s)[600:]
    # What is left is the least delay; that of single blocks is gone.
    assert np.all(settled >= base_s - 0.002 - jitter_s / 2)
    assert np.all(settled <= base_s + 0.002 + jitter_s / 2)
    assert not any(each.was_set for each in found)


@given(drift_ppm=st.floats(-150, 150), jitter_s=st.floats(0, 0.2), seed=st.integers(0, 2**32))
@example(
    drift_ppm=-143.79199862588123, jitter_s=0.2, seed=2996659006
)  # one held up by more than jump_s while the drift is learnt
@settings(max_examples=25, deadline=None)
def test_blocks_that_follow_one_another_stay_seamless(drift_ppm: float, jitter_s: float, seed: int) -> None:
    sensor_s = np.arange(300) * 1.0
    late = delays(300, 0.01, jitter_s, seed)
    # Where the very first is held up by more than jump_s, all others come before their time: that is a gap, and no jitter.
    late[0] = min(late[0], 0.01 + SETTINGS.jump_s)
    arrivals = [moment(at) for at in sensor_s * (1 + 1e-6 * drift_ppm) + 1 + late]
    times = [each.time for each in stamps(sensor_s.tolist(), arrivals)]
    assert all(
        abs((later - sooner).total_seconds() - 1) < StreamOptions().tolerance_s for sooner, later in pairwise(times)
    )


@given(st.one_of(st.floats(-1e6, -2.0), st.floats(2.0, 1e6)), st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_a_clock_that_is_set_is_followed_anew(jump_s: float, seed: int) -> None:
    true_s = np.arange(200) * 1.0
    sensor_s = true_s + np.where(true_s >= 100, jump_s, 0)
    arrivals = [moment(at) for at in true_s + 1 + delays(200, 0.01, 0.005, seed)]
    found = list(stamps(sensor_s.tolist(), arrivals))
    assert [number for number, each in enumerate(found) if each.was_set] == [99 + SETTINGS.confirm]
    assert np.abs(late_s(found, true_s)[100 + SETTINGS.confirm :]).max() < 0.06
    if jump_s > 0:
        assert np.abs(late_s(found, true_s)).max() < 0.06, "nothing is stamped as of the future"


@pytest.mark.parametrize("block_s", [0.1, 1.0])
def test_blocks_that_were_held_up_keep_their_time(block_s: float) -> None:
    true_s = np.arange(400) * block_s
    arrival_s = true_s + block_s + 0.01
    held = slice(100, 300)
    # A link that was away lets all of them through within a fraction of their time.
    arrival_s[held] = arrival_s[299] + 0.001 * np.arange(200)
    arrival_s[300:] = np.maximum(arrival_s[300:], arrival_s[299])
    found = list(stamps(true_s.tolist(), [moment(at) for at in arrival_s], block_s))
    assert not any(each.was_set for each in found)
    assert np.abs(late_s(found, true_s)).max() < 0.012


def test_one_wrong_time_changes_nothing() -> None:
    true_s = np.arange(100) * 1.0
    sensor_s = true_s.copy()
    sensor_s[50] = 1e9
    found = list(stamps(sensor_s.tolist(), [moment(at) for at in true_s + 1.01]))
    assert not any(each.was_set for each in found)
    assert np.abs(late_s(found, true_s)).max() < 0.012


@pytest.mark.parametrize("wall_s", [-3600.0, 3600.0])
def test_when_the_wall_clock_is_set_only_the_name_of_the_time_changes(wall_s: float) -> None:
    true_s = np.arange(200) * 1.0
    arrivals = [moment(at, wall_s if at >= 100 else 0.0) for at in true_s + 1.01]
    found = list(stamps(true_s.tolist(), arrivals))
    assert not any(each.was_set for each in found)
    named = np.where(true_s + 1.01 >= 100, wall_s, 0.0)
    assert np.abs(late_s(found, true_s + named)).max() < 0.012


def test_a_clock_that_is_faster_than_any_crystal_is_followed_nevertheless() -> None:
    true_s = np.arange(3000) * 1.0
    found = list(stamps((true_s * (1 - 600e-6)).tolist(), [moment(at) for at in true_s + 1.01]))
    assert not any(each.was_set for each in found)
    assert np.abs(late_s(found, true_s)[1000:]).max() < 0.3


def test_what_is_remembered_is_bounded() -> None:
    state = ClockState()
    for number in range(20_000):
        # Each tenth is beside the line, in a way that never agrees.
        start_s = float(number) + (1e6 * number if number % 10 == 0 else 0.0)
        state, _ = stamp(SETTINGS, state, start_s, 1.0, moment(number + 1.01))
    assert len(state.kept) <= SETTINGS.segments
    assert len(state.beside) <= SETTINGS.segments
