import csv
from importlib.resources import files
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.datasets.assets.conftest import Write

from andon.datasets.assets import machines
from andon.datasets.assets.machines import BELONGS_TO, read_machines
from andon.datasets.assets.sheet import COLUMNS, MAX_BYTES
from andon.models.messages.catalogue import LANGUAGES, catalogue
from andon.models.types.errors import AssetError
from andon.models.types.vibration import Direction, Machine, MachineClass, Sensor
from andon.models.vibration.bearings import find_bearing

EXAMPLE = Path(str(files(machines.__package__) / "machines.csv"))
FULL = (
    "asset,name,power_kw,support,rpm,min_rpm,max_rpm,line_hz,teeth,blades,place,bearing,sensor,direction",
    "P-1,Pump,75,rigid,2970,2950,3000,50,23;47,6,DE,6205-2Z,P-1-H,horizontal",
    "P-1,,,,,,,,,,NDE,NU206,P-1-A,Axial",
    "P-2,,,,,,,,,,,,,",
)


def problems(path: Path) -> list[tuple[str, str]]:
    """What is wrong: the code, and where and what as the error names it, without the file."""
    return [(error.code, error.subject.removeprefix(f"{path}:")) for error in read_machines(path).problems]


def only(path: Path) -> Machine:
    sheet = read_machines(path)
    assert sheet.problems == ()
    (machine,) = sheet.machines
    return machine


def test_rows_of_an_asset_make_one_machine(write: Write) -> None:
    sheet = read_machines(write(*FULL))
    assert sheet.problems == ()
    pump, bare = sheet.machines
    assert (pump.asset, pump.name, pump.power_kw, pump.line_hz, pump.blades) == ("P-1", "Pump", 75, 50, 6)
    assert (pump.min_rpm, pump.rpm, pump.max_rpm) == (2950, 2970, 3000)
    assert pump.teeth == (23, 47)
    assert pump.machine_class == MachineClass("iso10816-3", "2", "rigid")
    assert [(each.place, each.designation) for each in pump.bearings] == [("DE", "6205-2RS"), ("NDE", "NU206")]
    assert pump.sensors == (Sensor("P-1-H", "DE", Direction.HORIZONTAL), Sensor("P-1-A", "NDE", Direction.AXIAL))
    assert bare == Machine("P-2")


def test_rows_of_one_asset_need_not_stand_together(write: Write) -> None:
    sheet = read_machines(write("asset,place,sensor", "B,DE,b1", "A,DE,a1", "B,NDE,b2"))
    assert [(each.asset, len(each.sensors)) for each in sheet.machines] == [("B", 2), ("A", 1)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_encodings_of_chinese_programs_are_read(write: Write, encoding: str) -> None:
    machine = only(write("asset,name", "风机/2,二号引风机", encoding=encoding))
    assert (machine.asset, machine.name) == ("风机/2", "二号引风机")


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_comma_is_a_decimal_comma_where_it_does_not_separate(write: Write, delimiter: str) -> None:
    header = delimiter.join(("asset", "power_kw", "rpm", "bearing", "bearing_source"))
    machine = only(write(header, delimiter.join(("M", "2,2", "1480.5", '"9;7,94;39,04;0"', "sheet"))))
    assert (machine.power_kw, machine.rpm) == (2.2, 1480.5)
    assert machine.bearings[0].orders.bpfo == pytest.approx(3.5848, abs=1e-4)


@pytest.mark.parametrize(
    ("text", "delimiter"), [("1,480", ","), ("1.480,5", ";"), ("1e3", ","), ("-5", ","), ("nan", ",")]
)
def test_numbers_that_could_mean_two_things_or_none_are_refused(write: Write, text: str, delimiter: str) -> None:
    path = write(f"asset{delimiter}rpm", f'M{delimiter}"{text}"')
    assert problems(path) == [("asset.cell_number", f"2: rpm: {text}")]


def test_columns_stand_in_any_order_case_and_number(write: Write) -> None:
    assert only(write("RPM , Asset", "1480, P-1", ",")) == Machine("P-1", rpm=1480)


def test_a_bearing_brings_its_source(write: Write) -> None:
    header = "asset,place,bearing,bearing_maker,bearing_source"
    machine = only(
        write(
            header,
            "M,1,6205,NSK,",
            'M,2,"9,7.94,39.04,0",,drawing 7',
            "M,3,3.585;5.415;2.357;0.398,,maker's list",
            "M,4,6312-C3 = 8;22.2;95;0,SKF,maker's sheet",
        )
    )
    assert [each.place for each in machine.bearings] == ["1", "2", "3", "4"]
    first, *others = machine.bearings
    assert (first.maker, first.source) == ("NSK", find_bearing("6205", "NSK").source)
    assert [each.source for each in others] == ["drawing 7", "maker's list", "maker's sheet"]
    assert (others[2].designation, others[2].maker) == ("6312-C3", "SKF")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ("75,flexible,", MachineClass("iso10816-3", "2", "flexible")),
        ("400,rigid,", MachineClass("iso10816-3", "1", "rigid")),
        ("75,,iso10816-1:II", MachineClass("iso10816-1", "II")),
        ("400,rigid,ISO10816-3:2:rigid", MachineClass("iso10816-3", "2", "rigid")),
        ("75,,", None),
        ("5,rigid,", None),
    ],
)
def test_the_class_is_the_one_given_or_follows_from_power_and_support(
    write: Write, cells: str, expected: MachineClass | None
) -> None:
    assert only(write("asset,power_kw,support,iso_class", f"M,{cells}")).machine_class == expected


