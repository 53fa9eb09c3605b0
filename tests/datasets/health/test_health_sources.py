"""Rows of healthy and of judged machines from process samples, folders of records and generated ones."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.motors import ASSETS, CONTRACT, PLACE, RATE_HZ, motor_signal, write_record
from tests.rigs import JUDGED_ROWS, RUNS

from andon.datasets.health import sources
from andon.datasets.health.sources import MAX_WINDOW, MIN_WINDOW, TEMPERATURES, Wishes, open_health_data, runs_for
from andon.datasets.synthetic.bearings import machines
from andon.datasets.vibration.skab import COLUMNS, FIT_ROWS
from andon.models.health.settings import SNAPSHOTS, HealthSettings, Source, Transform
from andon.models.monitoring.features import DEFAULT_FEATURES
from andon.models.types.errors import DataError, OptionError, RecordError
from andon.models.types.vibration import Unit

NAMES = {f"{asset}/{PLACE}" for asset in ASSETS}


def opened(source: object, **wishes: float) -> sources.HealthData:
    return open_health_data(str(source), Wishes(**wishes), 0, Path("no home"))  # type: ignore[arg-type]


def test_process_samples_are_taken_without_temperatures(rig: Path) -> None:
    data = opened(f"skab:{rig}")
    assert data.contract.source is Source.COLUMNS
    assert set(data.contract.names) == set(COLUMNS) - set(TEMPERATURES)
    assert set(data.contract.transforms) == {Transform.IDENTITY}
    assert data.settings == HealthSettings()
    assert data.card.licence == "GPL-3.0"


def test_the_first_rows_of_each_run_fit_and_the_rest_is_judged(rig: Path) -> None:
    data = opened(f"skab:{rig}")
    assert {asset: len(rows) for asset, rows in data.rows.items()} == dict.fromkeys(
        [*RUNS, "anomaly-free/anomaly-free.csv"], FIT_ROWS
    )
    judged = {run.name: run for run in data.runs}
    for name in RUNS:
        run = judged[name]
        assert (run.asset, len(run.rows), len(run.truth), run.first_row, run.counts) == (
            name,
            JUDGED_ROWS,
            JUDGED_ROWS,
            FIT_ROWS,
            True,
        )
        assert np.flatnonzero(run.truth).tolist() == list(range(60, 100))
    free = judged["anomaly-free/anomaly-free.csv"]
    assert not free.counts
    assert not free.truth.any()


def test_records_give_a_baseline_to_each_motor(records: Path) -> None:
    data = opened(records, window=1024)
    assert data.contract == replace(CONTRACT, names=DEFAULT_FEATURES)
    assert data.settings == SNAPSHOTS
    assert data.rows.keys() == NAMES
    n_train = data.card.counts["train/none"]
    assert sum(map(len, data.rows.values())) == n_train * int(2 * RATE_HZ / 1024)
    assert {run.asset for run in data.runs} <= NAMES
    assert [run.name for run in data.runs] == [run.name for run in runs_for(data.contract, str(records), 0, Path())]
    for run in data.runs:
        assert set(run.truth.tolist()) == {int(Path(run.name).stem) >= 8}
        assert len(run.rows) == len(run.truth) == 50
        assert run.counts


def test_no_record_is_learned_from_and_judged(records: Path) -> None:
    data = opened(records, window=1024)
    learned = {tuple(row.values()) for rows in data.rows.values() for row in rows}
    judged = {tuple(row.values()) for run in data.runs for row in run.rows}
    assert learned
    assert judged
    assert not learned & judged


def test_records_that_name_no_machine_are_of_the_folder(tmp_path: Path) -> None:
    """So says monitor too: what is learned is what is watched."""
    for day in range(8):
        write_record(tmp_path / "pump 7", f"{day}", motor_signal(day))
    assert opened(tmp_path / "pump 7").rows.keys() == {f"pump 7/{PLACE}"}


def test_the_window_is_the_longest_of_which_every_machine_has_enough(records: Path, tmp_path: Path) -> None:
    data = opened(records)
    window = data.contract.window
    assert window is not None
    fewest = min(len(rows) for rows in data.rows.values())
    assert fewest >= SNAPSHOTS.commissioning_rows
    assert window == MAX_WINDOW or fewest < 2 * SNAPSHOTS.commissioning_rows
    assert window & (window - 1) == 0
    for day in range(8):
        short = motor_signal(day)
        write_record(tmp_path, f"{day}", replace(short, samples=short.samples[:600]), asset="m", unit_id=f"{day}")
    assert opened(tmp_path).contract.window == MIN_WINDOW


def test_a_rate_that_is_wished_for_is_taken_with_the_bands_below_it(records: Path) -> None:
    data = opened(records, rate_hz=8000.0, window=1024)
    assert data.contract.rate_hz == 8000.0
    assert "band_2000_5000_hz_m_s2" not in data.contract.names
    assert "band_500_2000_hz_m_s2" in data.contract.names


@pytest.mark.parametrize("window", [0, 256, 1000, 2 * MAX_WINDOW])
def test_a_window_that_is_no_power_of_two_in_its_range_is_refused(records: Path, window: int) -> None:
    with pytest.raises(OptionError) as caught:
        opened(records, window=window)
    assert (caught.value.code, caught.value.params["found"]) == ("health.window", window)


def only_faulty(folder: Path) -> None:
    for day in range(6):
        write_record(folder, f"{day}", motor_signal(day, snr_db=3.0), label="outer_race")


def in_velocity(folder: Path) -> None:
    for day in range(6):
        write_record(folder, f"{day}", replace(motor_signal(day), unit=Unit.MM_S))


def damaged(folder: Path) -> None:
    for day in range(6):
        write_record(folder, f"{day}", motor_signal(day)).write_bytes(b"")


@pytest.mark.parametrize(
    ("make", "kind", "code"),
    [
        (only_faulty, DataError, "health.no_healthy"),
        (in_velocity, RecordError, "health.no_acceleration"),
        (damaged, RecordError, "record.empty"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(
    tmp_path: Path, make: Callable[[Path], None], kind: type[Exception], code: str
) -> None:
    make(tmp_path)
    with pytest.raises(kind) as caught:
        opened(tmp_path)
    assert getattr(caught.value, "code", "") == code


def test_a_model_of_other_measures_is_refused(rig: Path, records: Path) -> None:
    columns = opened(f"skab:{rig}").contract
    for contract, source in ((columns, str(records)), (CONTRACT, f"skab:{rig}")):
        with pytest.raises(DataError) as caught:
            runs_for(contract, source, 0, Path())
        assert caught.value.code == "health.other_source"
        assert caught.value.params["expected"] == contract.source.value


def test_records_of_which_none_is_labelled_cannot_be_judged(records: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(records / ASSETS[0], tmp_path / "unlabelled"))
    for sidecar in folder.glob("*.json"):
        sidecar.write_text(sidecar.read_text().replace('"label": "none"', '"label": ""').replace("outer_race", ""))
    with pytest.raises(DataError) as caught:
        runs_for(CONTRACT, str(folder), 0, Path())
    assert caught.value.code == "health.no_test"
    assert opened(folder).runs == [], "but they can be learned from"


def test_generated_machines_are_split_by_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = machines.Fleet(healthy=3, each_fault=0, records=2, duration_s=4.0)
    monkeypatch.setattr(machines, "Fleet", lambda: fleet)
    data = opened("synthetic:bearing", window=512)
    assert data.card.name == "synthetic:bearing"
    assert data.rows
    assert all(name.startswith("machine-") and name.endswith(f"/{PLACE}") for name in data.rows)
    assert data.runs
    assert {run.asset for run in data.runs}.isdisjoint(data.rows)
