"""Health by the Open Inference Protocol: measures in, distances from a baseline out.

Each row is judged on its own, as the protocol has it: nothing is smoothed and no threshold adapts, so there is no verdict.
What follows a machine over time is ``observe``.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from andon.models.health.baseline import Baseline
from andon.models.health.mahalanobis import Distances, Floats
from andon.models.health.watching import HealthModel, transformed
from andon.serving.engine.contract import Batch, Contract, Output, Port
from andon.serving.engine.errors import RequestError
from andon.serving.engine.tensors import BYTES, FP64, Request, read_floats, read_strings

MAX_ROWS = 1024
"""Rows a request: 20 ms of work at twenty features."""

_ASSET, _STATE = Port("asset", BYTES, optional=True), Port("state", BYTES, optional=True)


def health_contract(model: HealthModel) -> Contract[Distances]:
    """Describe what ``model`` takes and gives.

    ``features`` are the measures of the manifest in its order, not yet transformed. ``asset`` and ``state`` name the
    baseline of each row; either may be left out where all baselines share it.
    """
    n_features = len(model.contract.names)
    return Contract(
        inputs=(_features(n_features), _ASSET, _STATE),
        outputs=(
            Output(Port("score", FP64), lambda judged: judged.score),
            Output(Port("contributions", FP64, (n_features,)), lambda judged: judged.contributions),
        ),
        max_batch=MAX_ROWS,
        read=partial(_read, model),
        verdicts=lambda _: (),
    )


def _features(count: int) -> Port:
    return Port("features", FP64, (count,))


def _read(model: HealthModel, request: Request) -> Batch[Distances]:
    features = _transformed(model, request)
    baselines = _baselines(model, request, len(features))
    return Batch(len(features), partial(_judge, model, features, baselines))


def _judge(model: HealthModel, features: Floats, baselines: Sequence[Baseline]) -> Distances:
    judged = [
        model.score(row[None], baseline.mean, baseline.whitener)
        for row, baseline in zip(features, baselines, strict=True)
    ]
    return Distances(
        np.concatenate([each.score for each in judged]), np.concatenate([each.contributions for each in judged])
    )


def _transformed(model: HealthModel, request: Request) -> Floats:
    names = model.contract.names
    port = _features(len(names))
    shape = request.shape(port.name)
    if len(shape) != 2 or shape[1] != len(names) or not 1 <= shape[0] <= MAX_ROWS:
        raise RequestError("serving.rows", port.name, found=str(list(shape)), limit=MAX_ROWS, expected=len(names))
    rows = read_floats(request, port.name).tolist()
    features = np.array([transformed(model.contract, dict(zip(names, row, strict=True))) for row in rows])
    for row, column in np.argwhere(~np.isfinite(features)):
        raise RequestError("serving.measure", f"features[{row}]", name=names[column], found=rows[row][column])
    return features


def _baselines(model: HealthModel, request: Request, count: int) -> Sequence[Baseline]:
    """Find the baseline of each row."""
    assets, states = (_named(port.name, request, count) for port in (_ASSET, _STATE))
    known = model.baselines
    keys = [_only_key(model, asset, state) for asset, state in zip(assets, states, strict=True)]
    return [known[key] for key in keys]


def _named(name: str, request: Request, count: int) -> Sequence[str | None]:
    if not request.has(name):
        return [None] * count
    values = read_strings(request, name)
    if len(values) != count:
        raise RequestError("serving.element_count", name, found=len(values), expected=str([count]))
    return values


def _only_key(model: HealthModel, asset: str | None, state: str | None) -> tuple[str, str]:
    """Find the one baseline that is named, as far as it is named."""
    fitting = [key for key in model.baselines if asset in (None, key[0]) and state in (None, key[1])]
    if len(fitting) != 1:
        known = ", ".join("/".join(key) for key in model.baselines)
        raise RequestError("serving.baseline", "asset, state", found=f"{asset or '-'}, {state or '-'}", known=known)
    return fitting[0]
