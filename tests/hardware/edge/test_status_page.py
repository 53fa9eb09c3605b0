"""The page of a box: what is wrong is seen at a glance, and nothing that a name says is taken for HTML."""

import re
from typing import Any

import pytest

from andon.hardware.edge.status_page import page
from andon.models.messages.catalogue import LANGUAGES, catalogue

STATION: dict[str, Any] = {
    "name": "S1",
    "state": "running",
    "fault": "none",
    "error": None,
    "recipe": "housing",
    "bundle": "housing",
    "parts": 3,
    "ok": 2,
    "ng": 1,
    "retake": 0,
    "errors": 0,
    "p50_ms": 28.0,
    "p99_ms": 43.0,
    "last_verdict_time": "2026-03-01T11:00:00.250Z",
}
SENSOR: dict[str, Any] = {
    "name": "gateway",
    "kind": "mqtt",
    "blocks": 12,
    "last_block_time": None,
    "failure": None,
}
ASSET: dict[str, Any] = {"name": "P-101", "severity": "normal", "open_case": None, "last_signal_time": None}


def document(**parts: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {"stations": [], "sensors": [], "assets": [], "outbox": None, "brokers": {}}
    return {"box": "line-1", "cleaning": True, "ledger": {"entries": 3, "head": "ab" * 32}, **nothing, **parts}


def looks(drawn: str) -> list[str]:
    return re.findall(r'<tr class="(\w+)">', drawn)


@pytest.mark.parametrize(
    ("kind", "row", "changes", "look"),
    [
        ("stations", STATION, {}, "well"),
        ("stations", STATION, {"error": "no PLC has asked"}, "doubt"),
        ("stations", STATION, {"state": "stopped", "fault": "camera", "error": "lost"}, "bad"),
        ("sensors", SENSOR, {}, "well"),
        ("sensors", SENSOR, {"failure": "gone"}, "bad"),
        ("assets", ASSET, {}, "well"),
        ("assets", ASSET, {"open_case": "7"}, "doubt"),
        ("assets", ASSET, {"severity": "watch"}, "doubt"),
        ("assets", ASSET, {"severity": "warning", "open_case": "7"}, "bad"),
        ("assets", ASSET, {"severity": "danger", "open_case": "7"}, "bad"),
    ],
)
def test_a_row_looks_as_what_it_tells_of(kind: str, row: dict[str, Any], changes: dict[str, Any], look: str) -> None:
    drawn = page(document(**{kind: [{**row, **changes}]}), catalogue("en"))
    assert looks(drawn) == [look]
    for said in (changes.get("error"), changes.get("failure")):
        assert said is None or f"<td>{said}</td>" in drawn


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_of_it_is_in_one_language(language: str) -> None:
    text = catalogue(language)
    drawn = page(document(stations=[STATION], sensors=[SENSOR], assets=[ASSET]), text)
    for code in ("state.running", "fault.none", "alert.severity_normal", "edge.last_block_time"):
        assert f">{text.text(code)}</" in drawn
    assert text.text("edge.status_title", box="line-1") in drawn
    assert "2026-03-01 11:00:00 UTC" in drawn


def test_names_are_no_html() -> None:
    named = page(document(box="<b>", sensors=[{**SENSOR, "name": "<i>", "failure": "<u>"}]), catalogue("en"))
    assert not {"<b>", "<i>", "<u>"} & set(re.findall(r"<\w+>", named))
