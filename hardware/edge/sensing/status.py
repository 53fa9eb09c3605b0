"""How the sensors of a box are, for its status."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from andon.datasets.store.assets import KeptAsset
from andon.hardware.edge.sensing.sensing import Sensing
from andon.hardware.edge.sensing.source import SourceRun
from andon.models.messages.catalogue import Catalogue
from andon.models.types.moments import as_text
from andon.models.types.vibration import Severity


def sensors_document(sensing: Sensing, text: Catalogue) -> list[dict[str, Any]]:
    """Say how each source is; what is wrong, in the language of ``text``."""
    return [_source(each, text) for each in sensing.sources]


def assets_document(sensing: Sensing) -> list[dict[str, Any]]:
    """Say how each machine is, those first of which nothing is kept. Raises ``ResourceError``."""
    heard = _heard(sensing.sources)
    kept = sensing.assets()
    named = {each.name for each in kept}
    unkept = [KeptAsset(name, None, None, {}, None, None) for name in heard if name and name not in named]
    return [_asset(each, heard.get(each.name)) for each in (*unkept, *kept)]


def _source(run: SourceRun, text: Catalogue) -> dict[str, Any]:
    figures = run.figures
    return {
        "name": run.parts.name,
        "kind": run.parts.kind,
        "blocks": figures.blocks,
        "last_block_time": _text(figures.last),
        "failure": text.error(figures.failure) if figures.failure else None,
    }


def _heard(sources: Sequence[SourceRun]) -> dict[str, datetime]:
    """By the asset, when it was heard last since the start."""
    heard: dict[str, datetime] = {}
    for source in sources:
        for asset, time in list(source.figures.heard.items()):
            heard[asset] = max(time, heard.get(asset, time))
    return heard


def _asset(kept: KeptAsset, heard: datetime | None) -> dict[str, Any]:
    times = [*kept.sensors.values(), *([heard] if heard else [])]
    return {
        "name": kept.name,
        "severity": kept.severity or Severity.NORMAL.value,
        "open_case": kept.alert,
        "last_signal_time": _text(max(times, default=None)),
    }


def _text(time: datetime | None) -> str | None:
    return as_text(time) if time else None


def sensor_metrics(document: Mapping[str, Any]) -> Iterator[Metric]:
    """Give the figures of a status document for Prometheus."""
    blocks = CounterMetricFamily("andon_edge_sensor_blocks", "Blocks and rows that came", labels=["sensor"])
    failing = GaugeMetricFamily("andon_edge_sensor_failing", "1 where something is wrong", labels=["sensor"])
    cases = GaugeMetricFamily("andon_edge_asset_open_case", "1 where an alert is open", labels=["asset"])
    for each in document["sensors"]:
        blocks.add_metric([each["name"]], each["blocks"])
        failing.add_metric([each["name"]], each["failure"] is not None)
    for each in document["assets"]:
        cases.add_metric([each["name"]], each["open_case"] is not None)
    yield from (blocks, failing, cases)