def test_everything_that_is_wrong_is_found_at_once_in_the_order_of_lines(write: Write) -> None:
    path = write(
        "asset,power_kw,support,rpm,teeth,blades,place,bearing,sensor,direction,iso_class",
        "M,strong,soft,0,2x,1.5,DE,62055,s,up,iso10816-9:1",
        ",75,,,,,,,,,",
        "N,-3,,,,,DE,9;39.04;7.94;0,,axial,,surplus",
        "K,75,,,,,DE,9;7.94;39.04;0,,,",
    )
    assert problems(path) == [
        ("asset.cell_word", "2: support: soft"),
        ("zone.machine_class", "2: iso_class: iso10816-9:1"),
        ("asset.cell_teeth", "2: teeth: 2x"),
        ("asset.cell_whole", "2: blades: 1.5"),
        ("asset.cell_number", "2: power_kw: strong"),
        ("asset.cell_number", "2: rpm: 0"),
        ("asset.bearing_unknown", "2: bearing: 62055"),
        ("asset.cell_word", "2: direction: up"),
        ("asset.cell_no_asset", "3: asset: -"),
        ("asset.row_long", "4: -: surplus"),
        ("asset.cell_alone", "4: direction: axial"),
        ("asset.cell_number", "4: power_kw: -3"),
        ("asset.geometry_pitch", "4: bearing: 9,39.04,7.94,0"),
        ("asset.bearing_no_source", "5: bearing: 9;7.94;39.04;0"),
    ]


@pytest.mark.parametrize(
    ("header", "first", "second", "expected"),
    [
        ("asset,rpm", "M,1480", "M,1490", "rpm: 1490"),
        ("asset,name", "M,Pump", "M,Fan", "name: Fan"),
        ("asset,place,bearing", "M,DE,6205", "M,DE,6203", "bearing: 6203"),
        ("asset,place,bearing,bearing_maker", "M,DE,6205,SKF", "M,DE,6205,NSK", "bearing: 6205, NSK"),
        ("asset,place,sensor", "M,DE,s1", "M,NDE,s1", "sensor: s1, NDE"),
        ("asset,sensor,direction", "M,s1,axial", "M,s1,vertical", "sensor: s1, vertical"),
    ],
)
def test_rows_that_contradict_each_other_are_refused(
    write: Write, header: str, first: str, second: str, expected: str
) -> None:
    path = write(header, first, second)
    assert problems(path) == [("asset.conflict", f"3: {expected}")]
    (error,) = read_machines(path).problems
    assert error.params["line"] == 2
    assert problems(write(header, first, first)) == []


@pytest.mark.parametrize(
    ("cells", "low", "high"),
    [("1500,1480,", "min_rpm", "rpm"), (",1480,1470", "rpm", "max_rpm"), ("9,,8", "min_rpm", "max_rpm")],
)
def test_speeds_must_rise(write: Write, cells: str, low: str, high: str) -> None:
    (error,) = read_machines(write("asset,min_rpm,rpm,max_rpm", f"M,{cells}")).problems
    assert (error.code, error.params["low"], error.params["high"]) == ("asset.speeds", low, high)


