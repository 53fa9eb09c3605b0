"""A health bundle as an MLflow model, from code: this file is logged beside the bundle, and nothing is pickled."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd  # type: ignore[import-untyped]
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from andon.models.bundle.runtime import load_health
from andon.models.health.operating import Row
from andon.models.health.state import HealthState
from andon.models.health.watching import HealthModel, HealthObservation, observe
from andon.models.types.errors import AssetError
from andon.training.tracking.flavours import ASSET, BUNDLE_ARTIFACT


class HealthBundleModel(PythonModel):
    """Judges rows of measures as if they had come one after the other: one document a row."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the bundle and let it prove itself on its goldens."""
        self.model = load_health(Path(context.artifacts[BUNDLE_ARTIFACT])).model

    def predict(
        self,
        context: PythonModelContext | None,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Judge each row by those above it of the same asset, from a state that remembers nothing.

        Parameters
        ----------
        model_input
            A column for each measure, and ``asset``; the latter may be left out where the bundle knows one alone.
        """
        return watch_rows(self.model, model_input.to_dict("records"))


def watch_rows(model: HealthModel, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one document for each row."""
    states: dict[str, HealthState] = {}
    documents = []
    for row in rows:
        named = row.get(ASSET)
        asset = named if isinstance(named, str) else _only_asset(model)
        states[asset], observation = observe(model, states.get(asset, HealthState(asset)), _measures(row))
        documents.append(_document(observation))
    return documents


def _measures(row: dict[str, Any]) -> Row:
    return {name: float(value) for name, value in row.items() if name != ASSET and value is not None}


def _only_asset(model: HealthModel) -> str:
    known = sorted({asset for asset, _ in model.baselines})
    if len(known) != 1:
        raise AssetError("tracking.asset_needed", ASSET, known=", ".join(known))
    return known[0]


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


mlflow.models.set_model(HealthBundleModel())
