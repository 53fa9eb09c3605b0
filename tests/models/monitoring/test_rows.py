"""Process samples through health and alert rules."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from tests.pumps import pump_rows, taught_health

from andon.models.alerts.case import Alert, AlertEvent, AlertKind, AlertPolicy
from andon.models.bundle.runtime import make_health_model
from andon.models.health.operating import Row
from andon.models.health.watching import HealthModel
from andon.models.monitoring.rows import RowResult, watch_rows

START = datetime(2026, 3, 1, tzinfo=UTC)
ASSET = "pump 1"
POLICY = AlertPolicy(k=3, n=5, min_duration_s=10.0, clear_m=4)
KEYS = ["type", "asset", "time", "state", "judged", "anomalous", "score", "threshold", "contributions"]


@pytest.fixture(scope="module")
def pumps() -> HealthModel:
    return make_health_model(taught_health())


def timed(rows: list[Row]) -> Iterator[tuple[datetime, Row]]:
    return ((START + timedelta(seconds=second), row) for second, row in enumerate(rows))


def watched(model: HealthModel, rows: list[Row], asset: str = ASSET) -> tuple[list[RowResult], list[Alert]]:
    numbers = count()
    events = list(watch_rows(model, asset, timed(rows), POLICY, lambda: f"case-{next(numbers)}"))
    results = [event for event in events if isinstance(event, RowResult)]
    return results, [event for event in events if isinstance(event, Alert)]


def failing() -> list[Row]:
    """Sixty healthy rows, as many with a fault, and a hundred and fifty healthy ones; without the standstill at each end."""
    return [*pump_rows(ASSET, 60, 7)[:-3], *pump_rows(ASSET, 60, 8, fault=8.0)[:-3], *pump_rows(ASSET, 150, 9)[:-3]]


def test_a_healthy_pump_gives_a_result_a_row_and_no_alert(pumps: HealthModel) -> None:
    results, alerts = watched(pumps, pump_rows(ASSET, 40, 7)[:-3])
    assert [each.time for each in results] == [START + timedelta(seconds=second) for second in range(40)]
    assert {each.asset for each in results} == {ASSET}
    assert alerts == []


def test_a_fault_is_raised_once_and_cleared(pumps: HealthModel) -> None:
    results, alerts = watched(pumps, failing())
    assert [(each.event, each.case.id) for each in alerts] == [
        (AlertEvent.RAISED, "case-0"),
        (AlertEvent.CLEARED, "case-0"),
    ]
    raised, cleared = alerts
    fault, repair = START + timedelta(seconds=60), START + timedelta(seconds=120)
    assert fault + timedelta(seconds=POLICY.min_duration_s) <= raised.time < fault + timedelta(seconds=25)
    assert repair < cleared.time
    assert (raised.case.kind, raised.case.asset) == (AlertKind.ANOMALY, ASSET)
    observed = raised.observation
    assert observed is not None
    assert max(observed.contributions, key=lambda name: observed.contributions[name]) == "flow"
    by_time = {each.time: each for each in results}
    assert observed.score == by_time[raised.time].health.score


def test_an_alert_follows_its_row(pumps: HealthModel) -> None:
    events = list(watch_rows(pumps, ASSET, timed(failing()), POLICY, lambda: "case"))
    place = next(place for place, event in enumerate(events) if isinstance(event, Alert))
    before = events[place - 1]
    assert isinstance(before, RowResult)
    assert before.time == events[place].time


def test_a_pump_that_stands_is_not_judged(pumps: HealthModel) -> None:
    results, alerts = watched(pumps, [{**row, "ripple": 1.0} for row in pump_rows(ASSET, 20, 7)])
    documents = [each.document() for each in results[-3:]]
    assert [(each["state"], each["judged"], each["anomalous"]) for each in documents] == [("stopped", False, None)] * 3
    assert alerts == []


def test_the_document_is_plain(pumps: HealthModel) -> None:
    results, _ = watched(pumps, failing(), ASSET)
    for result in (results[0], results[30], results[-1]):
        document = result.document()
        assert list(document) == KEYS
        assert json.loads(json.dumps(document, allow_nan=False)) == document
    judged = results[30].document()
    assert (judged["type"], judged["asset"], judged["judged"], judged["anomalous"]) == ("window", ASSET, True, False)
    assert judged["time"] == (START + timedelta(seconds=30)).isoformat()
    assert sum(judged["contributions"].values()) == pytest.approx(judged["score"] ** 2)
