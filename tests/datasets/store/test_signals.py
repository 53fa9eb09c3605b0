"""What came last from a sensor."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event
from tests.datasets.store.machines import PUMP, sense, signal

from andon.datasets.store.conditions import Conditions
from andon.datasets.store.opening import Store
from andon.datasets.store.signals import KeptSignals


def test_what_came_last_is_found_sensor_by_sensor(box: Store) -> None:
    """What a sensor says of the time does not matter: its clock may be set back."""
    conditions = Conditions(box.database)
    sensors = (("fan", "top"), ("fan", "foot"), ("", "top"))
    for number in range(9):
        asset, sensor = sensors[number % 3]
        kept = signal(number, "0" * 64, asset=asset)
        with conditions.deciding(asset) as decision:
            decision.keep_signal(replace(kept, sensor=sensor, time=kept.time.replace(year=2027 - number)))
    found = KeptSignals(box.database)
    assert [row.request_key for asset, sensor in sensors if (row := found.newest(asset, sensor))] == ["6", "7", "8"]
    assert {(row.sensor, row.request_key) for row in found.newest_of_each()} == {("top", "6"), ("foot", "7")}
    assert found.newest("fan", "side") is None
    assert found.newest("pump", "top") is None


@pytest.mark.parametrize("asset", [PUMP, ""])
def test_what_came_last_is_found_without_reading_what_came_before(box: Store, asset: str) -> None:
    """A box asks for each of its sensors when it starts, and keeps signals for years."""
    sense(box, range(3), asset=asset)
    asked = list[tuple[str, Any]]()

    def note(_connection: object, _cursor: object, statement: str, values: Any, *_: object) -> None:
        asked.append((statement, values))

    event.listen(box.database.engine, "before_cursor_execute", note)
    assert KeptSignals(box.database).newest(asset, "drive end")
    statement, values = asked[-1]
    with box.database.reading() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    assert [step.detail for step in plan] == [
        "SEARCH signals USING INDEX ix_signals_asset_sensor_id (asset=? AND sensor=?)"
    ]
