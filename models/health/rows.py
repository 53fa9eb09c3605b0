"""Rows of a table with measures, judged as models that are served by MLflow judge them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from andon.models.health.operating import Row
from andon.models.health.state import HealthState
from andon.models.health.watching import HealthModel, HealthObservation, observe
from andon.models.types.errors import AssetError

ASSET = "asset"
"""The column that names the machine of a row."""


@dataclass(frozen=True, slots=True)
class MachineRow:
    """Measures of one machine; None for the only one that the model knows."""

    asset: str | None
    measures: Row


def watch_rows(model: HealthModel, rows: Sequence[MachineRow]) -> list[dict[str, Any]]:
    """Judge each row by those above it of the same machine, from a state that remembers nothing: one document a row.

    Raises
    ------
    AssetError
        A row names no machine, and the model knows several.
    """
    states: dict[str, HealthState] = {}
    documents = []
    for row in rows:
        asset = _only_asset(model) if row.asset is None else row.asset
        states[asset], observation = observe(model, states.get(asset, HealthState(asset)), row.measures)
        documents.append(_document(observation))
    return documents


def _document(observation: HealthObservation) -> dict[str, Any]:
    return {
        "asset": observation.asset,
        "state": observation.state,
        "phase": observation.phase.value,
        "score": observation.score,
        "threshold": observation.threshold,
        "anomalous": observation.anomalous,
        "contributions": None if observation.contributions is None else dict(observation.contributions),
    }


def _only_asset(model: HealthModel) -> str:
    known = sorted({asset for asset, _ in model.baselines})
    if len(known) != 1:
        raise AssetError("tracking.asset_needed", ASSET, known=", ".join(known))
    return known[0]
