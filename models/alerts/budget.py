"""Choose the alert rules on healthy data, so that false alarms stay within a budget per machine-month.

A rate that is not exceeded cannot be shown by data that are too few: without a single alarm, 0.1 a month at 95 % takes 30
machine-months. ``BudgetReport`` says what the data support and how many more months the claim would need.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from andon.models.alerts.case import AlertPolicy
from andon.models.evaluation.bounds import CONFIDENCE
from andon.models.types.errors import DataError

MONTH_S = 365.25 / 12 * 86_400
BUDGET_PER_MONTH = 0.1
"""Six false alarms a month for sixty machines: about one a week, which a maintenance team still looks into."""

PERSISTENCE_LADDER = (
    (2, 3, 900.0),
    (3, 5, 1_800.0),
    (4, 6, 3_600.0),
    (5, 7, 7_200.0),
    (6, 8, 14_400.0),
    (8, 10, 28_800.0),
    (10, 12, 86_400.0),
)
"""``k``, ``n`` and the least duration in seconds, from quick to stubborn: a step about doubles how long a fault must last."""

BLOCK_S = 7 * 86_400.0
"""A week of each machine is resampled whole: shifts, weekends and the weather make alarms of one week alike."""

_ROUNDS = 2000
_THRESHOLDS = 200
"""Scores tried as threshold, in equal ratios of rank over the highest tenth: each lets 5 % more snapshots through."""

_TOP_SHARE = 0.1

Flags = NDArray[np.bool_]
Setting = TypeVar("Setting")


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """A stretch of one machine in which it was healthy: the valid snapshots of one sensor.

    Parameters
    ----------
    times_s
        ``[n]``, float64, ascending; seconds since any moment.
    scores
        ``[n]``, float64; a higher one is worse. Flags are scores of 0 and 1, with 0.5 as their threshold.
    """

    machine: str
    times_s: NDArray[np.float64]
    scores: NDArray[np.float64]

    @property
    def duration_s(self) -> float:
        """From the first snapshot to the last, and one step more."""
        steps = len(self.times_s) - 1
        return float((self.times_s[-1] - self.times_s[0]) * (1 + 1 / steps))


@dataclass(frozen=True, slots=True)
class BudgetReport:
    """What the chosen rules do on the healthy data, and what can be claimed of them.

    Parameters
    ----------
    budget_per_month
        False alarms a machine-month that the user allows.
    alarms, machine_months
        Counted on the data the rules were chosen on.
    rate_per_month
        Their ratio.
    exact_bound_per_month
        Upper bound if alarms come independently: Garwood, Biometrika 28 (1936) 437-442.
    bootstrap_bound_per_month
        Upper bound that lets alarms come in clusters: moving blocks, Künsch, Annals of Statistics 17 (1989) 1217-1241.
    claim_per_month
        The larger of the two: not exceeded, with ``confidence``, on machines like these.
    alarm_free_months_needed
        Machine-months without one alarm that it takes to claim the budget.
    more_months_needed
        How many more of them would do, if they bring no alarm; 0 where the claim meets the budget.
    machines
        How many there were. Machines differ: a claim from few of them says little of others.
    """

    budget_per_month: float
    confidence: float
    alarms: int
    machine_months: float
    rate_per_month: float
    exact_bound_per_month: float
    bootstrap_bound_per_month: float
    claim_per_month: float
    alarm_free_months_needed: float
    more_months_needed: float
    machines: int

    @property
    def kept(self) -> bool:
        """Whether the data support that the budget is kept."""
        return self.claim_per_month <= self.budget_per_month


def calibrate_persistence(
    episodes: Sequence[Episode],
    threshold: float,
    policy: AlertPolicy,
    budget_per_month: float = BUDGET_PER_MONTH,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> tuple[AlertPolicy, BudgetReport]:
    """Choose ``k``, ``n`` and the least duration: the quickest step of ``PERSISTENCE_LADDER`` that keeps the budget.

    Steps are tried from the most stubborn on, and the search ends at the first that breaks the budget: tests in a fixed
    order that stop at the first failure need no correction for their number (Maurer, Hothorn and Lehmacher, 1995). To
    clear takes one normal snapshot more than to raise takes abnormal ones. Where the data
    are too few to show that any keeps it, the quickest without an alarm is taken, and the report says what is missing;
    where there is none, the most stubborn.

    Raises
    ------
    DataError
        Where an episode has fewer than two snapshots, times that do not ascend, or scores that are not finite.
    """
    _check(episodes)
    ladder = [
        replace(policy, k=k, n=n, min_duration_s=duration_s, clear_m=min(k + 1, n))
        for k, n, duration_s in reversed(PERSISTENCE_LADDER)
    ]
    return _quickest(
        ladder,
        lambda candidate: _report(episodes, threshold, candidate, budget_per_month, confidence, seed),
    )


def calibrate_threshold(
    episodes: Sequence[Episode],
    policy: AlertPolicy,
    budget_per_month: float = BUDGET_PER_MONTH,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> tuple[float, BudgetReport]:
    """Choose the threshold of the score: the lowest that keeps the budget under ``policy``.

    Thresholds are tried from the highest score downwards, and the search ends at the first that breaks the budget: far
    below, everything is one alarm that never ends, which counts as few. Where the data are too few, the lowest
    threshold without an alarm is taken, and the report says what is missing.

    Raises
    ------
    DataError
        As ``calibrate_persistence``.
    """
    _check(episodes)
    return _quickest(
        _thresholds(episodes),
        lambda candidate: _report(episodes, candidate, policy, budget_per_month, confidence, seed),
    )


def raised_at(policy: AlertPolicy, threshold: float, episode: Episode) -> NDArray[np.intp]:
    """At which snapshots ``decide`` raises an alert, over a whole episode at once.

    Returns
    -------
    ``[alarms]``, indices in ascending order.
    """
    abnormal = episode.scores > threshold
    calm = episode.scores <= policy.clear_ratio * threshold
    persistent = _count_last(abnormal, policy.n) >= policy.k
    lasted = episode.times_s - episode.times_s[_onsets(abnormal, persistent, policy.n)] >= policy.min_duration_s
    raising = np.flatnonzero(persistent & abnormal & lasted)
    clearing = np.flatnonzero(_count_last(calm & ~abnormal, policy.n) >= policy.clear_m)
    return _alternate(raising, clearing)


def poisson_upper_bound(events: int, exposure: float, confidence: float = CONFIDENCE) -> float:
    """One-sided exact upper bound of a rate: Garwood, Biometrika 28 (1936) 437-442.

    >>> round(poisson_upper_bound(0, 30), 4)
    0.0999
    """
    return float(gammaincinv(events + 1, confidence)) / exposure


def months_without_alarm(budget_per_month: float, confidence: float = CONFIDENCE) -> float:
    """How many machine-months without an alarm it takes to bound the rate by ``budget_per_month``.

    >>> round(months_without_alarm(0.1), 1)
    30.0
    """
    return -math.log(1 - confidence) / budget_per_month


def _quickest(
    strictest_first: Sequence[Setting], report_of: Callable[[Setting], BudgetReport]
) -> tuple[Setting, BudgetReport]:
    chosen = strictest_first[0]
    report = report_of(chosen)
    for candidate in strictest_first[1:]:
        tried = report_of(candidate)
        if not (tried.kept or (tried.alarms == 0 and not report.kept)):
            break
        chosen, report = candidate, tried
    return chosen, report


def _report(
    episodes: Sequence[Episode],
    threshold: float,
    policy: AlertPolicy,
    budget_per_month: float,
    confidence: float,
    seed: int,
) -> BudgetReport:
    raised = [raised_at(policy, threshold, episode) for episode in episodes]
    alarms = sum(len(each) for each in raised)
    months = sum(episode.duration_s for episode in episodes) / MONTH_S
    exact = poisson_upper_bound(alarms, months, confidence)
    clustered = _bootstrap_bound(episodes, raised, confidence, seed)
    claim = max(exact, clustered)
    return BudgetReport(
        budget_per_month=budget_per_month,
        confidence=confidence,
        alarms=alarms,
        machine_months=months,
        rate_per_month=alarms / months,
        exact_bound_per_month=exact,
        bootstrap_bound_per_month=clustered,
        claim_per_month=claim,
        alarm_free_months_needed=months_without_alarm(budget_per_month, confidence),
        more_months_needed=0.0
        if claim <= budget_per_month
        else _months_missing(alarms, months, budget_per_month, confidence),
        machines=len({episode.machine for episode in episodes}),
    )


def _months_missing(alarms: int, months: float, budget_per_month: float, confidence: float) -> float:
    return max(poisson_upper_bound(alarms, 1.0, confidence) / budget_per_month - months, 0.0)


def _bootstrap_bound(
    episodes: Sequence[Episode], raised: Sequence[NDArray[np.intp]], confidence: float, seed: int
) -> float:
    """Upper percentile of the rate over moving blocks of the series of alarms; 0 where there was none.

    The rules run once over the data as they came; what is resampled is the series that is 1 where an alarm was raised.
    So no alarm is made or lost at the seams of blocks. Blocks of random length (Politis and Romano, JASA 89 (1994)
    1303-1313) would do as well; whole weeks are kept, because the week is the rhythm of a plant.
    """
    if not any(len(each) for each in raised):
        return 0.0
    blocks = [_blocks(episode, each) for episode, each in zip(episodes, raised, strict=True)]
    counts = np.concatenate([each[0] for each in blocks])
    seconds = np.concatenate([each[1] for each in blocks])
    total_s = sum(episode.duration_s for episode in episodes)
    drawn = math.ceil(total_s / float(seconds.mean()))
    generator = np.random.default_rng(seed)
    rates = []
    for _ in range(_ROUNDS):
        chosen = generator.integers(0, len(counts), drawn)
        rates.append(counts[chosen].sum() / seconds[chosen].sum())
    return float(np.quantile(rates, confidence)) * MONTH_S


def _blocks(episode: Episode, raised: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Alarms and seconds of every block of an episode: one begins at each snapshot that has a whole block after it."""
    steps = len(episode.times_s)
    step_s = episode.duration_s / steps
    length = min(max(round(BLOCK_S / step_s), 1), steps)
    before = np.concatenate([[0.0], np.cumsum(np.bincount(raised, minlength=steps))])
    counts = before[length:] - before[:-length]
    return counts, np.full(len(counts), length * step_s)


