"""What is wrong with sensors and assets in a configuration is named with its line."""

import inspect
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.hardware.edge.sensing.boxes import BOX

from andon.hardware.acquisition.registers import Kind, Register
from andon.hardware.edge.config.reading import CAMERAS, PLCS, SENSORS, ConfigError, installed, read_config
from andon.models.types.vibration import Machine

pytest.importorskip("pymodbus", reason="the extra edge is not installed")

GOOD = """\
[[sensors]]
name = "gateway"
kind = "watched-folder"
folder = "records"
[sensors.snapshots]
duration_s = 4
every_s = 600

[[sensors]]
name = "plc"
kind = "modbus"
host = "10.0.0.1"
asset = "P-101"
every_s = 1
[[sensors.registers]]
name = "speed_rpm"
address = 0
[[sensors.registers]]
name = "velocity_rms_mm_s"
address = 1
scale = 0.01
kind = "uint16"

[[assets]]
name = "P-101"
machine = "iso10816-3:2:rigid"
bearing = "6205"
rpm = 1480
"""


def read(folder: Path, text: str) -> Any:
    path = folder / "line.toml"
    path.write_text(text, encoding="utf-8")
    return read_config(path, installed(CAMERAS), installed(PLCS), installed(SENSORS))


def faults(folder: Path, text: str) -> list[tuple[int, str, Mapping[str, Any]]]:
    with pytest.raises(ConfigError) as raised:
        read(folder, text)
    return [(each.line, each.problem.code, each.problem.params) for each in raised.value.faults]


def test_what_fits_is_put_together(tmp_path: Path) -> None:
    config = read(tmp_path, BOX + GOOD)
    assert config.stations == []
    gateway, plc = config.sensors["gateway"], config.sensors["plc"]
    assert (gateway.kind, gateway.plan.folder, gateway.snapshots.duration_s) == ("watched-folder", Path("records"), 4)
    speed, velocity = plc.plan.registers
    assert (speed.name, velocity) == (
        "speed_rpm",
        Register(name="velocity_rms_mm_s", address=1, scale=0.01, kind=Kind.UINT16),
    )
    machine = config.assets["P-101"].completed(Machine("P-101", name="feed pump", rpm=1500))
    assert (machine.name, machine.rpm, machine.bearings[0].designation) == ("feed pump", 1480, "6205-2RS")


@pytest.mark.parametrize(
    ("former", "latter", "line", "code", "said"),
    [
        ('folder = "records"', 'folder = "records"\nstill_ms = 1', 7, "edge.unit", "still_s"),
        ('folder = "records"', "folder = 3", 6, "edge.value", "3"),
        ('folder = "records"\n', "", 3, "edge.missing", "folder"),
        ('folder = "records"', 'folder = "records"\nevery_s = 0', 3, "acquisition.not_positive", "every_s"),
        ('folder = "records"', 'folder = "records"\nunit = "mG"', 3, "record.bad_unit", "mG"),
        ('kind = "watched-folder"', 'kind = "carrier-pigeon"', 5, "edge.kind", "carrier-pigeon"),
        ("duration_s = 4", "duration_ms = 4000", 8, "edge.unit", "duration_s"),
        ("duration_s = 4", "duration_s = 40", 8, "edge.value", "40"),
        ('asset = "P-101"\nevery_s = 1', 'asset = "P-101"\nevery_s = 1e12', 16, "edge.value", "<= 1000000000"),
        ("every_s = 600", "every_s = 1", 7, "edge.snapshots", "4"),
        ("address = 0", "adress = 0", 19, "edge.unknown", "address"),
        ("address = 0", "address = 70000", 17, "acquisition.address", "70000"),
        ('kind = "uint16"', 'kind = "uint7"', 24, "edge.value", "uint7"),
        (
            GOOD[GOOD.index("[[sensors.registers]]") : GOOD.index("\n[[assets]]")],
            "registers = 3\n",
            17,
            "edge.value",
            "3",
        ),
        ("scale = 0.01", 'scale = "percent"', 23, "edge.value", "percent"),
        ('asset = "P-101"\n', 'asset = "P-101"\nsnapshots = 3\n', 16, "edge.value", "3"),
        ('machine = "iso10816-3:2:rigid"', 'machine = "big"', 26, "zone.machine_class", "big"),
        ('bearing = "6205"', 'bearing = "6205"\norders = "3.5,5.4,2.3,0.4"', 26, "edge.one_bearing", "P-101"),
        ('bearing = "6205"', 'bundle = "none.andon"', 29, "edge.no_bundle", "none.andon"),
        ('name = "P-101"', 'name = "P/101"', 27, "edge.value", "P/101"),
        ('name = "plc"', 'name = "gateway"', 12, "edge.twice", "gateway"),
        ('name = "gateway"', 'name = "../gateway"', 4, "edge.value", "../gateway"),
    ],
)
def test_each_mistake_is_named_with_its_line(
    tmp_path: Path, former: str, latter: str, line: int, code: str, said: str
) -> None:
    assert former in GOOD
    found = faults(tmp_path, BOX + GOOD.replace(former, latter, 1))
    assert [(each[0], each[1]) for each in found[:1]] == [(line, code)], found
    assert said in str(found[0][2])


def test_values_have_no_snapshots(tmp_path: Path) -> None:
    text = GOOD.replace("[[sensors.registers]]", "[sensors.snapshots]\nduration_s = 1\n[[sensors.registers]]", 1)
    assert [each[1] for each in faults(tmp_path, BOX + text)] == ["edge.no_snapshots"]


def test_a_journal_is_not_kept_in_the_folder_that_is_watched(tmp_path: Path) -> None:
    text = GOOD.replace('folder = "records"', 'folder = "/"')
    assert [each[1] for each in faults(tmp_path, BOX + text)] == ["acquisition.journal_inside"]


def test_a_box_with_nothing_to_do_is_refused(tmp_path: Path) -> None:
    found = faults(tmp_path, BOX)
    assert [each[2]["found"] for each in found] == ["[[cameras]]", "[[plcs]]", "[[recipes]]", "[[stations]]"]


def test_a_box_with_sensors_and_part_of_a_station_is_refused(tmp_path: Path) -> None:
    camera = '[[cameras]]\nname = "top"\nkind = "simulated"\n'
    found = faults(tmp_path, BOX + GOOD + camera)
    assert [each[2]["found"] for each in found] == ["[[plcs]]", "[[recipes]]", "[[stations]]"]


@pytest.mark.parametrize("page", ["edge.md", "edge.zh-CN.md"])
def test_every_kind_and_each_of_its_keys_is_documented(page: str) -> None:
    text = (Path(__file__).parents[4] / "docs" / page).read_text(encoding="utf-8")
    lines = {line.split("`")[1]: line for line in text.splitlines() if line.startswith("| `")}
    shared = {"host", "port", "device_id", "url", "user", "password_file", "timeout_s"}
    for kind, load in installed(SENSORS).items():
        for key in inspect.signature(load()).parameters:
            assert key in shared or key in re.findall(r"[a-z_]+", lines[kind]), (kind, key)


def test_samples_cannot_be_kept_without_arrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "andon.datasets.vibration.parquet_files", raising=False)
    assert [each[:2] for each in faults(tmp_path, BOX + GOOD)] == [(3, "edge.not_installed")]
