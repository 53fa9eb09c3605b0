"""A bundle as an MLflow model, from code: this file is logged beside the bundle, and nothing is pickled."""

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd  # type: ignore[import-untyped]
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from andon.models.bundle.runtime import load_inspector
from andon.models.messages.catalogue import catalogue
from andon.models.vision.rows import IMAGE, inspect_rows
from andon.training.tracking.flavours import BUNDLE_ARTIFACT


class BundleModel(PythonModel):
    """Judges encoded images: one ``inspect`` document a row, without times, so that equal images give equal rows."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the bundle and let it prove itself on its goldens."""
        self.inspector = load_inspector(Path(context.artifacts[BUNDLE_ARTIFACT])).inspector

    def predict(
        self,
        context: PythonModelContext | None,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Inspect each image of the column ``image``, or of a list: the bytes of image files.

        An image that cannot be decoded has ``{"error": ...}`` in its row; the others are inspected.
        """
        images = model_input[IMAGE] if isinstance(model_input, pd.DataFrame) else model_input
        return inspect_rows(self.inspector, list(images), catalogue("en").error)


mlflow.models.set_model(BundleModel())
