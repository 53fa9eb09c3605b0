"""The pictures that monitoring leaves: of each alert its spectrum and envelope, of each sensor its trend."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import nan
from pathlib import Path
from typing import Any

from andon.datasets.vibration.pictures import draw, write_picture
from andon.models.alerts.case import Alert, Part
from andon.models.health.watching import Phase
from andon.models.messages.catalogue import Catalogue
from andon.models.types.identifiers import safe_name
from andon.models.types.vibration import Diagnosis, Machine, Signal


@dataclass(slots=True)
class _Trend:
    asset: str
    times: list[datetime] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    thresholds: list[float] = field(default_factory=list)
    states: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Album:
    """Collects what is drawn later: the latest diagnosis of each sensor, and one point of its trend for each window."""

    folder: Path
    catalogue: Catalogue
    diagnosed: dict[tuple[str, str], tuple[Signal, Machine, Diagnosis]] = field(default_factory=dict)
    trends: dict[str, _Trend] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)

    def keep(self, signal: Signal, machine: Machine, diagnosis: Diagnosis) -> None:
        """Remember a diagnosis until the next of the same sensor."""
        self.diagnosed[signal.asset, signal.sensor] = signal, machine, diagnosis

    def note(self, name: str, document: Mapping[str, Any]) -> None:
        """Note a ``window`` object for the trend of ``name``."""
        trend = self.trends.setdefault(name, _Trend(document["asset"]))
        trend.times.append(datetime.fromisoformat(document["time"]))
        trend.scores.append(_number(document["score"]))
        trend.thresholds.append(_number(document["threshold"]))
        trend.states.append("running" if document["judged"] else Phase.LEARNING)

    def draw_alert(self, alert: Alert) -> Path | None:
        """Draw what an alert rests on; None where it is about nothing that has a spectrum."""
        self.alerts.append(alert)
        found = self.diagnosed.get((alert.case.asset, alert.case.lead.sensor))
        if found is None or alert.case.part is Part.SENSOR:
            return None
        stem = self.folder / f"{safe_name(alert.case.asset)}-{alert.time:%Y%m%dT%H%M%S}"
        return draw(*found, stem, self.catalogue)[-1]

    def draw_trends(self) -> list[Path]:
        """Draw the trend of everything that was watched."""
        from andon.models.plots.trend import TrendEvent, trend_plot

        paths = []
        for name, trend in self.trends.items():
            events = [TrendEvent(alert.time, alert.event) for alert in self.alerts if alert.case.asset == trend.asset]
            picture = trend_plot(
                trend.times, trend.scores, trend.thresholds, trend.states, events, name, self.catalogue
            )
            paths.append(self.folder / f"{safe_name(name)}-trend.png")
            write_picture(paths[-1], picture)
        return paths


def _number(value: float | None) -> float:
    return nan if value is None else value
