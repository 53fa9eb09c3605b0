"""Rows are judged as in memory, whatever restarts lie between them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from tests.pumps import pump_rows, taught_health

from andon.datasets.condition.desk import HealthJudge
from andon.datasets.condition.rows import RowDesk
from andon.datasets.store.alerts import AlertFilter, Alerts
from andon.datasets.store.conditions import Conditions
from andon.datasets.store.database import Database
from andon.models.alerts.case import Alert, AlertPolicy
from andon.models.bundle.runtime import make_health_model
from andon.models.health.operating import Row
from andon.models.monitoring.rows import RowResult, watch_rows
from andon.models.types.identifiers import new_id
from andon.models.types.vibration import TimedRow

PUMP = "pump 1"
START = datetime(2026, 3, 1, tzinfo=UTC)
POLICY = AlertPolicy(min_duration_s=600.0)


@pytest.fixture(scope="module")
def judge() -> HealthJudge:
    return HealthJudge("pumps", "d" * 64, make_health_model(taught_health()), POLICY)


def rows() -> Iterator[tuple[datetime, Row]]:
    """Half an hour of a healthy pump, then half an hour in which its flow falls."""
    measured = [*pump_rows(PUMP, 30, seed=1)[:30], *pump_rows(PUMP, 30, seed=2, fault=8.0)[:30]]
    for minute, row in enumerate(measured):
        yield START + timedelta(minutes=minute), row


def test_each_row_is_judged_by_what_was_kept_of_those_before_it(database: Database, judge: HealthJudge) -> None:
    expected = list(watch_rows(judge.health, PUMP, rows(), POLICY, new_id))
    told = [each for each in expected if isinstance(each, Alert)]
    # A desk of its own for each row: as if the process ended after every one of them.
    found = [RowDesk(Conditions(database)).assess(TimedRow(PUMP, time, row), judge) for time, row in rows()]
    assert [each.health.score for each in found] == pytest.approx(
        [each.health.score for each in expected if isinstance(each, RowResult)], nan_ok=True
    )
    given = [alert for each in found for alert in each.alerts]
    assert [(each.event, each.time) for each in given] == [(each.event, each.time) for each in told] != []
    (kept,) = Alerts(database).page(AlertFilter(asset=PUMP), None, 10).items
    assert (kept["kind"], kept["id"]) == ("anomaly", given[0].case.id)


def test_a_row_that_comes_late_changes_no_case(database: Database, judge: HealthJudge) -> None:
    desk = RowDesk(Conditions(database))
    measured = [desk.assess(TimedRow(PUMP, time, row), judge) for time, row in rows()]
    late = desk.assess(TimedRow(PUMP, START, dict(next(rows())[1])), judge)
    assert any(each.alerts for each in measured)
    assert late.alerts == ()
