"""Decisions row by row: what is alarmed, what is not, and that nothing but the state matters."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.health.conftest import CONTRACT, fitted, machine_rows, ramped_rows

from andon.models.health.fitting import fit_health
from andon.models.health.mahalanobis import Distances, Floats, distances
from andon.models.health.operating import Row
from andon.models.health.settings import SNAPSHOTS, GateSettings, HealthSettings, OperatingAxis
from andon.models.health.state import HealthState, dump_state, load_state
from andon.models.health.watching import HealthModel, HealthObservation, Phase, accept, observe, observe_all

START = HealthState("P-101")
LEARNER = HealthModel(CONTRACT, HealthSettings(commissioning_rows=100), {})
LEAK = (0, 0, -4, 0)
"""A step of the flow by four standard deviations of its noise."""


def share(observations: Sequence[HealthObservation], kind: str = "anomalous") -> float:
    return float(np.mean([getattr(each, kind) for each in observations]))


def judge(model: HealthModel, rows: Sequence[Row], state: HealthState = START) -> list[HealthObservation]:
    return observe_all(model, state, rows)[1]


def test_a_healthy_machine_is_alarmed_within_the_budget() -> None:
    seen = judge(fitted(), machine_rows(3000, seed=1))
    assert {each.phase for each in seen} == {Phase.JUDGED}
    assert 0.005 <= share(seen, "by_conformal") <= 0.02
    assert share(seen, "by_cusum") < 0.005
    assert share(seen, "by_drift") == 0


@pytest.mark.parametrize("settings_", [HealthSettings(), SNAPSHOTS])
def test_a_step_is_alarmed_as_long_as_it_lasts_and_no_longer(settings_: HealthSettings) -> None:
    rows = [*machine_rows(200, 1), *machine_rows(400, 2, LEAK), *machine_rows(200, 3)]
    seen = judge(fitted(settings_), rows)
    assert share(seen[:200], "by_cusum") == 0
    assert share(seen[215:600], "by_cusum") == 1
    assert share(seen[630:], "by_cusum") == 0


def test_the_conformal_threshold_alone_absorbs_a_step() -> None:
    seen = judge(fitted(), [*machine_rows(200, 1), *machine_rows(400, 2, LEAK)])
    assert share(seen[200:], "by_conformal") < 0.05 < share(seen[200:], "by_cusum")


def test_the_threshold_is_taken_from_the_latest_scores_outside_alarms_of_the_cusum() -> None:
    model = fitted()
    calm, seen = observe_all(model, START, machine_rows(30, 1))
    assert calm.watches["running"].recent[-30:].tolist() == [each.score for each in seen]
    assert len(calm.watches["running"].recent) == 400
    alarmed, seen = observe_all(model, calm, machine_rows(100, 2, LEAK))
    before = sum(not each.by_cusum for each in seen)
    assert before < 15
    assert alarmed.watches["running"].recent[-before - 1] == calm.watches["running"].recent[-1]


def test_the_measure_that_moved_is_the_first_named_and_the_parts_add_up() -> None:
    for each in judge(fitted(), machine_rows(50, 2, LEAK))[10:]:
        assert each.contributions is not None
        assert each.score is not None
        parts = list(each.contributions.values())
        assert next(iter(each.contributions)) == "flow_l_min"
        assert parts == sorted(parts, reverse=True)
        assert sum(parts) == pytest.approx(each.score**2)


def test_wear_as_slow_as_anything_is_found_by_a_baseline_that_never_moves() -> None:
    seen = judge(fitted(SNAPSHOTS), ramped_rows(3000, measure=0, deviations=4))
    assert share(seen[:500], "by_cusum") == 0
    assert share(seen[-500:], "by_cusum") == 1


def test_a_level_that_follows_absorbs_a_slow_fault_until_it_has_drifted_a_quarter_away() -> None:
    seen = judge(fitted(), ramped_rows(3000, measure=3, deviations=20))
    first = next(index for index, each in enumerate(seen) if each.by_drift)
    assert share(seen, "by_cusum") < 0.01
    assert first == pytest.approx(3000 * 15 / 20, abs=100), "7.5 A of 30 A are 15 standard deviations"
    assert share(seen[first:], "by_drift") > 0.95


def test_what_is_accepted_is_normal_from_then_on() -> None:
    model = fitted()
    state, seen = observe_all(model, START, machine_rows(100, 2, LEAK))
    assert seen[-1].by_cusum
    after = judge(model, machine_rows(400, 4, LEAK), accept(state))
    assert share(after, "by_cusum") < 0.05
    assert share(judge(model, machine_rows(400, 4, LEAK), state), "by_cusum") == 1


def test_drift_is_counted_anew_from_what_was_accepted() -> None:
    model = fitted()
    state, seen = observe_all(model, START, ramped_rows(3000, measure=3, deviations=20))
    assert seen[-1].by_drift
    assert share(judge(model, machine_rows(50, 4, (0, 0, 0, 20)), accept(state)), "by_drift") == 0


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 2**16), cuts=st.sets(st.integers(0, 180), max_size=3), follows=st.sampled_from([0.0, 0.02, 0.3])
)
def test_a_restart_from_the_stored_state_changes_no_decision(seed: int, cuts: set[int], follows: float) -> None:
    gate = GateSettings((OperatingAxis("flow_l_min", edges=(121.5,)),), settle_rows=1)
    model = replace(
        LEARNER, settings=replace(LEARNER.settings, gate=gate, tracking=follows, commissioning_rows=60, target=0.02)
    )
    rows = [*machine_rows(150, seed), *machine_rows(30, seed, LEAK)]
    state, seen = START, []
    for index, row in enumerate(rows):
        if index in cuts:
            state = load_state(json.loads(json.dumps(dump_state(state))))
        state, observation = observe(model, state, row)
        seen.append(observation)
    straight, expected = observe_all(model, START, rows)
    assert seen == expected
    assert dump_state(state) == dump_state(straight)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**16), st.integers(1, 99))
def test_rows_are_judged_by_those_before_them_alone(seed: int, cut: int) -> None:
    model = fitted()
    rows = machine_rows(100, seed)
    other_future = [*rows[:cut], *machine_rows(100 - cut, seed + 1, LEAK)]
    assert judge(model, rows)[:cut] == judge(model, other_future)[:cut]


def test_the_state_that_was_handed_in_is_left_as_it_was() -> None:
    model = fitted()
    state, _ = observe_all(model, START, machine_rows(20, 1))
    before = dump_state(state)
    first = observe(model, state, machine_rows(1, 2, LEAK)[0])[1]
    assert dump_state(state) == before
    assert observe(model, state, machine_rows(1, 2, LEAK)[0])[1] == first


def test_a_new_machine_learns_first_and_is_judged_as_if_it_had_been_fitted() -> None:
    rows = [*machine_rows(100, 1), *machine_rows(50, 2), *machine_rows(50, 3, LEAK)]
    seen = judge(LEARNER, rows)
    assert [each.phase for each in seen] == [Phase.LEARNING] * 100 + [Phase.JUDGED] * 100
    assert not any(each.anomalous for each in seen[:100])
    model = fit_health({"P-101": rows[:100]}, CONTRACT, LEARNER.settings)
    assert seen[100:] == judge(model, rows[100:])


def test_a_machine_is_not_learned_while_all_its_sensors_are_dead() -> None:
    dead = [dict(machine_rows(1)[0])] * 100
    state, seen = observe_all(LEARNER, START, [*dead, *machine_rows(10, 1)])
    assert {each.phase for each in seen} == {Phase.LEARNING}
    assert not state.learned
    state, _ = observe_all(LEARNER, state, machine_rows(60, 2))
    assert np.diag(state.learned["running"].whitener).all()


def test_each_operating_state_has_its_own_baseline() -> None:
    gate = GateSettings((OperatingAxis("load", edges=(0.5,)),))
    model = replace(LEARNER, settings=replace(LEARNER.settings, gate=gate))
    idle = [{**row, "load": 0.0} for row in machine_rows(300, 1)]
    loaded = [{**row, "load": 1.0} for row in machine_rows(300, 2, (8, -8, 8, 8))]
    alternating = [row for pair in zip(idle, loaded, strict=True) for row in pair]
    seen = judge(model, alternating)
    assert {each.state for each in seen} == {"running/load:0", "running/load:1"}
    assert share(seen[200:], "by_cusum") == 0
    swapped = judge(model, [*alternating, *({**row, "load": 0.0} for row in loaded[:40])])
    assert swapped[-1].by_cusum


def test_nothing_is_alarmed_or_remembered_while_the_machine_stands_or_changes() -> None:
    gate = GateSettings((OperatingAxis("rpm", stopped_below=100.0),), settle_rows=5)
    model = fit_health(
        {"P-101": [{**row, "rpm": 1500.0} for row in machine_rows(405)]}, CONTRACT, HealthSettings(gate=gate)
    )
    stands = [{**row, "rpm": 0.0} for row in machine_rows(30, 1, (-30, -30, -30, -30))]
    starts = [{**row, "rpm": 1500.0} for row in machine_rows(5, 2, (30, 30, 30, 30))]
    runs = [{**row, "rpm": 1500.0} for row in machine_rows(50, 3)]
    seen = judge(model, [*stands, *starts, *runs])
    assert [each.state for each in seen] == ["stopped"] * 30 + ["transient"] * 5 + ["running"] * 50
    assert share(seen[:35]) == 0
    assert all(each.score is None for each in seen[:35])
    assert [each.score for each in seen[35:]] == [each.score for each in judge(model, [*runs[:5], *runs])[5:]]


@pytest.mark.parametrize("absent", [None, np.nan, np.inf])
def test_an_incomplete_row_is_not_judged_and_does_not_count(absent: float | None) -> None:
    model, rows = fitted(), machine_rows(20, 1)
    holed = [*rows[:10], {**rows[0], "flow_l_min": absent}, *rows[10:]]
    seen = judge(model, holed)
    assert (seen[10].state, seen[10].phase, seen[10].anomalous) == ("unknown", Phase.SKIPPED, False)
    assert seen[:10] + seen[11:] == judge(model, rows)


def test_what_has_no_logarithm_is_not_judged() -> None:
    row = {**machine_rows(1)[0], "velocity_mm_s": 0.0}
    assert judge(fitted(), [row])[0].phase is Phase.SKIPPED


def test_distances_come_from_the_scorer_that_the_model_was_given() -> None:
    def doubled(features: Floats, mean: Floats, whitener: Floats) -> Distances:
        plain = distances(features, mean, whitener)
        return Distances(2 * plain.score, 4 * plain.contributions)

    model, rows = fitted(), machine_rows(30, 1)
    twice = judge(replace(model, score=doubled), rows)
    assert [each.score for each in twice] == [2 * (each.score or 0) for each in judge(model, rows)]
    by_it = fit_health({"P-101": machine_rows(400)}, CONTRACT, HealthSettings(), doubled)
    key = ("P-101", "running")
    np.testing.assert_allclose(by_it.baselines[key].scores, 2 * model.baselines[key].scores)
    assert share(judge(by_it, rows)) == share(judge(model, rows))
