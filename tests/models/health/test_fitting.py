"""Which baselines a fit learns, and that they are stored without loss."""

import json
from dataclasses import asdict, replace

import msgspec
import numpy as np
import pytest
from tests.models.health.conftest import CONTRACT, fitted, machine_rows

from andon.models.health.fitting import fit_health, pack, unpack
from andon.models.health.settings import (
    SNAPSHOTS,
    BaselineKey,
    FeatureContract,
    GateSettings,
    HealthSettings,
    OperatingAxis,
)
from andon.models.health.state import HealthState
from andon.models.health.watching import observe_all
from andon.models.types.errors import AssetError, OptionError

GATE = GateSettings((OperatingAxis("load", edges=(0.5,), stopped_below=0.1, max_step=2.0),), settle_rows=3)
LOADED = [{**row, "load": 1.0} for row in machine_rows(150)]
HALF = [{**row, "load": 0.3} for row in machine_rows(250, 1)]
STOPPED = [{**row, "load": 0.0} for row in machine_rows(200, 2)]


def test_every_operating_state_shown_long_enough_is_learned_without_its_transients() -> None:
    model = fit_health({"A": [*STOPPED, *LOADED, *HALF], "B": HALF}, CONTRACT, HealthSettings(gate=GATE))
    assert {key: each.n_rows for key, each in model.baselines.items()} == {
        ("A", "running/load:1"): 147,
        ("A", "running/load:0"): 247,
        ("B", "running/load:0"): 247,
    }


def test_a_state_shown_too_briefly_is_learned_later() -> None:
    model = fit_health({"A": [*HALF, *LOADED[:50]]}, CONTRACT, HealthSettings(gate=GATE, commissioning_rows=120))
    assert list(model.baselines) == [("A", "running/load:0")]
    state, _ = observe_all(model, HealthState("A"), LOADED)
    assert list(state.learned) == ["running/load:1"]


def test_too_few_rows_are_refused_with_what_was_found() -> None:
    with pytest.raises(AssetError, match="too_few_rows") as caught:
        fit_health({"A": machine_rows(400), "B": machine_rows(99)}, CONTRACT, HealthSettings())
    assert caught.value.params == {"subject": "B", "found": 99, "expected": 100}
    with pytest.raises(AssetError, match="too_few_rows"):
        fit_health({"A": []}, CONTRACT, HealthSettings())


def test_incomplete_rows_do_not_count() -> None:
    rows = [{**row, "flow_l_min": None} if index % 2 else row for index, row in enumerate(machine_rows(400))]
    assert fit_health({"A": rows}, CONTRACT, HealthSettings()).baselines["A", "running"].n_rows == 200


def test_rows_that_never_change_are_refused() -> None:
    with pytest.raises(AssetError, match="constant") as caught:
        fit_health({"A": machine_rows(1) * 400}, CONTRACT, HealthSettings())
    assert "flow_l_min" in str(caught.value.params["names"])


def test_a_budget_that_the_rows_to_learn_from_cannot_show_is_refused() -> None:
    with pytest.raises(OptionError, match="commissioning_rows") as caught:
        fit_health({}, CONTRACT, HealthSettings(commissioning_rows=400, target=0.001))
    assert caught.value.params["expected"] == 1000


def test_baselines_come_back_from_their_arrays_unchanged() -> None:
    model = fit_health({"A": [*LOADED, *HALF], "B": machine_rows(500)}, CONTRACT, HealthSettings())
    keys, arrays = pack(model.baselines)
    assert keys == (BaselineKey("A", "running", 400), BaselineKey("B", "running", 500))
    back = unpack(keys, arrays)
    assert list(back) == list(model.baselines)
    for key, baseline in model.baselines.items():
        for name in ("mean", "whitener", "scores", "drift_limits", "n_rows"):
            np.testing.assert_array_equal(getattr(back[key], name), getattr(baseline, name))


def test_scores_of_different_number_stand_in_one_array() -> None:
    model = fit_health({"A": LOADED, "B": machine_rows(400)}, CONTRACT, HealthSettings())
    keys, arrays = pack(model.baselines)
    assert arrays.scores.shape == (2, 400)
    assert [len(each.scores) for each in unpack(keys, arrays).values()] == [150, 400]


def test_a_packed_model_decides_as_it_did() -> None:
    model, rows = fitted(), machine_rows(100, 5, (0, 3, 0, 0))
    back = replace(model, baselines=unpack(*pack(model.baselines)))
    assert observe_all(back, HealthState("P-101"), rows)[1] == observe_all(model, HealthState("P-101"), rows)[1]


@pytest.mark.parametrize("value", [CONTRACT, HealthSettings(gate=GATE), SNAPSHOTS, BaselineKey("A", "running", 400)])
def test_what_the_manifest_holds_survives_json(value: FeatureContract | HealthSettings | BaselineKey) -> None:
    assert msgspec.convert(json.loads(json.dumps(asdict(value))), type(value)) == value
