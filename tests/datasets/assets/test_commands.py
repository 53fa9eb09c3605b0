from importlib.resources import files
from pathlib import Path

import pytest
from tests.conftest import Andon
from tests.datasets.assets.conftest import Write

from andon.datasets.assets import machines
from andon.datasets.assets.register import FOLDER, AssetRegister

EXAMPLE = files(machines.__package__) / "machines.csv"


def test_machines_are_imported_listed_and_shown(andon: Andon) -> None:
    imported = andon("assets", "import", EXAMPLE, "--json")
    assert (imported.code, imported.err) == (0, "")
    assert [(each["asset"], each["replaced"]) for each in imported.documents] == [
        ("P-101", False),
        ("风机/2", False),
        ("Gearbox 3", False),
    ]
    listed = andon("assets", "list", "--json")
    assert [each["asset"] for each in listed.documents] == ["Gearbox 3", "P-101", "风机/2"]
    shown = andon("assets", "show", "P-101", "--json")
    assert shown.documents == [each for each in listed.documents if each["asset"] == "P-101"]
    assert shown.documents[0]["bearings"][0]["frequencies_hz"]["outer_race"] == pytest.approx(3.075 * 49.5)


def test_what_is_imported_stays_in_andons_home(andon: Andon, tmp_path: Path) -> None:
    andon("assets", "import", EXAMPLE)
    assert AssetRegister(tmp_path / "home" / FOLDER).get("P-101").rpm == 2970


def test_a_person_reads_sources_and_what_is_missing(andon: Andon, write: Write) -> None:
    said = andon("assets", "import", write("asset,place,bearing", "P-1,DE,6205"))
    assert said.code == 0
    assert "P-1: imported" in said.out
    assert "DE: SKF 6205-2RS; orders from: Case Western" in said.out
    assert "no machine class" in said.out
    assert "replaced" in andon("assets", "import", write("asset", "P-1")).out
    assert "6205" not in andon("assets", "list").out


def test_a_list_is_for_people_too(andon: Andon) -> None:
    andon("assets", "import", EXAMPLE)
    lines = andon("assets", "list").out.splitlines()
    assert len(lines) == 3
    assert lines[1].split()[:5] == ["P-101", "75", "kW", "2970", "rpm"]
    assert "iso10816-3:2:rigid" in lines[1]
    assert "DE: 3.585, 5.415" in lines[0].replace("input", "DE")


def test_one_wrong_row_and_nothing_is_imported(andon: Andon, write: Write) -> None:
    path = write("asset,rpm,support", "P-1,1480,rigid", "P-2,fast,soft")
    said = andon("assets", "import", path)
    assert said.code == 2
    assert said.err.splitlines() == [
        f"andon: {path}:3: support: soft: found another word; expected one of rigid, flexible",
        f"andon: {path}:3: rpm: fast: found no number; expected a number above 0",
    ]
    assert "2 errors; nothing was imported" in said.out
    assert andon("assets", "list", "--json").documents == []


def test_a_machine_reads_each_error_on_a_line(andon: Andon, write: Write) -> None:
    path = write("asset,rpm", "P-1,fast", ",1480")
    said = andon("assets", "import", path, "--json")
    assert (said.code, said.err) == (2, "")
    assert [each["path"] for each in said.documents] == [str(path)] * 2
    assert [":2: rpm: fast" in said.documents[0]["error"], ":3: asset" in said.documents[1]["error"]] == [True, True]


def test_a_file_that_is_no_table_is_one_line(andon: Andon, tmp_path: Path) -> None:
    said = andon("assets", "import", tmp_path / "absent.csv")
    assert said.code == 2
    assert "absent.csv" in said.complaint


def test_an_unknown_machine_is_bad_input(andon: Andon) -> None:
    said = andon("assets", "show", "P-7")
    assert said.code == 2
    assert "P-7" in said.complaint


def test_a_damaged_document_does_not_hide_the_others(andon: Andon, tmp_path: Path) -> None:
    andon("assets", "import", EXAMPLE)
    (tmp_path / "home" / FOLDER / "x.json").write_text("{")
    said = andon("assets", "list", "--json")
    assert said.code == 2
    assert [each.get("asset") for each in said.documents] == ["Gearbox 3", "P-101", "风机/2", None]
    assert "x.json" in said.documents[-1]["path"]


def test_a_disk_that_cannot_be_written_is_no_bad_input(andon: Andon, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    said = andon("assets", "import", EXAMPLE)
    assert said.code == 3
    assert "nothing was imported" in said.complaint


def test_help_has_an_example(andon: Andon) -> None:
    said = andon("assets", "--help")
    assert said.code == 0
    for example in ("andon assets import machines.csv", "andon assets list --json", "andon assets show P-101"):
        assert example in said.out
