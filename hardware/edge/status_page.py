"""How a box is, as a page for people: no script, no file from elsewhere, anew every two seconds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from andon.models.messages.catalogue import Catalogue
from andon.models.types.vibration import Severity

STATIONS = (
    "name",
    "state",
    "fault",
    "failure",
    "recipe",
    "bundle",
    "parts",
    "ok",
    "ng",
    "retake",
    "errors",
    "p50_ms",
    "p99_ms",
    "last_verdict_time",
)
SENSORS = ("sensor", "kind_column", "blocks", "last_block_time", "failure")
ASSETS = ("asset", "severity", "open_case", "last_signal_time")
"""Columns of the three tables, each with its text."""

WELL, DOUBT, BAD = "well", "doubt", "bad"
"""How a row looks: to be left alone, to be looked at, to be acted on."""

_STYLE = """
body{font-family:sans-serif;margin:1.5rem;color:#222}
div{overflow-x:auto;margin-bottom:1.5rem}
table{border-collapse:collapse}
th,td{padding:.4rem .7rem;text-align:left;border-bottom:1px solid #ccc;word-break:keep-all}
th{font-size:.85rem;color:#555}
td.time{white-space:nowrap}
td:first-child{border-left:.5rem solid;font-weight:bold;white-space:nowrap}
.well td:first-child{border-left-color:#2a2}
.doubt td:first-child{border-left-color:#e90}
.bad td:first-child{border-left-color:#c22}
.doubt td{background:#fff6e0}
.bad td{background:#fde8e8}
p{overflow-wrap:anywhere}
"""


@dataclass(frozen=True, slots=True)
class _Row:
    look: str
    said: Mapping[str, Any]


def page(document: Mapping[str, Any], text: Catalogue) -> str:
    """Draw what ``status_document`` says."""
    rows = (
        (STATIONS, [_station(each, text) for each in document["stations"]]),
        (SENSORS, [_sensor(each) for each in document["sensors"]]),
        (ASSETS, [_asset(each, text) for each in document["assets"]]),
    )
    tables = "".join(_table(columns, of, text) for columns, of in rows if of)
    title = escape(text.text("edge.status_title", box=document["box"]))
    lines = "".join(f"<p>{escape(line)}</p>" for line in _lines(document, text))
    return (
        f'<!doctype html><html lang="{text.language.replace("_", "-")}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="2">'
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1>{tables}{lines}</html>"
    )


def _station(station: Mapping[str, Any], text: Catalogue) -> _Row:
    look = BAD if station["state"] != "running" else DOUBT if station["error"] else WELL
    words = {"state": text.text(f"state.{station['state']}"), "fault": text.text(f"fault.{station['fault']}")}
    return _Row(look, {**station, **words, "failure": station["error"]})


def _sensor(sensor: Mapping[str, Any]) -> _Row:
    look = BAD if sensor["failure"] else WELL
    return _Row(look, {**sensor, "sensor": sensor["name"], "kind_column": sensor["kind"]})


def _asset(asset: Mapping[str, Any], text: Catalogue) -> _Row:
    severity = asset["severity"]
    is_bad = severity in (Severity.WARNING.value, Severity.DANGER.value)
    is_well = severity == Severity.NORMAL.value and not asset["open_case"]
    words = {"asset": asset["name"], "severity": text.text(f"alert.severity_{severity}")}
    return _Row(BAD if is_bad else WELL if is_well else DOUBT, {**asset, **words})


def _table(columns: Sequence[str], rows: Sequence[_Row], text: Catalogue) -> str:
    head = "".join(f"<th>{escape(text.text(f'edge.{name}'))}</th>" for name in columns)
    body = "".join(f'<tr class="{row.look}">{"".join(_cells(columns, row.said))}</tr>' for row in rows)
    return f"<div><table><tr>{head}</tr>{body}</table></div>"


def _cells(columns: Sequence[str], said: Mapping[str, Any]) -> Iterator[str]:
    for name in columns:
        value = "-" if said[name] is None else str(said[name])
        yield f'<td class="time">{_moment(value)}</td>' if name.endswith("_time") else f"<td>{escape(value)}</td>"


def _moment(time: str) -> str:
    """Write a time without its fraction, which nobody reads here."""
    return escape(time.replace("T", " ").partition(".")[0] + (" UTC" if "T" in time else ""))


def _lines(document: Mapping[str, Any], text: Catalogue) -> Iterator[str]:
    well = text.text("edge.status_well")
    for station in document["stations"]:
        if update := station.get("update"):
            about = {"phase": text.text(f"phase.{update['phase']}"), "digest": (update["digest"] or "-")[:12]}
            yield text.text("edge.status_update", name=station["name"], parts=update["parts"], **about)
    if upload := document["outbox"]:
        error, last = upload["last_error"] or well, upload["last_success"] or "-"
        yield text.text("edge.status_upload", waiting=upload["waiting"], last=last, error=error)
    if not document["cleaning"]:
        yield text.text("edge.status_cleaning")
    for name, error in document["brokers"].items():
        yield text.text("edge.status_broker", name=name, error=error or well)
    yield text.text("edge.status_ledger", entries=document["ledger"]["entries"], head=document["ledger"]["head"])
