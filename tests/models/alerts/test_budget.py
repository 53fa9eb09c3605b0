"""The rules chosen on healthy data keep the budget on others, and the report claims no more than the data support."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from scipy.stats import poisson

from andon.models.alerts.budget import (
    MONTH_S,
    PERSISTENCE_LADDER,
    Episode,
    calibrate_persistence,
    calibrate_threshold,
    months_without_alarm,
    poisson_upper_bound,
    raised_at,
)
from andon.models.alerts.case import AlertEvent, AlertKind, AlertPolicy, AssetState, Observation
from andon.models.alerts.rules import decide
from andon.models.types.errors import DataError

STEP_S = 1800.0
THRESHOLD = 2.0
SEEDS = (0, 1, 2)


def healthy(seed: int, machines: int = 60, months: float = 1.5, hours: float = 3.0) -> list[Episode]:
    """Scores of healthy machines: half-hourly, positive, heavy-tailed, alike for some hours, no machine like another."""
    generator = np.random.default_rng(seed)
    steps = int(months * MONTH_S / STEP_S)
    memory = np.exp(-STEP_S / 3600 / hours)
    episodes = []
    for machine in range(machines):
        noise = generator.normal(size=steps + 100) * np.sqrt(1 - memory**2)
        wander = lfilter([1.0], [1.0, -memory], noise)[100:]
        scores = np.exp(0.35 * wander + generator.normal(0, 0.05))
        episodes.append(Episode(f"m{machine}", np.arange(steps, dtype=np.float64) * STEP_S, scores))
    return episodes


def rate(policy: AlertPolicy, threshold: float, episodes: list[Episode]) -> float:
    alarms = sum(len(raised_at(policy, threshold, episode)) for episode in episodes)
    return alarms / (sum(episode.duration_s for episode in episodes) / MONTH_S)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_threshold_keeps_the_budget_on_other_healthy_data(seed: int) -> None:
    threshold, report = calibrate_threshold(healthy(seed), AlertPolicy(), seed=seed)
    assert report.kept
    assert report.claim_per_month <= 0.1
    assert rate(AlertPolicy(), threshold, healthy(seed + 1000)) <= 0.1
    assert rate(AlertPolicy(), 0.6 * threshold, healthy(seed + 1000)) > 0.1, "what is chosen matters"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_persistence_keeps_the_budget_on_other_healthy_data(seed: int) -> None:
    policy, report = calibrate_persistence(healthy(seed), THRESHOLD, AlertPolicy(), seed=seed)
    assert report.kept
    other = healthy(seed + 1000)
    assert rate(policy, THRESHOLD, other) <= 0.1
    quickest = AlertPolicy(k=2, n=3, min_duration_s=900.0, clear_m=3)
    assert rate(quickest, THRESHOLD, other) > 0.1, "the quickest would break it"


def test_an_easy_threshold_lets_the_quickest_rules_stand() -> None:
    policy, report = calibrate_persistence(healthy(0), 1e3, AlertPolicy())
    assert (policy.k, policy.n, policy.min_duration_s) == PERSISTENCE_LADDER[0]
    assert (report.alarms, report.more_months_needed) == (0, 0.0)


def test_too_few_data_claim_little_and_say_what_is_missing() -> None:
    few = healthy(3, machines=4, months=1.0)
    threshold, report = calibrate_threshold(few, AlertPolicy())
    assert threshold < max(episode.scores.max() for episode in few), "the lowest without an alarm, not the highest"
    assert report.alarms == 0
    assert not report.kept
    assert report.machines == 4
    assert report.machine_months == pytest.approx(4.0, abs=0.01)
    assert report.claim_per_month == pytest.approx(-np.log(0.05) / report.machine_months)
    assert report.alarm_free_months_needed == pytest.approx(29.96, abs=0.01)
    assert report.more_months_needed == pytest.approx(29.96 - 4.0, abs=0.02)


def test_alarms_of_one_week_are_not_taken_for_independent() -> None:
    """Sixteen alarms that all fall into one machine's week: Garwood's bound misses that they come together."""
    steps = int(MONTH_S / 3600)
    quiet = [Episode(f"m{index}", np.arange(steps, dtype=np.float64) * 3600.0, np.zeros(steps)) for index in range(40)]
    bad = np.zeros(steps)
    for start in range(200, 360, 10):
        bad[start : start + 4] = 1.0
    episodes = [*quiet, Episode("bad", np.arange(steps, dtype=np.float64) * 3600.0, bad)]
    policy = AlertPolicy(k=2, n=3, min_duration_s=0.0, clear_m=2)
    _, report = calibrate_threshold(episodes, policy, budget_per_month=100.0)
    assert report.alarms == 16
    assert report.bootstrap_bound_per_month > 1.2 * report.exact_bound_per_month
    assert report.claim_per_month == report.bootstrap_bound_per_month


def test_one_alarm_that_never_ends_is_not_taken_for_few() -> None:
    """Below 1.5 the bursts are one long alarm, which would keep the budget; between 1.5 and 2 they are sixteen."""
    steps = int(MONTH_S / 3600)
    times_s = np.arange(steps, dtype=np.float64) * 3600.0
    bursts = np.zeros(steps)
    bursts[200:360] = 1.5
    bursts[0:200:10] = 1.9
    for start in range(200, 360, 10):
        bursts[start : start + 5] = 2.0
    episodes = [Episode("bad", times_s, bursts), *(Episode(f"m{n}", times_s, np.zeros(steps)) for n in range(59))]
    policy = AlertPolicy(k=2, n=3, min_duration_s=0.0, clear_m=2)
    assert [len(raised_at(policy, limit, episodes[0])) for limit in (2.0, 1.9, 1.0)] == [0, 16, 1]
    threshold, report = calibrate_threshold(episodes, policy)
    assert (threshold, report.alarms) == (2.0, 0)


@settings(max_examples=60, deadline=None)
@given(
    scores=st.lists(st.sampled_from([0.0, 0.5, 0.93, 1.5, 2.0]), min_size=2, max_size=60),
    gaps=st.lists(st.integers(1, 40), min_size=60, max_size=60),
    k=st.integers(1, 4),
    extra=st.integers(0, 3),
    margin=st.integers(1, 3),
    minutes=st.integers(0, 60),
)
def test_counts_what_the_rules_raise(
    scores: list[float], gaps: list[int], k: int, extra: int, margin: int, minutes: int
) -> None:
    n = k + extra
    policy = AlertPolicy(k=k, n=n, min_duration_s=60.0 * minutes, clear_m=min(extra + margin, n))
    times_s = np.cumsum(gaps[: len(scores)]) * 60.0
    state, raised = AssetState("m"), []
    for index, (time_s, score) in enumerate(zip(times_s, scores, strict=True)):
        time = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=float(time_s))
        seen = Observation("m", "s", time, True, score > 1, AlertKind.ANOMALY, score=score, threshold=1.0)
        state, alerts = decide(policy, state, seen, lambda: "case")
        raised += [index for alert in alerts if alert.event is AlertEvent.RAISED]
    assert raised_at(policy, 1.0, Episode("m", times_s, np.array(scores))).tolist() == raised


@given(events=st.integers(0, 50), exposure=st.floats(0.1, 100))
def test_at_the_bound_so_few_alarms_have_the_chance_left_over(events: int, exposure: float) -> None:
    bound = poisson_upper_bound(events, exposure, 0.95)
    assert poisson.cdf(events, bound * exposure) == pytest.approx(0.05, rel=1e-6)


def test_months_without_alarm_is_where_the_bound_meets_the_budget() -> None:
    assert poisson_upper_bound(0, months_without_alarm(0.1)) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("times_s", "scores", "code"),
    [
        ([0.0], [1.0], "alert.episode_length"),
        ([0.0, 1.0], [1.0], "alert.episode_length"),
        ([0.0, 0.0], [1.0, 1.0], "alert.episode_times"),
        ([0.0, 1.0], [1.0, np.nan], "alert.episode_scores"),
    ],
)
def test_data_that_cannot_be_counted_are_named(times_s: list[float], scores: list[float], code: str) -> None:
    with pytest.raises(DataError) as caught:
        calibrate_threshold([Episode("pump-7", np.array(times_s), np.array(scores))], AlertPolicy())
    assert (caught.value.code, caught.value.subject) == (code, "pump-7")
    with pytest.raises(DataError, match="no_episodes"):
        calibrate_threshold([], AlertPolicy())
