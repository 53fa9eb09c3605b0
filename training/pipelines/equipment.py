"""Train a health model: learn each machine's baseline, pack, judge the test part."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from andon.datasets.health.judging import detection_document, judge_runs
from andon.datasets.health.sources import HealthData
from andon.models.bundle.bundle import HealthBundle
from andon.models.bundle.health_teaching import HealthLesson, teach_health
from andon.models.types.progress import Progress


@dataclass(frozen=True, slots=True, eq=False)
class TrainedHealth:
    """A fitted bundle with the ``evaluate`` object of the test part; empty where the data have none."""

    bundle: HealthBundle
    figures: Mapping[str, Any]

    @property
    def metrics(self) -> dict[str, float]:
        """The figures that are numbers."""
        return {name: float(value) for name, value in self.figures.items() if value is not None}


def train_health(data: HealthData, seed: int, progress: Progress) -> TrainedHealth:
    """Learn from the healthy rows of ``data`` and judge its runs.

    Raises
    ------
    AssetError
        A machine has too few healthy rows.
    """
    options: dict[str, str | int | float] = {"assets": len(data.rows), "rows": sum(map(len, data.rows.values()))}
    bundle, model = teach_health(HealthLesson(data.rows, data.contract, data.settings, data.card, options, seed))
    figures = detection_document(judge_runs(model, data.runs, progress)) if data.runs else {}
    return TrainedHealth(bundle, figures)
