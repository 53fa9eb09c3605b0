"""Whatever stands at a key is used or named: nothing that TOML can write ends the check in another way."""

import re
from pathlib import Path

import pytest

from andon.hardware.edge.config.reading import CAMERAS, PLCS, SENSORS, ConfigError, installed, read_config
from andon.models.messages.catalogue import catalogue

CONFIG = """\
box = "line-1"
reserve_mib = 100
[[cameras]]
name = "top"
kind = "simulated"
seed = 1
frame_s = 0.1
[[plcs]]
name = "press"
kind = "modbus-server"
port = 1502
[[recipes]]
name = "housing"
camera = "top"
bundle = "housing.andon"
exposure_us = 2000.0
number = 1
[[stations]]
name = "S1"
camera = "top"
plc = "press"
recipes = ["housing"]
takt_s = 1.5
[[sensors]]
name = "floor"
kind = "simulated"
assets = ["P-102"]
every_s = 10.0
seed = 1
fault_after_s = 1.0
[sensors.snapshots]
duration_s = 4.0
every_s = 600.0
[[sensors]]
name = "gateway"
kind = "watched-folder"
folder = "records"
still_s = 1.0
rate_hz = 25600.0
[[assets]]
name = "P-101"
bundle = "pumps.andon"
machine = "iso10816-3:2:rigid"
bearing = "6205"
rpm = 1480
[status]
port = 8090
"""
LONG = '"' + "x" * 5000 + '"'
KEYS = [(number, line.split(" = ")[0]) for number, line in enumerate(CONFIG.splitlines()) if " = " in line]


@pytest.mark.parametrize(
    "value", ["-1", "inf", "1e308", str(2**63 - 1), "true", '"\\u0000"', '["\\u0000"]', LONG, "{ a = 1 }", "1979-05-27"]
)
def test_it_is_used_or_named(tmp_path: Path, value: str) -> None:
    kinds = tuple(map(installed, (CAMERAS, PLCS, SENSORS)))
    for bundle in ("housing.andon", "pumps.andon"):
        (tmp_path / bundle).touch()
    text, path = catalogue("en"), tmp_path / "line.toml"
    path.write_text(CONFIG, encoding="utf-8")
    read_config(path, *kinds)
    named = 0
    for number, key in KEYS:
        lines = CONFIG.splitlines()
        lines[number] = f"{key} = {value}"
        path.write_text("\n".join(lines), encoding="utf-8")
        try:
            read_config(path, *kinds)
        except ConfigError as error:
            named += 1
            for fault in error.faults:
                told = text.text(fault.problem.code, **{"subject": "-", **fault.problem.params})
                assert re.search("expected|install", told), told
    assert named > len(KEYS) / 3
