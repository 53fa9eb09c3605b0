"""What the bench says of a device: by the clock that it is given, and of the one it runs on."""

from collections.abc import Callable
from itertools import count
from threading import Barrier, Lock, get_ident

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.hardware.profiles.speed import (
    AROUND_S,
    SPREAD,
    WARM_UP,
    Speed,
    frames_of,
    latency_of,
    measure_speed,
    resident_mib,
    steps_to,
)
from andon.models.types.progress import silent
from andon.models.types.vision import Frame

FRAMES = frames_of(4, 6)


def ticking(step_s: float) -> Callable[[], float]:
    """A clock that goes on by ``step_s`` whenever somebody looks: what is timed takes that long."""
    looks = count()
    lock = Lock()

    def look() -> float:
        with lock:
            return next(looks) * step_s

    return look


def speed_of(*durations_ms: float) -> Speed:
    return Speed(latency_of([each / 1e3 for each in durations_ms]), (), None)


def test_each_inspection_counts_once_and_the_warm_up_does_not() -> None:
    seen: list[bytes] = []
    speed = measure_speed(lambda frame: seen.append(frame.tobytes()), FRAMES, 50, 1, silent, ticking(0.010))
    assert speed.latency == latency_of([0.010] * 50)
    assert len(seen) == WARM_UP + 50 + 50
    assert len(set(seen)) == len(FRAMES)


def test_a_takt_has_a_quarter_and_twenty_milliseconds_more_than_99_in_100_need() -> None:
    speed = speed_of(*[10.0] * 98, 40.0, 80.0)
    assert (speed.latency.p50_ms, speed.latency.p99_ms, speed.latency.max_ms) == (10.0, 40.0, 80.0)
    assert speed.fastest_takt_s == pytest.approx(SPREAD * 0.040 + AROUND_S) == pytest.approx(0.070)
    assert [speed.holds(takt_s) for takt_s in (0.0699, 0.0701, 1.0)] == [False, True, True]


@given(st.lists(st.floats(1e-6, 10.0), min_size=1, max_size=400))
def test_percentiles_are_inspections_that_were_seen_and_hold_for_the_share_they_name(durations_s: list[float]) -> None:
    latency = latency_of(durations_s)
    seen_ms = np.round(np.array(durations_s) * 1e3, 3)
    for share, said in ((0.5, latency.p50_ms), (0.99, latency.p99_ms), (1.0, latency.max_ms)):
        assert said in seen_ms
        assert np.mean(seen_ms <= said) >= share


def test_as_many_judge_at_once_as_are_said_to() -> None:
    """The last round's judges wait for one another: they come through only if all of them judge at the same time."""
    before = WARM_UP + 12 + 12 + 12  # one after the other; then a round of one judge and a round of two
    turns = count()
    meeting = Barrier(3, timeout=10)
    met: set[int] = set()

    def inspect(_: Frame) -> None:
        if next(turns) >= before:
            meeting.wait()
            met.add(get_ident())

    speed = measure_speed(inspect, FRAMES, 12, 3, silent)
    assert [each.judges for each in speed.rates] == [1, 2, 3]
    assert len(met) == 3


def test_a_rate_is_what_all_judges_did_in_the_time_it_took() -> None:
    # 40 inspections take 80 looks at the clock, the round itself one before and one after.
    speed = measure_speed(lambda _: None, FRAMES, 40, 1, silent, ticking(0.001))
    (rate,) = speed.rates
    assert rate.per_s == pytest.approx(40 / 0.081, abs=0.05)
    assert rate.p99_ms == 1.0


def test_progress_tells_every_stage_to_its_end() -> None:
    told: dict[str, tuple[int, int]] = {}
    measure_speed(lambda _: None, FRAMES, 9, 2, lambda stage, done, total: told.update({stage: (done, total)}))
    assert told == {
        "profile.warming": (WARM_UP, WARM_UP),
        "profile.inspecting": (9, 9),
        "profile.at_once": (2, 2),
    }


@pytest.mark.parametrize(
    ("cores", "steps"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (8, [1, 2, 4, 8]), (6, [1, 2, 4, 6])]
)
def test_numbers_of_judges_double_up_to_the_cores(cores: int, steps: list[int]) -> None:
    assert steps_to(cores) == steps


def test_frames_have_the_camera_s_size_and_differ() -> None:
    frames = frames_of(20, 30, 3)
    assert [(each.shape, str(each.dtype)) for each in frames] == [((20, 30, 3), "uint8")] * 3
    assert len({each.tobytes() for each in frames}) == 3


def test_memory_is_that_of_this_process() -> None:
    before = resident_mib()
    ballast = np.ones(64 << 17)  # 64 MiB
    after = resident_mib()
    assert before is not None and after is not None
    assert after - before == pytest.approx(ballast.nbytes / (1 << 20), abs=16)
