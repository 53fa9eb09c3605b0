"""Train a health model: learn each machine's baseline, pack, judge the test part."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from andon.datasets.health.judging import detection_document, healthy_episodes, judge_runs
from andon.datasets.health.sources import HealthData
from andon.models.alerts.budget import BUDGET_PER_MONTH, BudgetReport, calibrate_persistence
from andon.models.alerts.case import AlertPolicy
from andon.models.bundle.bundle import HealthBundle
from andon.models.bundle.health_teaching import HealthLesson, teach_health
from andon.models.health.settings import Source
from andon.models.types.progress import Progress

FLAGGED = 0.5
"""Between the two scores that a flag can be."""


@dataclass(frozen=True, slots=True)
class AlertWishes:
    """What the alerts are to keep to.

    Parameters
    ----------
    budget_per_month
        False alarms that are allowed in a machine-month.
    interval_s
        Seconds from one record of a sensor to its next.
    """

    budget_per_month: float = BUDGET_PER_MONTH
    interval_s: float = 600.0


@dataclass(frozen=True, slots=True, eq=False)
class TrainedHealth:
    """A fitted bundle with the ``evaluate`` object of the test part, empty where the data have none.

    ``budget`` says what the healthy part of the test supports of the budget of false alarms; None where there is none.
    """

    bundle: HealthBundle
    figures: Mapping[str, Any]
    budget: BudgetReport | None

    @property
    def metrics(self) -> dict[str, float]:
        """The figures that are numbers."""
        return {name: float(value) for name, value in self.figures.items() if value is not None}


def train_health(data: HealthData, wishes: AlertWishes, seed: int, progress: Progress) -> TrainedHealth:
    """Learn from the healthy rows of ``data``, judge its runs, and choose the alert rules by the healthy ones among them.

    Raises
    ------
    AssetError
        A machine has too few healthy rows.
    """
    options: dict[str, str | int | float] = {
        "assets": len(data.rows),
        "rows": sum(map(len, data.rows.values())),
        "alert_budget_per_month": wishes.budget_per_month,
    }
    bundle, model = teach_health(HealthLesson(data.rows, data.contract, data.settings, data.card, options, seed))
    judged = judge_runs(model, data.runs, progress)
    interval_s = wishes.interval_s if data.contract.source is Source.INDICATORS else None
    episodes = healthy_episodes(judged, interval_s)
    if not episodes:
        return TrainedHealth(bundle, detection_document(judged) if judged else {}, None)
    policy, budget = calibrate_persistence(episodes, FLAGGED, AlertPolicy(), wishes.budget_per_month, seed=seed)
    chosen = replace(bundle, manifest=replace(bundle.manifest, alerts=policy))
    return TrainedHealth(chosen, detection_document(judged), budget)
