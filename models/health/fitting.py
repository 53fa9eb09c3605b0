"""Fit baselines to rows of healthy machines, and store them as arrays."""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import NamedTuple

import numpy as np

from andon.models.health.baseline import Baseline, learn_baseline
from andon.models.health.mahalanobis import Floats, Score, distances
from andon.models.health.operating import NOT_JUDGED, Operating, Row, operate, state_name
from andon.models.health.settings import BaselineKey, FeatureContract, GateSettings, HealthSettings
from andon.models.health.watching import HealthModel, transformed
from andon.models.types.errors import AssetError, OptionError


class BaselineArrays(NamedTuple):
    """Baselines as arrays, one entry each, in the order of their keys.

    Parameters
    ----------
    means
        ``[k, d]``.
    whiteners
        ``[k, d, d]``.
    scores
        ``[k, m]``, filled up with not-a-number where one has fewer.
    drift_limits
        ``[k, d]``.
    """

    means: Floats
    whiteners: Floats
    scores: Floats
    drift_limits: Floats


def fit_health(
    rows: Mapping[str, Iterable[Row]], contract: FeatureContract, settings: HealthSettings, score: Score = distances
) -> HealthModel:
    """Learn a baseline for each machine and operating state that the rows of its healthy time show for long enough.

    States shown for fewer rows are learned later, as the machine runs.

    Parameters
    ----------
    rows
        Rows in the order of time, by asset.
    score
        What computes distances, here and later.

    Raises
    ------
    OptionError
        A machine that learns as it runs would have too few rows for the target.
    AssetError
        No operating state of a machine has enough rows, or its features hardly ever move.
    """
    fewest = ceil(1 / settings.target)
    if settings.commissioning_rows < fewest:
        found = settings.commissioning_rows
        raise OptionError("health.commissioning_rows", "commissioning_rows", found=found, expected=fewest)
    baselines = {
        (asset, state): _learned(asset, features, contract, settings, score)
        for asset, given in rows.items()
        for state, features in _learnable(asset, given, contract, settings.gate, fewest).items()
    }
    return HealthModel(contract, settings, baselines, score)


def pack(baselines: Mapping[tuple[str, str], Baseline]) -> tuple[tuple[BaselineKey, ...], BaselineArrays]:
    """Bring baselines to arrays, and say which entry is which; at least one."""
    keys = tuple(BaselineKey(asset, state, each.n_rows) for (asset, state), each in baselines.items())
    kept = list(baselines.values())
    most = max(len(each.scores) for each in kept)
    filled = [np.pad(each.scores, (0, most - len(each.scores)), constant_values=np.nan) for each in kept]
    return keys, BaselineArrays(
        np.stack([each.mean for each in kept]),
        np.stack([each.whitener for each in kept]),
        np.stack(filled),
        np.stack([each.drift_limits for each in kept]),
    )


def unpack(keys: Sequence[BaselineKey], arrays: BaselineArrays) -> dict[tuple[str, str], Baseline]:
    """Undo ``pack``."""
    return {
        (key.asset, key.state): Baseline(mean, whitener, scores[np.isfinite(scores)], drift_limits, key.n_rows)
        for key, mean, whitener, scores, drift_limits in zip(keys, *arrays, strict=True)
    }


def _learnable(
    asset: str, rows: Iterable[Row], contract: FeatureContract, gate: GateSettings, fewest: int
) -> dict[str, Floats]:
    by_state = _by_state(rows, contract, gate)
    found = max((len(features) for features in by_state.values()), default=0)
    if found < fewest:
        raise AssetError("health.too_few_rows", asset, found=found, expected=fewest)
    return {state: features for state, features in by_state.items() if len(features) >= fewest}


def _learned(
    asset: str, features: Floats, contract: FeatureContract, settings: HealthSettings, score: Score
) -> Baseline:
    baseline = learn_baseline(features, contract, settings, score)
    if not baseline.spread:
        raise AssetError("health.constant", asset, names=", ".join(contract.names))
    return baseline


def _by_state(rows: Iterable[Row], contract: FeatureContract, gate: GateSettings) -> dict[str, Floats]:
    """Sort the rows that can be judged by operating state: ``[n, d]`` each."""
    by_state: dict[str, list[Floats]] = {}
    operating = Operating()
    for row in rows:
        operating = operate(gate, operating, row)
        state, features = state_name(gate, operating), transformed(contract, row)
        if state not in NOT_JUDGED and np.isfinite(features).all():
            by_state.setdefault(state, []).append(features)
    return {state: np.array(listed) for state, listed in by_state.items()}