def test_support_and_class_must_agree(write: Write) -> None:
    path = write("asset,support,iso_class", "M,rigid,iso10816-3:2:flexible", "N,rigid,iso10816-1:II")
    assert problems(path) == [("asset.class_support", "2: asset: iso10816-3:2:flexible")]


@pytest.mark.parametrize("column", sorted(BELONGS_TO))
def test_what_is_said_of_nothing_is_refused(write: Write, column: str) -> None:
    (error,) = read_machines(write(f"asset,{column}", "M,axial")).problems
    assert (error.code, error.params["owner"]) == ("asset.cell_alone", BELONGS_TO[column])


@pytest.mark.parametrize(
    ("contents", "code"),
    [
        (b"", "asset.column_missing"),
        (b"name,rpm\nPump,1480", "asset.column_missing"),
        (b"asset,speed\nP-1,1480", "asset.column_unknown"),
        (b"asset,rpm,rpm\nP-1,1480,1480", "asset.column_twice"),
        (b"asset,rpm\n,\n\n", "asset.sheet_empty"),
        (b'asset,name\nP-1,"Pump"x', "asset.sheet_quotes"),
        (b"asset,name\nP-1,\xff\xff", "asset.sheet_text"),
        (b"PK\x03\x04\x00\x00", "asset.sheet_text"),
        (b"a" * (MAX_BYTES + 1), "asset.sheet_text"),
    ],
)
def test_what_is_no_table_of_machines_is_refused(tmp_path: Path, contents: bytes, code: str) -> None:
    path = tmp_path / "machines.csv"
    path.write_bytes(contents)
    with pytest.raises(AssetError) as caught:
        read_machines(path)
    assert caught.value.code == code
    assert caught.value.subject.startswith(str(path))


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="sheet_unreadable") as caught:
        read_machines(tmp_path / "absent.csv")
    assert caught.value.subject.endswith("absent.csv")


def test_a_misspelt_column_is_recognised(write: Write) -> None:
    with pytest.raises(AssetError) as caught:
        read_machines(write("asset,bearing maker", "M,SKF"))
    assert caught.value.params["near"] == "bearing_maker"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_message_names_line_column_and_what_would_fit(write: Write, language: str) -> None:
    (error,) = read_machines(write("asset,support", "M,soft")).problems
    said = catalogue(language).error(error)
    assert ":2: support: soft" in said
    assert "rigid, flexible" in said


def test_the_example_is_right_and_shows_every_column() -> None:
    sheet = read_machines(EXAMPLE)
    assert sheet.problems == ()
    header, *rows = csv.reader(EXAMPLE.read_text(encoding="utf-8").splitlines())
    assert tuple(header) == COLUMNS
    assert all(any(row[at] for row in rows) for at in range(len(COLUMNS)))
    assert {each.direction for machine in sheet.machines for each in machine.sensors} == set(Direction)


def test_the_docstring_explains_every_column() -> None:
    assert machines.__doc__ is not None
    assert [column for column in COLUMNS if f"``{column}``" not in machines.__doc__] == []


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Z")), min_size=1, max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(words, words, st.floats(1, 1e5)), min_size=1, max_size=5, unique_by=lambda row: row[0]))
def test_names_and_numbers_are_read_as_a_program_writes_them(write: Write, rows: list[tuple[str, str, float]]) -> None:
    table = StringIO(newline="")
    writer = csv.writer(table)
    writer.writerows([("asset", "name", "rpm"), *((asset, name, f"{rpm:.3f}") for asset, name, rpm in rows)])
    sheet = read_machines(write(table.getvalue()))
    assert sheet.problems == ()
    assert [each.rpm for each in sheet.machines] == [float(f"{rpm:.3f}") for *_, rpm in rows]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(COLUMNS), st.text(max_size=8)), min_size=1, max_size=6), st.binary(max_size=8)
)
def test_any_table_gives_machines_or_asset_errors(write: Write, cells: list[tuple[str, str]], junk: bytes) -> None:
    path = write(",".join(column for column, _ in cells), ",".join(text for _, text in cells))
    path.write_bytes(path.read_bytes() + junk)
    try:
        sheet = read_machines(path)
    except AssetError as error:
        assert error.subject.startswith(str(path))
    else:
        assert all(error.subject.startswith(str(path)) for error in sheet.problems)
