"""The documents and the PLC's sample say what the register map and the codes say."""

import re
from pathlib import Path

import pytest

from andon.hardware.plc.registers import ENTRIES, MAP_VERSION, Entry, EntryType, Side
from andon.hardware.sim.simulated_plc import PlcPhase
from andon.models.types.line import LineFault, VerdictCode

ROOT = Path(__file__).parents[3]
BOTH = ("docs/plc.md", "docs/plc.zh-CN.md")


def rows(path: str, columns: int) -> list[list[str]]:
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    tables = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [row for row in tables if len(row) == columns]


def written(entry: Entry) -> list[str]:
    last = entry.address + entry.size - 1
    address = str(entry.address) if entry.size == 1 else f"{entry.address}-{last}"
    table = "coil" if entry.type is EntryType.COIL else "register"
    return [table, address, entry.side, f"`{entry.name}`", entry.type]


@pytest.mark.parametrize("path", BOTH)
def test_the_documented_map_is_the_map(path: str) -> None:
    documented = rows(path, 6)[2:]
    assert [row[:5] for row in documented] == [written(entry) for entry in ENTRIES]
    assert all(row[5] for row in documented)
    if path == "docs/plc.md":
        assert [row[5] for row in documented] == [entry.meaning for entry in ENTRIES]


@pytest.mark.parametrize("path", BOTH)
def test_the_documented_codes_are_the_codes(path: str) -> None:
    def codes(columns: int) -> list[tuple[int, str]]:
        return [(int(row[0]), re.split(r"[:： ]", row[1])[0]) for row in rows(path, columns) if row[0].isdecimal()]

    assert codes(3) == [(code.value, code.name) for code in VerdictCode]
    assert codes(2) == [(fault.value, fault.name) for fault in LineFault]


def test_the_sample_block_has_the_map_and_the_phases() -> None:
    text = (ROOT / "deploy/plc/andon_station.st").read_text(encoding="utf-8")
    names = {each.lower() for each in re.findall(r"\b(?:b|ui|s|r)([A-Z]\w+)\s*:", text)}
    assert {entry.name.replace("_", "") for entry in ENTRIES} <= names
    assert f"MAP_VERSION : UINT := {MAP_VERSION};" in text
    assert f"VERDICT_OK  : UINT := {VerdictCode.OK.value};" in text
    assert f"({', '.join(phase.name for phase in PlcPhase)})" in text
    assert {side.value for side in Side} == {"PLC", "station"}