def _count_last(flags: Flags, n: int) -> NDArray[np.int64]:
    """How many of the last ``n`` are set, at each."""
    counted = np.concatenate([np.zeros(n, np.int64), np.cumsum(flags)])
    last: NDArray[np.int64] = counted[n:] - counted[:-n]
    return last


def _onsets(abnormal: Flags, persistent: Flags, n: int) -> NDArray[np.intp]:
    """The first abnormal snapshot among the last ``n`` where persistence began; meaningless where it does not persist."""
    index = np.arange(len(abnormal))
    next_abnormal = np.minimum.accumulate(np.where(abnormal, index, len(abnormal) - 1)[::-1])[::-1]
    began = persistent & ~np.concatenate([[False], persistent[:-1]])
    start = np.maximum.accumulate(np.where(began, index, 0))
    onsets: NDArray[np.intp] = next_abnormal[np.maximum(start - n + 1, 0)]
    return onsets


def _alternate(raising: NDArray[np.intp], clearing: NDArray[np.intp]) -> NDArray[np.intp]:
    """The raising snapshots that meet no open case, each case being open until the next clearing one."""
    found: list[int] = []
    position = 0
    while position < len(raising):
        found.append(int(raising[position]))
        later = np.searchsorted(clearing, found[-1])
        if later == len(clearing):
            break
        position = int(np.searchsorted(raising, clearing[later]))
    return np.array(found, dtype=np.intp)


def _thresholds(episodes: Sequence[Episode]) -> list[float]:
    scores = np.sort(np.concatenate([episode.scores for episode in episodes]))[::-1]
    top = max(int(len(scores) * _TOP_SHARE), 1)
    ranks = np.unique(np.geomspace(1, top, _THRESHOLDS).astype(int)) - 1
    return [float(each) for each in np.unique(scores[ranks])[::-1]]


def _check(episodes: Sequence[Episode]) -> None:
    if not episodes:
        raise DataError("alert.no_episodes", "episodes")
    for episode in episodes:
        if len(episode.times_s) < 2 or len(episode.times_s) != len(episode.scores):
            raise DataError(
                "alert.episode_length", episode.machine, times=len(episode.times_s), scores=len(episode.scores)
            )
        if not np.all(np.diff(episode.times_s) > 0):
            raise DataError("alert.episode_times", episode.machine)
        if not np.all(np.isfinite(episode.scores)):
            raise DataError("alert.episode_scores", episode.machine)
