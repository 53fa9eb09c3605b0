"""Figures, episodes and predictions of what a model says of runs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.pumps import ASSETS, pump_rows, taught_health
from tests.rigs import ANOMALOUS, JUDGED_ROWS, RUNS

from andon.datasets.health.judging import (
    JudgedRows,
    detection_document,
    healthy_episodes,
    judge_runs,
    predictions,
)
from andon.datasets.health.sources import JudgedRun, Wishes, open_health_data
from andon.datasets.vibration.skab import FIT_ROWS
from andon.models.bundle.runtime import make_health_model
from andon.models.health.fitting import fit_health
from andon.models.health.state import HealthState
from andon.models.health.watching import HealthModel, HealthObservation, Phase, observe_all

PUMP = next(iter(ASSETS))


@pytest.fixture(scope="module")
def pumps() -> HealthModel:
    return make_health_model(taught_health())


def run_of(name: str, seed: int, fault: float = 0.0, count: int = 50, asset: str = PUMP) -> JudgedRun:
    rows = pump_rows(asset, count, seed, fault)[:count]
    return JudgedRun(name, asset, rows, np.full(count, fault > 0))


def said(
    flags: Sequence[bool | None], name: str = "run", truth: Sequence[bool] | None = None, **more: object
) -> JudgedRows:
    """A run with what was said of each of its rows; None where it was not judged."""
    run = JudgedRun(name, "machine", [], np.array(truth or [False] * len(flags)))
    observations = [
        HealthObservation("machine", "running", Phase.LEARNING)
        if flag is None
        else HealthObservation("machine", "running", Phase.JUDGED, by_cusum=flag)
        for flag in flags
    ]
    return JudgedRows(replace(run, **more), observations)  # type: ignore[arg-type]


def test_what_was_learned_in_one_run_is_remembered_in_the_next(pumps: HealthModel) -> None:
    runs = [run_of("first", 1), run_of("other", 2, asset="泵 2"), run_of("second", 3)]
    judged = judge_runs(pumps, runs)
    state, first = observe_all(pumps, HealthState(PUMP), runs[0].rows)
    _, second = observe_all(pumps, state, runs[2].rows)
    assert [each.run.name for each in judged] == ["first", "other", "second"]
    assert list(judged[0].observations) == first
    assert list(judged[2].observations) == second
    assert second != observe_all(pumps, HealthState(PUMP), runs[2].rows)[1]


def test_progress_is_told_run_by_run(pumps: HealthModel) -> None:
    told: list[tuple[str, int, int]] = []
    judge_runs(pumps, [run_of("a", 1), run_of("b", 2)], lambda *each: told.append(each))
    assert told == [("evaluate.stage", 1, 2), ("evaluate.stage", 2, 2)]


def test_figures_pool_the_rows_that_count() -> None:
    judged = [
        said([True, True, False, None], truth=[True, False, True, True]),
        said([True, False, False, False], truth=[True, False, False, False]),
        said([True, False, False, False], counts=False),
    ]
    document = detection_document(judged)
    assert document["f1"] == pytest.approx(100 * 2 * 2 / (2 * 2 + 1 + 1))
    assert document["far"] == pytest.approx(100 / 4)
    assert document["mar"] == pytest.approx(100 / 3)
    assert document["far_free"] == pytest.approx(25.0)
    assert document["far_free_conformal"] == 0.0, "the CUSUM said it"
    assert (document["n_normal"], document["n_anomalous"], document["n_not_judged"]) == (4, 3, 1)


def test_figures_that_nothing_allows_are_null() -> None:
    assert detection_document([said([None, None])]) == {
        "f1": None,
        "far": None,
        "mar": None,
        "far_free": None,
        "far_free_conformal": None,
        "n_normal": 0,
        "n_anomalous": 0,
        "n_not_judged": 2,
    }


def test_each_row_of_a_process_is_a_second_of_an_episode() -> None:
    healthy, faulty = said([False, True, None, False], "a"), said([True] * 4, "b", truth=[True] * 4)
    (episode,) = healthy_episodes([healthy, faulty], None)
    assert (episode.machine, episode.times_s.tolist(), episode.scores.tolist()) == ("a", [0, 1, 2], [0, 1, 0])


def test_each_record_is_a_snapshot_of_an_episode() -> None:
    """Most of its rows decide, as they do when it is watched."""
    snapshots: list[list[bool | None]] = [
        [True, True, False],
        [True, False, False],
        [None, None, True],
        [None, None, None],
    ]
    (episode,) = healthy_episodes([said(flags, f"{turn}") for turn, flags in enumerate(snapshots)], 600.0)
    assert (episode.machine, episode.times_s.tolist(), episode.scores.tolist()) == (
        "machine",
        [0, 600, 1200],
        [1, 0, 1],
    )


def test_one_snapshot_is_no_episode() -> None:
    assert healthy_episodes([said([False, False])], 600.0) == []
    assert healthy_episodes([], None) == []


def test_predictions_are_of_all_rows_that_count() -> None:
    judged = [said([True, None, False], "valve1/0.csv", first_row=400), said([True], counts=False)]
    assert list(predictions(judged)) == [("valve1/0.csv", 400, 1), ("valve1/0.csv", 401, 0), ("valve1/0.csv", 402, 0)]


def test_the_rig_is_judged_by_its_own_beginning(rig: Path) -> None:
    data = open_health_data(f"skab:{rig}", Wishes(), 0, rig)
    judged = judge_runs(fit_health(data.rows, data.contract, data.settings), data.runs)
    document = detection_document(judged)
    assert document["n_anomalous"] == 2 * len(range(*ANOMALOUS.indices(JUDGED_ROWS)))
    assert document["mar"] < 10
    assert document["far_free"] < 5
    assert {(file, row) for file, row, _ in predictions(judged)} == {
        (name, FIT_ROWS + row) for name in RUNS for row in range(JUDGED_ROWS)
    }
