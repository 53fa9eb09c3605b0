"""Folders of records: what is found, its labels and units, and how they are split."""

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from tests.datasets.vibration.conftest import noise, refused

from andon.datasets.vibration.folders import natural_key, open_record_folder, record_paths
from andon.datasets.vibration.sources import open_records
from andon.models.types.vibration import RecordSample, Unit
from andon.models.types.vision import Split


def record(path: Path, seed: int = 0, **said: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, noise(300, seed))
    path.with_suffix(".json").write_text(json.dumps({"rate_hz": 1000, "unit": "g", **said}))
    return path


def samples(root: Path, seed: int = 0) -> dict[str, RecordSample]:
    opened = open_record_folder(root, seed)
    return {sample.name: sample for split in Split for sample in opened.samples(split)}


def test_records_are_found_in_natural_order(tmp_path: Path) -> None:
    for name in ("run10.csv", "run9.CSV", "b/run1.wav", ".hidden/a.csv", ".a.csv", "run9.json", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link.csv").symlink_to(tmp_path / "run10.csv")
    found = [path.relative_to(tmp_path).as_posix() for path in record_paths(tmp_path)]
    assert found == ["b/run1.wav", "run9.CSV", "run10.csv"]
    with refused("record.folder_missing"):
        record_paths(tmp_path / "gone")


def test_the_natural_order_is_total() -> None:
    names = ["1", "01", "a", "a1b2", "a1b10", "", "２", "10a"]
    assert len({natural_key(name) for name in names}) == len(names)
    assert sorted(sorted(names, reverse=True), key=natural_key) == sorted(names, key=natural_key)


def test_labels_come_from_the_sidecar_else_from_the_folder(tmp_path: Path) -> None:
    record(tmp_path / "Outer Race/1.npy")
    record(tmp_path / "outer_race/2.npy", label="inner_race")
    record(tmp_path / "normal/3.npy")
    record(tmp_path / "healthy/4.npy", label="")
    record(tmp_path / "spring/5.npy")
    record(tmp_path / "6.npy", label="Good")
    labels = {Path(name).stem: sample.label for name, sample in samples(tmp_path).items()}
    assert labels == {"1": "outer_race", "2": "inner_race", "3": "none", "4": "", "5": "", "6": "none"}


def test_a_label_that_is_no_fault_is_refused(tmp_path: Path) -> None:
    record(tmp_path / "1.npy", label="broken")
    with refused("record.bad_label") as refusal:
        open_record_folder(tmp_path)
    assert "outer_race" in str(refusal.params["known"])


def test_units_come_from_the_sidecar_else_are_the_file_and_the_card_says_so(tmp_path: Path) -> None:
    record(tmp_path / "1.npy", unit_id="u", bearing="b", asset="a")
    record(tmp_path / "2.npy", bearing="b", asset="a")
    record(tmp_path / "3.npy", asset="a")
    assert {name: sample.unit for name, sample in samples(tmp_path).items()} == {
        "1.npy": "u",
        "2.npy": "b",
        "3.npy": "a",
    }
    assert "sidecars name" in open_record_folder(tmp_path).card.split
    record(tmp_path / "4.npy")
    assert samples(tmp_path)["4.npy"].unit == "4.npy"
    assert "1 of 4 records name no unit" in open_record_folder(tmp_path).card.split


@pytest.mark.parametrize("seed", range(5))
def test_a_unit_stands_on_one_side(tmp_path: Path, seed: int) -> None:
    for unit in range(8):
        for run in range(3):
            record(tmp_path / f"{unit}-{run}.npy", unit_id=f"bearing {unit}", label="none")
    opened = open_record_folder(tmp_path, seed)
    train, test = ({sample.unit for sample in opened.samples(split)} for split in (Split.TRAIN, Split.TEST))
    assert (len(train), len(test), train & test) == (6, 2, set())
    assert opened.card.counts == {"test/none": 6, "train/none": 18}
    assert f"seed {seed}" in opened.card.split


def test_the_split_follows_the_seed(tmp_path: Path) -> None:
    for unit in range(8):
        record(tmp_path / f"{unit}.npy")
    chosen = [
        tuple(sample.name for sample in open_record_folder(tmp_path, seed).samples(Split.TEST)) for seed in (0, 0, 1, 2)
    ]
    assert chosen[0] == chosen[1]
    assert len(set(chosen)) > 1


def test_a_sample_is_read_and_digested_when_asked_for(tmp_path: Path) -> None:
    path = record(tmp_path / "1.npy", rpm=1500)
    (sample,) = samples(tmp_path).values()
    assert sample.digest() == sha256(path.read_bytes()).hexdigest()
    signal = sample.signal()
    np.testing.assert_array_equal(signal.samples, noise(300))
    assert (signal.rate_hz, signal.unit, signal.rpm) == (1000, Unit.G, 1500)
    path.write_bytes(b"broken")
    with refused("record.damaged"):
        sample.signal()


def test_a_folder_without_a_record_is_refused(tmp_path: Path) -> None:
    with refused("record.no_record"):
        open_record_folder(tmp_path)


def test_sources_open_a_folder_a_generated_set_and_mfpt(tmp_path: Path) -> None:
    record(tmp_path / "set/1.npy")
    assert open_records(str(tmp_path / "set"), home=tmp_path).card.grade == "internal"
    assert len(open_records("synthetic:bearing", 1, home=tmp_path).samples(Split.TEST))
    with refused("data.unknown_set"):
        open_records("synthetic:pump", home=tmp_path)
    with refused("record.not_fetched") as refusal:
        open_records("mfpt", home=tmp_path)
    assert refusal.params["subject"] == "mfpt"
    with refused("record.folder_missing"):
        open_records("./mfpt", home=tmp_path)
