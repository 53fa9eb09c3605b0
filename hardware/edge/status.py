"""How a box is: as a document, as figures for Prometheus, and as a page."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from andon.datasets.store.ledger import head_of
from andon.hardware.edge.agent import Box
from andon.hardware.edge.sensing.status import (
    ASSET_COLUMNS,
    SENSOR_COLUMNS,
    assets_document,
    sensor_metrics,
    sensors_document,
)
from andon.hardware.edge.stations.station import Station
from andon.hardware.edge.upload import Progress
from andon.models.messages.catalogue import Catalogue
from andon.models.types.line import LineFault, VerdictCode
from andon.models.types.moments import as_text

SCHEMA_VERSION = 1
COLUMNS = (
    "name",
    "state",
    "fault",
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
"""Of the page, each with its text."""

Document = Callable[[], dict[str, Any]]


def status_document(box: Box, text: Catalogue) -> dict[str, Any]:
    """Say how a box is; what is wrong, in the language of ``text``."""
    head = head_of(box.store.database, box.store.origin)
    return {
        "schema_version": SCHEMA_VERSION,
        "box": box.name,
        "stations": [_station(each, text) for each in box.agent.stations],
        "sensors": sensors_document(box.sensing, text),
        "assets": assets_document(box.sensing),
        "outbox": _outbox(box.told.upload(), text) if box.told.upload else None,
        "brokers": box.told.failures(),
        "cleaning": box.cleaner.is_alive(),
        "ledger": {"entries": head.seq, "head": head.hash},
    }


def _outbox(upload: Progress, text: Catalogue) -> dict[str, Any]:
    return {
        "waiting": upload.waiting,
        "last_success": as_text(upload.last_success) if upload.last_success else None,
        "last_error": text.error(upload.error) if upload.error else None,
    }


def _station(station: Station, text: Catalogue) -> dict[str, Any]:
    figures, state = station.figures, station.state
    recipe = station.parts.recipes[state.recipe]
    # It starts anew for each part, as long as the camera is armed.
    fault = LineFault.NONE if state.fault is LineFault.STARTING else state.fault
    latencies = list(figures.latencies_ms) or [0.0]
    p50, p99 = np.percentile(latencies, (50, 99)).round(2).tolist()
    return {
        "name": station.parts.name,
        "kind": "vision",
        "state": "running" if fault is LineFault.NONE else "stopped",
        "fault": fault.name.lower(),
        "error": text.error(figures.error) if figures.error else station.parts.serials.failure,
        "recipe": recipe.name,
        **recipe.document(),
        "parts": sum(figures.told.values()),
        "ok": figures.told[VerdictCode.OK],
        "ng": figures.told[VerdictCode.NG] - figures.unclear,
        "retake": figures.unclear,
        "errors": figures.told[VerdictCode.ERROR],
        "last_verdict_time": as_text(figures.last_verdict) if figures.last_verdict else None,
        "p50_ms": p50,
        "p99_ms": p99,
    }


class Figures(Collector):
    """Reads the status anew for each scrape."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def collect(self) -> Iterator[Metric]:
        """Build the figures."""
        parts = CounterMetricFamily("andon_edge_parts", "Parts that the PLC was answered", labels=["station", "told"])
        running = GaugeMetricFamily("andon_edge_station_running", "1 where a station takes parts", labels=["station"])
        latency = GaugeMetricFamily(
            "andon_edge_answer_seconds", "From trigger to answer, of the last parts", labels=["station", "quantile"]
        )
        document = self._document()
        for each in document["stations"]:
            name = each["name"]
            for told in ("ok", "ng", "retake", "errors"):
                parts.add_metric([name, told], each[told])
            running.add_metric([name], each["state"] == "running")
            for quantile, value in (("0.5", each["p50_ms"]), ("0.99", each["p99_ms"])):
                latency.add_metric([name, quantile], value / 1e3)
        yield from (parts, running, latency, *sensor_metrics(document))


def page(document: Mapping[str, Any], text: Catalogue) -> str:
    """Draw the page: no script, no file from elsewhere, anew every two seconds."""
    tables = "".join(_tables(document, text))
    title = escape(text.text("edge.status_title", box=document["box"]))
    lines = "".join(f"<p>{escape(line)}</p>" for line in _lines(document, text))
    return f"""<!doctype html><html lang="{text.language.replace("_", "-")}"><meta charset="utf-8">
<meta http-equiv="refresh" content="2"><title>{title}</title><style>
body{{font-family:sans-serif;margin:2rem}}table{{border-collapse:collapse;margin-bottom:1.5rem}}th,td{{padding:.5rem 1rem;text-align:left;
border-bottom:1px solid #ccc}}.running td:nth-child(2){{background:#cfc}}.stopped td:nth-child(2){{background:#fcc}}</style>
<h1>{title}</h1>{tables}{lines}</html>"""


def _tables(document: Mapping[str, Any], text: Catalogue) -> Iterator[str]:
    """Draw the stations, the sensors and the machines, each where there are any."""
    stations = "".join(_row(_said(each, text), COLUMNS, each["state"]) for each in document["stations"])
    sensors = "".join(
        _row(
            {**each, "sensor": each["name"], "kind_column": each["kind"]},
            SENSOR_COLUMNS,
            "stopped" if each["failure"] else "running",
        )
        for each in document["sensors"]
    )
    assets = "".join(
        _row({**each, "asset": each["name"]}, ASSET_COLUMNS, "stopped" if each["open_case"] else "running")
        for each in document["assets"]
    )
    for columns, rows in ((COLUMNS, stations), (SENSOR_COLUMNS, sensors), (ASSET_COLUMNS, assets)):
        head = "".join(f"<th>{escape(text.text(f'edge.{name}'))}</th>" for name in columns)
        if rows:
            yield f"<table><tr>{head}</tr>{rows}</table>"


def _said(station: Mapping[str, Any], text: Catalogue) -> Mapping[str, Any]:
    state, fault = text.text(f"state.{station['state']}"), text.text(f"fault.{station['fault']}")
    return {**station, "state": state, "fault": fault}


def _row(said: Mapping[str, Any], columns: Sequence[str], look: str) -> str:
    cells = "".join(f"<td>{escape('-' if said[name] is None else str(said[name]))}</td>" for name in columns)
    return f'<tr class="{look}">{cells}</tr>'


def _lines(document: Mapping[str, Any], text: Catalogue) -> Iterator[str]:
    well = text.text("edge.status_well")
    for station in document["stations"]:
        if station["error"]:
            yield f"{station['name']}: {station['error']}"
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
