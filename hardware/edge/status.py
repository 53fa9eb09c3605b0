"""How a box is: as a document, and as figures for Prometheus."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from andon.datasets.store.ledger import head_of
from andon.hardware.edge.agent import Box
from andon.hardware.edge.sensing.status import assets_document, sensor_metrics, sensors_document
from andon.hardware.edge.stations.station import Station
from andon.hardware.edge.upload import Progress
from andon.models.messages.catalogue import Catalogue
from andon.models.types.line import LineFault, VerdictCode
from andon.models.types.moments import as_text

SCHEMA_VERSION = 1

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
        "error": _error(station, text),
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


def _error(station: Station, text: Catalogue) -> str | None:
    name, error, failure = station.parts.name, station.figures.error, station.parts.serials.failure
    if error:
        return text.error(error)
    return text.text("hermes.lost", subject=name, reason=failure) if failure else None


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
