"""A health bundle as an MLflow model, from code: this file is logged beside the bundle, and nothing is pickled."""

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd  # type: ignore[import-untyped]
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from andon.models.bundle.runtime import load_health
from andon.models.health.rows import ASSET, MachineRow, watch_rows
from andon.training.tracking.flavours import BUNDLE_ARTIFACT


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
        return watch_rows(self.model, [_machine_row(row) for row in model_input.to_dict("records")])


def _machine_row(row: dict[str, Any]) -> MachineRow:
    asset = row.get(ASSET)
    measures = {name: float(value) for name, value in row.items() if name != ASSET and value is not None}
    return MachineRow(asset if isinstance(asset, str) else None, measures)


mlflow.models.set_model(HealthBundleModel())
