"""Process samples through health and alert rules: no waveform, so no diagnosis."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from andon.models.alerts.case import Alert, AlertKind, AlertPolicy, AssetState, Observation
from andon.models.alerts.rules import NewId, decide
from andon.models.health.operating import Row
from andon.models.health.state import HealthState
from andon.models.health.watching import HealthModel, HealthObservation, Phase, observe
from andon.models.types.vibration import Severity


@dataclass(frozen=True, slots=True)
class RowResult:
    """What one row of process samples says of a machine."""

    asset: str
    time: datetime
    health: HealthObservation

    def document(self) -> dict[str, Any]:
        """Build the ``window`` object."""
        health = self.health
        judged = health.phase is Phase.JUDGED
        return {
            "type": "window",
            "asset": self.asset,
            "time": self.time.isoformat(),
            "state": health.state,
            "judged": judged,
            "anomalous": health.anomalous if judged else None,
            "score": health.score,
            "threshold": health.threshold,
            "contributions": dict(health.contributions or {}),
        }


def watch_rows(
    model: HealthModel,
    asset: str,
    rows: Iterable[tuple[datetime, Row]],
    policy: AlertPolicy,
    new_id: NewId,
) -> Iterator[RowResult | Alert]:
    """Judge the rows of one machine in the order of time, and yield each result with the alerts that follow from it."""
    health, alerts = HealthState(asset), AssetState(asset)
    for time, row in rows:
        health, observed = observe(model, health, row)
        yield RowResult(asset, time, observed)
        alerts, given = decide(policy, alerts, row_observation(asset, time, observed), new_id)
        yield from given


def row_observation(asset: str, time: datetime, observed: HealthObservation) -> Observation:
    """What the health of a machine says at the time of a row; its measures come from the machine, not from one sensor of it."""
    return Observation(
        asset=asset,
        sensor="",
        time=time,
        valid=observed.phase is Phase.JUDGED,
        abnormal=observed.anomalous,
        kind=AlertKind.ANOMALY,
        severity=Severity.WATCH if observed.anomalous else Severity.NORMAL,
        score=observed.score,
        threshold=observed.threshold,
        contributions=observed.contributions or {},
    )
