"""A state is stored and read back whole, and what is none is refused."""

import json

import pytest
from tests.models.health.conftest import CONTRACT, machine_rows

from andon.models.health.settings import HealthSettings
from andon.models.health.state import HealthState, dump_state, load_state
from andon.models.health.watching import HealthModel, observe_all
from andon.models.types.errors import AssetError

LEARNER = HealthModel(CONTRACT, HealthSettings(commissioning_rows=100), {})


@pytest.mark.parametrize("rows", [0, 1, 99, 100, 101, 130])
def test_a_state_survives_json_whole(rows: int) -> None:
    state, _ = observe_all(LEARNER, HealthState("泵 101"), machine_rows(rows))
    plain = json.loads(json.dumps(dump_state(state)))
    assert json.loads(json.dumps(dump_state(load_state(plain)))) == plain
    assert plain["asset"] == "泵 101"
    assert bool(plain["learned"]) == (rows >= 100)


@pytest.mark.parametrize(
    "damage",
    [
        {"asset": None},
        {"watches": {"running": {"level": [1.0]}}},
        {"learning": {"running": [[1.0], ["x"]]}},
        {"operating": 3},
    ],
)
def test_what_is_no_state_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises(AssetError, match="state_damaged"):
        load_state({**dump_state(HealthState("P-101")), **damage})
