"""Token buckets and short memories."""

from hypothesis import given
from hypothesis import strategies as st

from andon.serving.security.buckets import Buckets, Rate
from andon.serving.security.remembered import Remembered

STEPS = st.lists(st.floats(0, 100, allow_nan=False), min_size=1, max_size=200)


@given(st.floats(0.01, 50), st.integers(1, 20), STEPS)
def test_no_more_is_taken_than_burst_and_rate_allow(per_s: float, burst: int, steps: list[float]) -> None:
    buckets, now_s, taken = Buckets(Rate(per_s, burst), 10), 0.0, 0
    for step in steps:
        now_s += step
        taken += buckets.take("key", now_s) == 0
    assert taken <= burst + per_s * now_s + 1e-6


@given(st.floats(0.01, 50), st.integers(1, 20))
def test_who_was_away_for_long_has_saved_no_more_than_a_burst(per_s: float, burst: int) -> None:
    buckets = Buckets(Rate(per_s, burst), 10)
    buckets.take("key", 0.0)
    assert [buckets.take("key", 1e6) == 0 for _ in range(burst + 1)] == [True] * burst + [False]


@given(st.floats(0.01, 50), st.integers(1, 20))
def test_after_the_wait_that_is_told_there_is_a_token(per_s: float, burst: int) -> None:
    buckets = Buckets(Rate(per_s, burst), 10)
    while not (wait_s := buckets.take("key", 5.0)):
        pass
    assert buckets.take("key", 5.0 + wait_s * 0.9) > 0
    assert buckets.take("key", 5.0 + wait_s * 1.001) == 0


def test_a_clock_that_runs_back_gives_nothing() -> None:
    buckets = Buckets(Rate(1, 1), 10)
    assert buckets.take("key", 100.0) == 0
    assert buckets.take("key", 0.0) > 0
    assert buckets.take("key", 0.5) > 0


def test_one_who_asks_too_often_takes_nothing_from_others() -> None:
    buckets = Buckets(Rate(1, 1), 10)
    assert [buckets.take(key, 0.0) == 0 for key in ("a", "a", "b")] == [True, False, True]


@given(st.lists(st.integers(0, 50), max_size=300))
def test_memory_is_bounded(keys: list[int]) -> None:
    buckets = Buckets(Rate(1, 1), 8)
    for key in keys:
        buckets.take(key, 0.0)
    assert len(buckets) <= 8


def test_the_one_in_use_is_not_the_one_forgotten() -> None:
    buckets = Buckets(Rate(0.001, 1), 2)
    for key in ("busy", "a", "busy", "b"):
        buckets.take(key, 0.0)
    assert buckets.take("busy", 0.0) > 0


def test_what_is_forgotten_starts_full() -> None:
    buckets = Buckets(Rate(0.001, 1), 2)
    buckets.take("a", 0.0)
    buckets.forget("a")
    assert buckets.take("a", 0.0) == 0


def test_what_is_remembered_holds_for_its_time_alone() -> None:
    remembered: Remembered[str, int] = Remembered(2.0, 2)
    remembered.put("a", 1, 10.0)
    assert remembered.get("a", 11.9) == 1
    assert remembered.get("a", 12.0) is None


def test_the_earliest_makes_room() -> None:
    remembered: Remembered[str, int] = Remembered(2.0, 2)
    for number, name in enumerate("abac"):
        remembered.put(name, number, 0.0)
    assert [remembered.get(name, 0.0) for name in "abc"] == [2, None, 3]


def test_what_is_taken_is_gone() -> None:
    remembered: Remembered[str, int] = Remembered(2.0, 2)
    remembered.put("a", 1, 0.0)
    assert (remembered.take("a", 0.0), remembered.take("a", 0.0)) == (1, None)
