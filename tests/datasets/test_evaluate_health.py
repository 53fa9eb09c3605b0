"""``andon evaluate`` with a bundle of a health model."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import Andon
from tests.motors import ASSETS, motor_signal, taught_motors, write_record
from tests.rigs import JUDGED_ROWS, RUNS, write_rig
from tests.shared import SCORE_SKAB, SKAB

from andon.datasets.health.sources import Wishes, open_health_data
from andon.datasets.vibration.skab import FIT_ROWS
from andon.models.bundle.health_teaching import HealthLesson, teach_health
from andon.models.bundle.storage import write_bundle

FIGURES = ("f1", "far", "mar", "far_free", "far_free_conformal")
COUNTS = ("n_normal", "n_anomalous", "n_not_judged")


def taught_from(folder: Path, out: Path) -> Path:
    """A bundle taught from the rows that fit of a rig's runs."""
    data = open_health_data(f"skab:{folder}", Wishes(), 0, folder)
    write_bundle(teach_health(HealthLesson(data.rows, data.contract, data.settings, data.card))[0], out)
    return out


def test_a_rig_is_judged_and_predicted(andon: Andon, tmp_path: Path) -> None:
    rig = write_rig(tmp_path / "rig")
    bundle, table = taught_from(rig, tmp_path / "bundle"), tmp_path / "new" / "p.csv"
    said = andon("evaluate", bundle, "--data", f"skab:{rig}", "--predictions", table, "--json")
    assert (said.code, said.err) == (0, "")
    (document,) = said.documents
    assert list(document) == ["bundle", "data", *FIGURES, *COUNTS]
    assert (document["n_normal"], document["n_anomalous"], document["n_not_judged"]) == (160, 80, 0)
    rows = list(csv.reader(table.read_text().splitlines()))
    assert rows[0] == ["file", "row", "anomaly"]
    predicted = {(file, int(row)): int(flag) for file, row, flag in rows[1:]}
    assert list(predicted) == [(name, FIT_ROWS + row) for name in RUNS for row in range(JUDGED_ROWS)]
    missed = sum(predicted[name, FIT_ROWS + row] == 0 for name in RUNS for row in range(60, 100))
    assert document["mar"] == pytest.approx(100 * missed / 80)
    if SCORE_SKAB.exists():
        assert scored(rig, table) == rounded(document)


def test_records_are_judged(andon: Andon, tmp_path: Path) -> None:
    write_bundle(taught_motors(), tmp_path / "motors")
    for day in range(8):
        fault = {"label": "outer_race"} if day >= 4 else {"label": "none"}
        signal = motor_signal(day, snr_db=3.0 if day >= 4 else None)
        write_record(tmp_path / "records", f"{day}", signal, asset=ASSETS[0], unit_id=f"day {day}", **fault)
    said = andon("evaluate", tmp_path / "motors", "--data", tmp_path / "records", "--json")
    assert said.code == 0
    (document,) = said.documents
    assert document["n_normal"] + document["n_anomalous"] == 2 * 50, "a quarter of the days"
    assert document["n_not_judged"] == 0
    if document["n_anomalous"]:
        assert document["mar"] < 20


@pytest.mark.parametrize(("language", "named"), [("en", "missed"), ("zh_CN", "漏")])
def test_a_person_reads_a_table(
    andon: Andon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str, named: str
) -> None:
    monkeypatch.setenv("ANDON_LANG", language)
    rig = write_rig(tmp_path / "rig")
    said = andon("evaluate", taught_from(rig, tmp_path / "bundle"), "--data", f"skab:{rig}")
    assert said.code == 0
    assert named in said.out
    assert "%" in said.out


def test_data_of_other_measures_are_one_clear_line(andon: Andon, tmp_path: Path) -> None:
    write_bundle(taught_motors(2), tmp_path / "motors")
    said = andon("evaluate", tmp_path / "motors", "--data", "skab:nowhere")
    assert said.code == 2
    assert "skab:nowhere" in said.complaint
    assert "indicators" in said.complaint


@pytest.mark.skipif(not (SKAB.is_dir() and SCORE_SKAB.exists()), reason="the published runs of SKAB are not at hand")
def test_the_published_runs_are_predicted_as_an_independent_scorer_reads_them(andon: Andon, tmp_path: Path) -> None:
    bundle, table = taught_from(SKAB, tmp_path / "bundle"), tmp_path / "p.csv"
    said = andon("evaluate", bundle, "--data", f"skab:{SKAB}", "--predictions", table, "--json")
    assert said.code == 0
    assert scored(SKAB, table) == rounded(said.documents[0])


def scored(folder: Path, predictions: Path) -> list[str]:
    """F1 as a share, false alarms and missed ones in percent, as the scorer prints them."""
    words = [sys.executable, str(SCORE_SKAB), str(folder), str(predictions)]
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return re.findall(r"[0-9.]+", printed.replace("F1", ""))


def rounded(document: dict[str, float]) -> list[str]:
    return [f"{document['f1'] / 100:.3f}", f"{document['far']:.2f}", f"{document['mar']:.2f}"]
