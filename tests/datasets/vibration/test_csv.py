"""Tables of text as loggers write them."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.datasets.vibration.conftest import GIVEN, noise, refused

from andon.datasets.vibration.hints import RecordHints
from andon.datasets.vibration.records import read_blocks, read_record
from andon.models.types.vibration import Signal

pytest.importorskip("pyarrow", reason="the extra records is not installed")


def read(folder: Path, contents: str | bytes, hints: RecordHints = GIVEN) -> Signal:
    path = folder / "a.csv"
    path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    return read_record(path, hints)


@given(
    values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=200),
    delimiter=st.sampled_from(",;\t"),
    has_decimal_comma=st.booleans(),
    has_header=st.booleans(),
    columns=st.integers(1, 3),
    end=st.sampled_from(["\n", "\r\n"]),
    last_end=st.booleans(),
    start=st.sampled_from(["", "\ufeff", "\ufeff# recorder 3\n", "# recorder 3, 机床\n", "\n\n"]),
)
@settings(max_examples=150, deadline=None)
def test_any_dialect_gives_the_same_samples(
    values: list[float],
    delimiter: str,
    has_decimal_comma: bool,
    has_header: bool,
    columns: int,
    end: str,
    last_end: bool,
    start: str,
) -> None:
    decimal = "," if has_decimal_comma and delimiter != "," and columns > 1 else "."
    cells = [f"{value:.17e}".replace(".", decimal) for value in values]
    rows = [delimiter.join([cell] * columns) for cell in cells]
    header = [delimiter.join(f"c{at}" for at in range(1, columns + 1))] if has_header else []
    text = start + end.join(header + rows) + end * last_end
    column = None if columns == 1 else f"c{columns}" if has_header else str(columns)
    with TemporaryDirectory() as folder:
        signal = read(Path(folder), text, RecordHints(column=column, rate_hz=1, unit="g"))
    np.testing.assert_array_equal(signal.samples, values)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_chinese_header_is_read(tmp_path: Path, encoding: str) -> None:
    contents = "时间(ms);驱动端;非驱动端\n0;1,5;2\n1;2,5;3\n2;3,5;4\n".encode(encoding)
    with refused("record.several_columns") as refusal:
        read(tmp_path, contents)
    assert refusal.params["found"] == "驱动端, 非驱动端"
    signal = read(tmp_path, contents, RecordHints(column="驱动端", unit="g"))
    assert (signal.samples.tolist(), signal.rate_hz) == ([1.5, 2.5, 3.5], 1000.0)


def test_a_column_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with refused("record.unknown_column") as refusal:
        read(tmp_path, "t,x,y\n0,1,2\n1,2,3\n", RecordHints(column="z"))
    assert (refusal.params["found"], refusal.params["known"]) == ("z", "x, y")


def test_columns_of_one_name_and_without_a_name_are_told_apart(tmp_path: Path) -> None:
    with refused("record.several_columns") as refusal:
        read(tmp_path, "x,x,\n1,2,3\n4,5,6\n")
    assert refusal.params["found"] == "x, x:2, 3"
    assert read(tmp_path, "x,x,\n1,2,3\n4,5,6\n", RecordHints("x:2", 1, None, "g")).samples.tolist() == [2, 5]


def test_text_beside_the_numbers_is_no_channel(tmp_path: Path) -> None:
    assert read(tmp_path, "note;x\nok;1,5\nok;2,5\n").samples.tolist() == [1.5, 2.5]
    assert read(tmp_path, 'ok,"1.5"\nok,"2.5"\n').samples.tolist() == [1.5, 2.5]
    with refused("record.no_channel"):
        read(tmp_path, "a,b\nc,d\ne,f\n")


@pytest.mark.parametrize("cell", ["abc", "1.2.3", "1,5", "0x10", "--1", "1 000", "NA"])
def test_a_cell_that_is_no_number_is_named_with_its_line(tmp_path: Path, cell: str) -> None:
    rows = "\n".join(["1.5;2.5"] * 60)
    text = f"# first\nx;y\n\n{rows}\n# between\n1.5;{cell}\n1;2\n"
    hints = RecordHints(column="y", rate_hz=1, unit="g")
    with refused("record.cell") as refusal:
        read(tmp_path, text, hints)
    assert (refusal.params["line"], refusal.params["found"]) == (65, cell)
    np.testing.assert_array_equal(read(tmp_path, text, RecordHints("x", 1, None, "g")).samples[:2], [1.5, 1.5])


def test_lines_are_counted_over_all_that_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("andon.datasets.vibration.csv_files.CHUNK_BYTES", 64)
    rows = [f"{at}.5" if at % 7 else f"# {at}" for at in range(300)]
    rows[222] = "oops"
    with refused("record.cell") as refusal:
        read(tmp_path, "\n".join(rows))
    assert (refusal.params["line"], refusal.params["found"]) == (223, "oops")


def test_a_damaged_cell_at_the_start_does_not_hide_the_column(tmp_path: Path) -> None:
    with refused("record.cell") as refusal:
        read(tmp_path, "x\nbad\n1\n2\n3\n")
    assert refusal.params["line"] == 2


@pytest.mark.parametrize(("row", "found"), [("1", 1), ("1;2;3", 3)])
def test_a_row_of_another_length_is_named_with_its_line(tmp_path: Path, row: str, found: int) -> None:
    with refused("record.row") as refusal:
        read(tmp_path, f"x;y\n1;2\n1;2\n{row}\n1;2\n", RecordHints("x", 1, None, "g"))
    assert (refusal.params["line"], refusal.params["found"], refusal.params["expected"]) == (4, found, 2)


def test_missing_values_and_those_that_are_no_numbers_are_kept(tmp_path: Path) -> None:
    signal = read(tmp_path, "t;x\n0;1\n1;\n2;nan\n3;-inf\n4;+2.5e+1\n5; 3 \n", RecordHints(unit="g"))
    np.testing.assert_array_equal(signal.samples, [1, np.nan, np.nan, -np.inf, 25, 3])


@pytest.mark.parametrize("contents", [b"\xff\xfe1\x00\n\x002\x00", b"1.5\n\x00\x002\n", b"\x81\n1\n", b"1" * 70_000])
def test_bytes_that_are_no_table_are_refused(tmp_path: Path, contents: bytes) -> None:
    with refused("record.not_text"):
        read(tmp_path, contents)


@pytest.mark.parametrize("contents", ["\n\n", "# only this\n", "x;y\n", "\ufeff"])
def test_a_table_without_a_row_of_data_is_empty(tmp_path: Path, contents: str) -> None:
    with refused("record.empty"):
        read(tmp_path, contents)


def test_one_row_is_a_record(tmp_path: Path) -> None:
    assert read(tmp_path, "1.5").samples.tolist() == [1.5]


@pytest.mark.parametrize(
    ("first", "second", "start"),
    [
        ("2024-03-01 12:00:00.000", "2024-03-01 12:00:00.010", datetime(2024, 3, 1, 12, tzinfo=UTC)),
        ("2024-03-01T12:00:00Z", "2024-03-01T12:00:00.01Z", datetime(2024, 3, 1, 12, tzinfo=UTC)),
        ("2024-03-01T12:00:00+08:00", "2024-03-01T12:00:00.010+08:00", datetime(2024, 3, 1, 4, tzinfo=UTC)),
    ],
)
def test_times_give_rate_and_start(tmp_path: Path, first: str, second: str, start: datetime) -> None:
    for header in ("when,x\n", ""):
        signal = read(tmp_path, f"{header}{first},1\n{second},2\n", RecordHints(unit="g"))
        assert (signal.rate_hz, signal.time, signal.samples.tolist()) == (100.0, start, [1, 2])


def test_a_time_that_is_none_is_named_with_its_line(tmp_path: Path) -> None:
    rows = "".join(f"2024-03-01 12:00:{second:02},1\n" for second in range(10))
    with refused("record.cell") as refusal:
        read(tmp_path, f"when,x\n{rows}2024-13-01 12:00:10,1\n", RecordHints(unit="g"))
    assert (refusal.params["line"], refusal.params["found"]) == (12, "2024-13-01 12:00:10")


def test_a_table_is_read_alike_however_it_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = noise(500)
    text = "t;x\n" + "".join(f"{at / 250}; {value!r}\n" for at, value in enumerate(samples.tolist()))
    whole = read(tmp_path, text, RecordHints(unit="g"))
    monkeypatch.setattr("andon.datasets.vibration.csv_files.CHUNK_BYTES", 100)
    blocks = list(read_blocks(tmp_path / "a.csv", RecordHints(unit="g"), 0.5))
    np.testing.assert_array_equal(np.concatenate([block.samples for block in blocks]), whole.samples)
    np.testing.assert_array_equal(whole.samples, samples)
    assert {block.rate_hz for block in blocks} == {whole.rate_hz} == {250.0}
