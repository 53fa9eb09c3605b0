"""Judge process values of machines, and keep what the alert rules make of them."""

from dataclasses import dataclass
from datetime import UTC, datetime

from andon.datasets.condition.desk import HealthJudge
from andon.datasets.store.conditions import Conditions
from andon.models.alerts.case import Alert
from andon.models.alerts.rules import decide, note_arrivals
from andon.models.health.state import HealthState
from andon.models.health.watching import HealthObservation, observe
from andon.models.monitoring.rows import row_observation
from andon.models.types.identifiers import new_id
from andon.models.types.vibration import TimedRow


@dataclass(frozen=True, slots=True, eq=False)
class RowAssessment:
    """What is said of one row."""

    health: HealthObservation
    alerts: tuple[Alert, ...]


class RowDesk:
    """Judges rows, each in one transaction on what is kept of its machine. Safe to use from several threads and processes at once.

    Nothing is remembered here: a restart changes no decision, and no alert is given that was not kept. The values themselves are not kept.
    """

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions

    def assess(self, row: TimedRow, judge: HealthJudge) -> RowAssessment:
        """Judge the health of a machine by a row, let the alert rules decide, and keep both.

        Raises
        ------
        ResourceError
            It cannot be kept.
        """
        now = datetime.now(UTC)
        with self._conditions.deciding(row.asset) as decision:
            before = next(iter(decision.health(judge.digest, row.asset)), HealthState(row.asset))
            state, health = observe(judge.health, before, row.measures)
            decision.keep_health(judge.digest, state, now)
            observation = row_observation(row.asset, row.time, health)
            rules, alerts = decide(judge.policy, decision.rules(), observation, new_id)
            decision.keep_rules(note_arrivals(rules, {observation.sensor}, now))
            decision.keep_alerts(alerts, now)
        return RowAssessment(health, alerts)
