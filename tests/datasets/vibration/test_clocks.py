"""The rate follows from the times of the samples, where these are equally spaced and go forwards."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.datasets.vibration.conftest import Floats, refused

from andon.datasets.vibration.clocks import rate_from_clock, with_clocks
from andon.datasets.vibration.containers import Channel


def cut(times: Floats, length: int) -> Iterator[Floats]:
    return (times[start : start + length] for start in range(0, len(times), length))


@given(
    rate=st.floats(0.01, 200_000),
    start=st.floats(-1e3, 1e3),
    count=st.integers(2, 300),
    length=st.integers(1, 50),
    seed=st.integers(0, 9),
)
def test_the_rate_is_found_despite_jitter_and_cutting(
    rate: float, start: float, count: int, length: int, seed: int
) -> None:
    jitter = np.random.default_rng(seed).uniform(-0.2, 0.2, count)
    jitter[[0, -1]] = 0
    found = rate_from_clock(cut(start + (np.arange(count) + jitter) / rate, length), 1.0, "a")
    assert found == pytest.approx(rate, rel=1e-5)


@given(at=st.integers(1, 98), length=st.integers(1, 50))
def test_a_missing_sample_is_found_where_it_is(at: int, length: int) -> None:
    times = np.delete(np.arange(100) / 50, at)
    with refused("record.uneven") as refusal:
        rate_from_clock(cut(times, length), 1.0, "a")
    assert refusal.params["at"] == at + 1
    assert float(str(refusal.params["found"])) == pytest.approx(0.04)


@given(at=st.integers(1, 99), length=st.integers(1, 50), back=st.floats(0.03, 1e6))
def test_a_clock_that_jumps_backwards_is_found_where_it_does(at: int, length: int, back: float) -> None:
    times = np.arange(100) / 50
    times[at:] -= back
    with refused("record.clock_back") as refusal:
        rate_from_clock(cut(times, length), 1.0, "a")
    assert refusal.params["at"] == at + 1


def test_times_that_stand_still_or_are_missing_are_refused() -> None:
    for times in ([0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 2.0], [0.0, 1.0, 2.5, 2.6, 4.0]):
        with refused("record.uneven"):
            rate_from_clock([np.array(times)], 1.0, "a")
    with refused("record.clock_back") as refusal:
        rate_from_clock([np.array([0.0, 1.0, np.nan, 3.0])], 1.0, "a")
    assert refusal.params["at"] == 3


def test_one_time_gives_no_rate() -> None:
    assert rate_from_clock([np.array([3.0])], 1.0, "a") is None
    assert rate_from_clock([], 1.0, "a") is None


@pytest.mark.parametrize(
    ("name", "ticks"),
    [
        ("t", 1),
        ("Time", 1),
        ("time_s", 1),
        ("Time (ms)", 1e3),
        ("Time[us]", 1e6),
        ("elapsed µs", 1e6),
        ("Timestamp", 1),
        ("bearing.t", 1),
        ("Group/Time", 1),
        ("时间(ms)", 1e3),
        ("x", None),
        ("X097_DE_time", None),
        ("temperature", None),
        ("torque", None),
    ],
)
def test_a_clock_is_known_by_its_name(name: str, ticks: float | None) -> None:
    assert with_clocks({name: Channel(lambda: iter(()))})[name].ticks_per_s == ticks
