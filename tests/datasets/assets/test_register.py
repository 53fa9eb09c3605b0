import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.datasets.assets import register as module
from andon.datasets.assets.register import SCHEMA_VERSION, AssetRegister
from andon.models.types.errors import AssetError, ResourceError
from andon.models.types.vibration import Bearing, BearingOrders, Direction, Machine, MachineClass, Sensor
from andon.models.vibration.bearings import find_bearing

FULL = Machine(
    asset="风机/2",
    name="二号引风机",
    power_kw=75.0,
    machine_class=MachineClass("iso10816-3", "2", "rigid"),
    rpm=1480.0,
    min_rpm=1470.0,
    max_rpm=1500.0,
    line_hz=50.0,
    bearings=(Bearing("DE", BearingOrders(3.0, 5.0, 2.0, 0.4), "drawing", "X-1", "SKF"), find_bearing("6205")),
    teeth=(23, 47),
    blades=12,
    sensors=(Sensor("s1", "DE", Direction.AXIAL), Sensor("s2")),
)
AWKWARD = ("风机/2", "../P-1", "P 1", "p 1", "CON", "a" * 300, ".", "P\\1", "P:1", "é")


@pytest.fixture
def register(tmp_path: Path) -> AssetRegister:
    return AssetRegister(tmp_path / "assets")


def test_a_machine_comes_back_as_it_was(register: AssetRegister) -> None:
    register.import_machines([FULL])
    assert register.get("风机/2") == FULL
    assert register.machines() == ((FULL,), ())


@pytest.mark.parametrize("asset", AWKWARD)
def test_any_name_is_kept_inside_the_folder(register: AssetRegister, asset: str) -> None:
    register.import_machines([Machine(asset)])
    assert register.get(asset) == Machine(asset)
    assert [path.parent for path in register.folder.parent.rglob("*.json")] == [register.folder]


def test_names_that_differ_in_case_only_are_two_machines_even_where_files_do_not(register: AssetRegister) -> None:
    register.import_machines(map(Machine, AWKWARD))
    names = [path.name.lower() for path in register.folder.iterdir()]
    assert len(set(names)) == len(AWKWARD)
    assert [each.asset for each in register.machines()[0]] == sorted(AWKWARD)


def test_a_name_typed_in_another_unicode_form_is_the_same(register: AssetRegister) -> None:
    register.import_machines([Machine("\u00e9")])
    assert register.get(" e\u0301") == Machine("\u00e9")


def test_an_import_replaces_and_says_so(register: AssetRegister) -> None:
    first = register.import_machines([Machine("A", rpm=1.0), Machine("B")])
    second = register.import_machines([Machine("A", rpm=2.0), Machine("C")])
    assert [(each.machine.asset, each.replaced) for each in first + second] == [
        ("A", False),
        ("B", False),
        ("A", True),
        ("C", False),
    ]
    assert register.get("A").rpm == 2.0
    assert len(register.machines()[0]) == 3


def test_equal_machines_give_equal_bytes(register: AssetRegister, tmp_path: Path) -> None:
    other = AssetRegister(tmp_path / "other")
    register.import_machines([FULL])
    other.import_machines([FULL])
    (mine,), (theirs,) = register.folder.iterdir(), other.folder.iterdir()
    assert (mine.name, mine.read_bytes()) == (theirs.name, theirs.read_bytes())
    assert json.loads(mine.read_bytes())["schema_version"] == SCHEMA_VERSION


def test_a_full_disk_changes_nothing(register: AssetRegister, monkeypatch: pytest.MonkeyPatch) -> None:
    register.import_machines([Machine("A", rpm=1.0)])
    written: list[Path] = []

    def write(path: Path, data: bytes) -> None:
        if written:
            raise OSError(28, "No space left on device")
        written.append(path)
        path.write_bytes(data)

    monkeypatch.setattr(module, "write_flushed", write)
    with pytest.raises(ResourceError, match="not_written") as caught:
        register.import_machines([Machine("A", rpm=2.0), Machine("B")])
    assert "No space" in str(caught.value.params["found"])
    assert register.machines() == ((Machine("A", rpm=1.0),), ())
    assert len(list(register.folder.iterdir())) == 1, "nothing is left lying about"


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "assets").write_text("")
    with pytest.raises(ResourceError, match="not_written") as caught:
        AssetRegister(tmp_path / "assets").import_machines([Machine("A")])
    assert caught.value.subject == str(tmp_path / "assets")


def test_an_unknown_machine_is_named(register: AssetRegister) -> None:
    assert register.machines() == ((), ())
    with pytest.raises(AssetError, match=r"asset\.unknown") as caught:
        register.get("P-1")
    assert caught.value.subject == "P-1"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"", "asset.damaged"),
        (b"{", "asset.damaged"),
        (b"[]", "asset.damaged"),
        (b'{"schema_version":1}', "asset.damaged"),
        (b'{"schema_version":1,"machine":{"rpm":"fast"}}', "asset.damaged"),
        (b'{"schema_version":2,"machine":{"asset":["A"]}}', "asset.newer"),
    ],
)
def test_a_bad_document_is_named_and_does_not_hide_the_others(
    register: AssetRegister, document: bytes, code: str
) -> None:
    register.import_machines([Machine("A"), Machine("B")])
    path = next(path for path in register.folder.iterdir() if b'"A"' in path.read_bytes())
    path.write_bytes(document)
    machines, (problem,) = register.machines()
    assert machines == (Machine("B"),)
    assert (problem.code, problem.subject) == (code, str(path))
    with pytest.raises(AssetError, match=code):
        register.get("A")


def test_a_document_of_this_version_with_more_in_it_is_read(register: AssetRegister) -> None:
    register.import_machines([FULL])
    (path,) = register.folder.iterdir()
    document = json.loads(path.read_bytes())
    document["machine"]["colour"] = "green"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert register.get(FULL.asset) == FULL


@given(st.text(min_size=1, max_size=40).filter(lambda name: name.isprintable()))
def test_no_name_leaves_the_folder(asset: str) -> None:
    path = AssetRegister(Path("assets"))._path(asset)
    assert path.parent == Path("assets")
    assert path.name.removesuffix(".json").isalnum()
