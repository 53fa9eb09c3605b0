"""Judge a machine row by row: a pure step from state to state."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from andon.models.health.baseline import Baseline, learn_baseline
from andon.models.health.conformal import adapt, conformal_threshold
from andon.models.health.mahalanobis import Distances, Floats, Score, distances
from andon.models.health.operating import NOT_JUDGED, UNKNOWN, Row, measure, operate, state_name
from andon.models.health.settings import FeatureContract, HealthSettings, Transform
from andon.models.health.state import HealthState, Watch


class Phase(StrEnum):
    """What became of a row: judged, learned from, or neither because the machine stood, changed or was not measured."""

    JUDGED = "judged"
    LEARNING = "learning"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class HealthModel:
    """How machines are judged, and what is normal for each of them.

    Parameters
    ----------
    baselines
        By asset and operating state. A machine without one learns it from its first rows.
    score
        What computes distances.
    """

    contract: FeatureContract
    settings: HealthSettings
    baselines: Mapping[tuple[str, str], Baseline]
    score: Score = distances


@dataclass(frozen=True, slots=True)
class HealthObservation:
    """What one row says of a machine.

    Parameters
    ----------
    state
        Operating state, or ``stopped``, ``transient`` or ``unknown``, in which nothing is judged.
    score
        Mahalanobis distance of the smoothed features from their level; None unless judged, as all that follows.
    threshold
        Conformal threshold; None also while its budget is spent, so that no score is too high for it.
    by_conformal
        The score lies above the threshold.
    by_cusum
        The score has been high for long.
    by_drift
        A feature's level has moved far from where it was learned or last accepted.
    alpha
        The level at which the threshold was taken.
    cusum
        What the score exceeded its reference by, summed up, in multiples of the decision: above 1 it alarms.
    contributions
        By feature, those that weigh most first; they add up to the squared score.
    """

    asset: str
    state: str
    phase: Phase
    score: float | None = None
    threshold: float | None = None
    by_conformal: bool = False
    by_cusum: bool = False
    by_drift: bool = False
    alpha: float | None = None
    cusum: float | None = None
    contributions: Mapping[str, float] | None = None

    @property
    def anomalous(self) -> bool:
        """Whether any of the three alarms."""
        return self.by_conformal or self.by_cusum or self.by_drift


def observe(model: HealthModel, state: HealthState, row: Row) -> tuple[HealthState, HealthObservation]:
    """Judge one row, or learn from it where the machine has no baseline yet.

    Nothing but ``state`` is remembered, so whoever stores it can go on after a restart as if there had been none.

    Parameters
    ----------
    row
        Measures by name, those of the contract and of the gate; where one is missing, the row is not judged.
    """
    operating = operate(model.settings.gate, state.operating, row)
    features = transformed(model.contract, row)
    name = state_name(model.settings.gate, operating) if np.isfinite(features).all() else UNKNOWN
    state = replace(state, operating=operating)
    if name in NOT_JUDGED:
        return state, HealthObservation(state.asset, name, Phase.SKIPPED)
    baseline = state.learned.get(name) or model.baselines.get((state.asset, name))
    if baseline is None:
        return _learn(model, state, name, features), HealthObservation(state.asset, name, Phase.LEARNING)
    watch, observation = _judge(model, baseline, state, name, features)
    return replace(state, watches={**state.watches, name: watch}), observation


def observe_all(
    model: HealthModel, state: HealthState, rows: Iterable[Row]
) -> tuple[HealthState, list[HealthObservation]]:
    """Judge rows one after the other; each is judged by those before it alone."""
    observations = []
    for row in rows:
        state, observation = observe(model, state, row)
        observations.append(observation)
    return state, observations


def accept(state: HealthState) -> HealthState:
    """Take what a machine now does, in each operating state, for normal: it was repaired, or is meant to run like this."""
    watches = {
        name: replace(watch, level=watch.smoothed, origin=watch.smoothed, cusum=0.0)
        for name, watch in state.watches.items()
    }
    return replace(state, watches=watches)


def transformed(contract: FeatureContract, row: Row) -> Floats:
    """Take the features of a row, ``[d]``; not a number where a measure is missing or has no logarithm."""
    pairs = zip(contract.names, contract.transforms, strict=True)
    return np.array([_TRANSFORMS[transform](measure(row, name)) for name, transform in pairs])


def _log(value: float) -> float:
    return float(np.log(value)) if value > 0 else np.nan


_TRANSFORMS: Mapping[Transform, Callable[[float], float]] = {Transform.IDENTITY: float, Transform.LOG: _log}


def _learn(model: HealthModel, state: HealthState, name: str, features: Floats) -> HealthState:
    rows = np.vstack([*state.learning.get(name, ()), features])[-model.settings.commissioning_rows :]
    watched = replace(state, learning={**state.learning, name: rows})
    if len(rows) < model.settings.commissioning_rows:
        return watched
    baseline = learn_baseline(rows, model.contract, model.settings, model.score)
    if not baseline.spread:
        return watched
    still_learning = {other: kept for other, kept in state.learning.items() if other != name}
    return replace(state, learning=still_learning, learned={**state.learned, name: baseline})


def _judge(
    model: HealthModel, baseline: Baseline, state: HealthState, name: str, features: Floats
) -> tuple[Watch, HealthObservation]:
    watch = state.watches.get(name) or _begin(baseline, model.settings)
    smoothed = watch.smoothed + model.settings.smoothing * (features - watch.smoothed)
    measured = model.score(smoothed[None], watch.level, baseline.whitener)
    score = float(measured.score[0])
    threshold = conformal_threshold(watch.recent, watch.alpha)
    cusum = _accumulated(watch.cusum, baseline.standardised(score), model.settings)
    observation = HealthObservation(
        asset=state.asset,
        state=name,
        phase=Phase.JUDGED,
        score=score,
        threshold=threshold,
        by_conformal=threshold is not None and score > threshold,
        by_cusum=cusum > 1,
        by_drift=bool((np.abs(watch.level - watch.origin) > baseline.drift_limits).any()),
        alpha=watch.alpha,
        cusum=cusum,
        contributions=_by_name(model.contract, measured),
    )
    remembered = replace(watch, smoothed=smoothed, cusum=cusum)
    return _adapted(remembered, score, observation, model.settings), observation


def _adapted(watch: Watch, score: float, seen: HealthObservation, settings: HealthSettings) -> Watch:
    """Let the threshold follow every decision, but level and scores only rows that the CUSUM finds normal."""
    watch = replace(watch, alpha=adapt(watch.alpha, seen.by_conformal, settings.target, settings.gamma))
    if seen.by_cusum:
        return watch
    level = watch.level + settings.tracking * (watch.smoothed - watch.level)
    return replace(watch, level=level, recent=np.append(watch.recent[1:], score))


def _begin(baseline: Baseline, settings: HealthSettings) -> Watch:
    return Watch(baseline.mean, baseline.mean, baseline.mean, 0.0, settings.target, baseline.scores)


def _accumulated(cusum: float, standardised: float, settings: HealthSettings) -> float:
    """Add to the CUSUM (Page, Biometrika 41 (1954) 100-115), held to twice what it alarms at."""
    return min(max(cusum + (standardised - settings.cusum_reference) / settings.cusum_decision, 0.0), 2.0)


def _by_name(contract: FeatureContract, measured: Distances) -> dict[str, float]:
    parts = zip(contract.names, measured.contributions[0].tolist(), strict=True)
    return dict(sorted(parts, key=lambda part: -part[1]))
