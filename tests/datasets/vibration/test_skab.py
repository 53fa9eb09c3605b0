"""The runs of SKAB, as written by the tests and, where they are at hand, the published ones."""

from pathlib import Path

import numpy as np
import pytest
from tests.datasets.vibration.conftest import refused
from tests.shared import SKAB

from andon.datasets.vibration.skab import COLUMNS, FIT_ROWS, skab_card, skab_runs


def write(path: Path, rows: int = 403, labels: bool = True, columns: tuple[str, ...] = COLUMNS) -> Path:
    header = ["datetime", *columns, *(["anomaly", "changepoint"] if labels else [])]
    lines = [";".join(header)]
    for row in range(rows):
        stamp = f"2020-03-09 10:{14 + row // 60:02}:{row % 60:02}"
        values = [f"{row + at / 10}" for at in range(len(columns))]
        lines.append(";".join([stamp, *values, *([f"{float(row >= 401)}", "0.0"] if labels else [])]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_run_is_read(tmp_path: Path) -> None:
    write(tmp_path / "valve1/0.csv")
    (run,) = skab_runs(tmp_path)
    assert (run.name, run.values.shape) == ("valve1/0.csv", (403, 8))
    assert run.columns == COLUMNS
    assert run.values.dtype == np.float64
    np.testing.assert_allclose(run.values[5], 5 + np.arange(8) / 10)
    assert run.times[61] == np.datetime64("2020-03-09T10:15:01")
    assert np.flatnonzero(run.anomaly).tolist() == [401, 402]
    assert not run.is_free


def test_columns_are_taken_by_name(tmp_path: Path) -> None:
    write(tmp_path / "valve1/0.csv", columns=COLUMNS[::-1])
    (run,) = skab_runs(tmp_path)
    np.testing.assert_allclose(run.values[0], np.arange(8)[::-1] / 10)


def test_the_run_without_anomalies_has_no_labels(tmp_path: Path) -> None:
    write(tmp_path / "anomaly-free/anomaly-free.csv", labels=False)
    write(tmp_path / "valve2/10.csv")
    write(tmp_path / "valve2/9.csv")
    runs = skab_runs(tmp_path)
    assert [run.name for run in runs] == ["anomaly-free/anomaly-free.csv", "valve2/9.csv", "valve2/10.csv"]
    assert runs[0].is_free
    assert not runs[0].anomaly.any()
    card = skab_card(tmp_path)
    assert card.counts == {"anomaly-free/none": 403, "test/anomaly": 4, "test/none": 2, "train/": 2 * FIT_ROWS}
    assert (card.licence, card.grade, card.non_commercial) == ("GPL-3.0", "public", False)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with refused("record.folder_missing"):
        skab_runs(tmp_path / "gone")
    with refused("record.no_run"):
        skab_runs(tmp_path)
    write(tmp_path / "valve1/0.csv", labels=False, columns=COLUMNS[:7])
    with refused("record.columns_missing") as refusal:
        skab_runs(tmp_path)
    assert refusal.params["found"] == "Volume Flow RateRMS, anomaly"
    write(tmp_path / "valve1/0.csv", rows=0)
    with refused("record.columns_missing"):
        skab_runs(tmp_path)


@pytest.mark.parametrize(("old", "new"), [("4.1", "x"), ("10:14:03", "later"), ("4.7;0.0;0.0\n", "\n")])
def test_a_damaged_run_is_named(tmp_path: Path, old: str, new: str) -> None:
    path = write(tmp_path / "valve1/0.csv", rows=6)
    path.write_text(path.read_text().replace(old, new, 1))
    with refused("record.run_damaged") as refusal:
        skab_runs(tmp_path)
    assert refusal.params["subject"] == str(path)


@pytest.mark.skipif(not SKAB.is_dir(), reason="the published runs are not on this machine")
def test_the_published_runs_are_read() -> None:
    runs = skab_runs(SKAB)
    assert len(runs) == 35
    judged = [run for run in runs if not run.is_free]
    assert sum(len(run.anomaly[FIT_ROWS:]) for run in judged) == 23_801
    assert sum(int(run.anomaly[:FIT_ROWS].sum()) for run in judged) == 296
    assert all(np.isfinite(run.values).all() for run in runs)
