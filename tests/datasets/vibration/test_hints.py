"""The caller wins over the sidecar, the sidecar over the file; and what is wrong or missing is said with a way out."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from tests.datasets.vibration.conftest import noise, refused, write_mat, write_npy

from andon.datasets.vibration.hints import SPELLINGS, RecordHints, first_said
from andon.datasets.vibration.records import read_record
from andon.datasets.vibration.sidecars import read_sidecar, sidecar_path
from andon.models.messages.catalogue import catalogue
from andon.models.types.errors import RecordError
from andon.models.types.vibration import BearingOrders, Unit

ORDERS = BearingOrders(3.245, 4.755, 2.555, 0.406)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A file that says rate 1024, speed 1500 and unit g."""
    write_mat(tmp_path / "run 1.mat", noise(300))
    return tmp_path / "run 1.mat"


def beside(record: Path, **said: object) -> Path:
    path = record.with_suffix(".json")
    path.write_text(json.dumps(said))
    return path


def test_the_file_is_heard_where_nobody_else_speaks(record: Path) -> None:
    signal = read_record(record)
    assert (signal.rate_hz, signal.rpm, signal.unit, signal.orders, signal.time) == (1024, 1500, Unit.G, None, None)
    assert (signal.asset, signal.sensor) == ("", "")


def test_the_sidecar_wins_over_the_file_key_by_key(record: Path) -> None:
    beside(record, rate_hz=2000, unit="mm/s", orders=[3.245, 4.755, 2.555, 0.406], note="ignored", label="none")
    signal = read_record(record)
    assert (signal.rate_hz, signal.rpm, signal.unit, signal.orders) == (2000, 1500, Unit.MM_S, ORDERS)


def test_the_caller_wins_over_the_sidecar_key_by_key(record: Path) -> None:
    beside(record, rate_hz=2000, rpm=1200, unit="mm/s", asset="pump", sensor="s1", time="2024-03-01T12:00:00+08:00")
    signal = read_record(record, RecordHints(rpm=0.0, unit=Unit.UM, sensor=""))
    assert (signal.rate_hz, signal.rpm, signal.unit) == (2000, 0, Unit.UM)
    assert (signal.asset, signal.sensor, signal.time) == ("pump", "", datetime(2024, 3, 1, 4, tzinfo=UTC))


def test_the_sidecar_may_choose_the_column(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra records is not installed")
    path = tmp_path / "a.csv"
    path.write_text("x,y\n1,2\n3,4\n")
    beside(path, column="y", rate_hz=10, unit="g")
    assert read_record(path).samples.tolist() == [2, 4]
    assert read_record(path, RecordHints(column="x")).samples.tolist() == [1, 3]


def test_the_longer_name_of_a_sidecar_wins(record: Path) -> None:
    short = beside(record, rpm=1)
    assert sidecar_path(record) == short
    record.with_name("run 1.mat.json").write_text('{"rpm": 2}')
    assert read_record(record).rpm == 2


def test_orders_may_be_an_object(record: Path) -> None:
    beside(record, orders={"bpfo": 3.245, "bpfi": 4.755, "bsf": 2.555, "ftf": 0.406})
    assert read_record(record).orders == ORDERS


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rate_hz", "fast"),
        ("rpm", [1500]),
        ("unit", 1),
        ("orders", [1, 2, 3]),
        ("orders", {"bpfo": 1}),
        ("column", 2),
        ("time", "yesterday"),
        ("label", 5),
        ("scale", "big"),
    ],
)
def test_a_sidecar_value_of_another_type_is_named_with_its_key(record: Path, key: str, value: object) -> None:
    path = beside(record, **{key: value})
    with refused("record.sidecar") as refusal:
        read_record(record, RecordHints(rate_hz=1, unit="g"))
    assert refusal.params["subject"] == str(path)
    assert key in str(refusal.params["reason"])


@pytest.mark.parametrize("contents", [b"", b"[1]", b"{", b'{"unit": "\xff"}'])
def test_a_sidecar_that_is_no_object_is_refused(record: Path, contents: bytes) -> None:
    record.with_suffix(".json").write_bytes(contents)
    with refused("record.sidecar"):
        read_sidecar(record)


@pytest.mark.parametrize(("text", "unit"), [*SPELLINGS.items(), (" g ", Unit.G), (Unit.M_S2, Unit.M_S2)])
def test_units_are_read_in_all_spellings(record: Path, text: str, unit: Unit) -> None:
    assert read_record(record, RecordHints(unit=text)).unit is unit


@pytest.mark.parametrize("text", ["mg", "MM/S", "inch", "V"])
def test_another_unit_is_refused_with_those_that_are_known(record: Path, text: str) -> None:
    with refused("record.bad_unit") as refusal:
        read_record(record, RecordHints(unit=text))
    assert (refusal.params["found"], refusal.params["known"]) == (text, "g, m/s2, mm/s, um")


def test_a_missing_unit_or_rate_says_how_to_give_it(tmp_path: Path) -> None:
    write_npy(tmp_path / "a.npy", noise(10))
    for hints, code, option in (
        (RecordHints(rate_hz=1), "record.no_unit", "--unit"),
        (RecordHints(unit="g"), "record.no_rate", "--rate"),
    ):
        with pytest.raises(RecordError) as caught:
            read_record(tmp_path / "a.npy", hints)
        assert caught.value.code == code
        assert all(option in catalogue(language).text(code, **caught.value.params) for language in ("en", "zh_CN"))


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_makes_no_sense_is_refused(record: Path, rate: float) -> None:
    with refused("record.bad_rate"):
        read_record(record, RecordHints(rate_hz=rate))


def test_a_speed_or_orders_that_make_no_sense_are_refused(record: Path) -> None:
    for rpm in (-1.0, float("nan"), float("inf")):
        with refused("record.bad_rpm"):
            read_record(record, RecordHints(rpm=rpm))
    for bad in (0.0, -1.0, float("nan")):
        with refused("record.bad_orders"):
            read_record(record, RecordHints(orders=BearingOrders(3.2, 4.8, bad, 0.4)))


def test_the_first_to_speak_is_heard() -> None:
    assert first_said(RecordHints(rpm=0.0), RecordHints(rpm=5.0, unit="g")) == RecordHints(rpm=0.0, unit="g")
    assert first_said() == RecordHints()


def test_a_scale_turns_counts_into_the_unit(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([0, 100, -200], np.int16))
    beside(tmp_path / "a.npy", scale=0.01, unit="g", rate_hz=10)
    assert read_record(tmp_path / "a.npy").samples.tolist() == [0, 1, -2]
