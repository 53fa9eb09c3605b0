"""The pictures that monitoring leaves: of each alert what it rests on, of each sensor its trend and its spectra over time.

Imported where pictures are asked for, and then before anything else: matplotlib may not be installed.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import nan
from pathlib import Path
from typing import Any

import numpy as np

from andon.datasets.vibration.pictures import draw
from andon.models.alerts.case import Alert, Part
from andon.models.files.outputs import write_output
from andon.models.health.watching import Phase
from andon.models.messages.catalogue import Catalogue
from andon.models.monitoring.watch import watched_name
from andon.models.plots.trend import TrendEvent, trend_plot
from andon.models.plots.waterfall import waterfall_plot
from andon.models.stream.windows import Snapshots
from andon.models.types.identifiers import safe_name
from andon.models.types.vibration import Diagnosis, Machine, Signal
from andon.models.vibration.integration import Values, power_lines
from andon.models.vibration.units import to_working_unit

SPECTRA = 1000
"""Spectra of a sensor that are kept, the latest: a picture has no more columns."""

FREQUENCIES, TOP_HZ = 401, 1000.0
"""Steps of 2.5 Hz up to where velocity is judged."""


@dataclass(slots=True)
class _Trend:
    asset: str
    times: list[datetime] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    thresholds: list[float] = field(default_factory=list)
    states: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Waterfall:
    """The latest spectra of one sensor, on one scale of frequencies: ``spectra`` are ``[FREQUENCIES]`` each."""

    frequencies_hz: Values
    times: deque[datetime] = field(default_factory=lambda: deque(maxlen=SPECTRA))
    spectra: deque[Values] = field(default_factory=lambda: deque(maxlen=SPECTRA))


@dataclass(slots=True)
class Album:
    """Collects what is drawn later: the latest diagnosis of each sensor, and of each window a point of its trend and its spectrum."""

    folder: Path
    catalogue: Catalogue
    diagnosed: dict[tuple[str, str], tuple[Signal, Machine, Diagnosis]] = field(default_factory=dict)
    trends: dict[str, _Trend] = field(default_factory=dict)
    waterfalls: dict[str, _Waterfall] = field(default_factory=dict)
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

    def see(self, snapshots: Snapshots) -> None:
        """Note the amplitude spectrum of each snapshot for the waterfall of its sensor."""
        lines = power_lines(to_working_unit(snapshots.samples, snapshots.unit), snapshots.rate_hz)
        amplitudes = np.sqrt(2 * lines.powers)
        for head, spectrum in zip(snapshots.heads, amplitudes, strict=True):
            name = watched_name(head.asset, head.sensor)
            scale = np.linspace(0, min(TOP_HZ, snapshots.rate_hz / 2), FREQUENCIES)
            waterfall = self.waterfalls.setdefault(name, _Waterfall(scale))
            waterfall.times.append(head.time)
            waterfall.spectra.append(_highest(lines.frequencies_hz, spectrum, waterfall.frequencies_hz))

    def draw_alert(self, alert: Alert) -> Path | None:
        """Draw what an alert rests on; None where it is about nothing that has a spectrum."""
        self.alerts.append(alert)
        found = self.diagnosed.get((alert.case.asset, alert.case.lead.sensor))
        if found is None or alert.case.part is Part.SENSOR:
            return None
        stem = self.folder / f"{safe_name(alert.case.asset)}-{alert.time:%Y%m%dT%H%M%S}"
        return next(path for path in draw(*found, stem, self.catalogue) if path.stem.endswith("-envelope"))

    def draw_trends(self) -> list[Path]:
        """Draw the trend of everything that was watched, and the waterfall of every sensor."""
        paths = []
        for name, trend in self.trends.items():
            events = [TrendEvent(alert.time, alert.event) for alert in self.alerts if alert.case.asset == trend.asset]
            picture = trend_plot(
                trend.times, trend.scores, trend.thresholds, trend.states, events, name, self.catalogue
            )
            paths.append(self.folder / f"{safe_name(name)}-trend.png")
            write_output(paths[-1], picture)
        return paths + [self._draw_waterfall(name, each) for name, each in self.waterfalls.items()]

    def _draw_waterfall(self, name: str, waterfall: _Waterfall) -> Path:
        path = self.folder / f"{safe_name(name)}-waterfall.png"
        order = sorted(range(len(waterfall.times)), key=lambda index: waterfall.times[index])
        spectra = np.array([waterfall.spectra[index] for index in order])
        times = [waterfall.times[index] for index in order]
        write_output(path, waterfall_plot(times, waterfall.frequencies_hz, spectra, name, self.catalogue))
        return path


def _highest(found_hz: Values, amplitudes: Values, scale_hz: Values) -> Values:
    """The highest line within each step of a coarser scale; not a number above what was measured, and between two lines of a finer one."""
    steps = np.rint(found_hz / scale_hz[1]).astype(np.intp)
    inside = steps < len(scale_hz)
    highest = np.full(len(scale_hz), -np.inf)
    np.maximum.at(highest, steps[inside], amplitudes[inside])
    return np.where(np.isfinite(highest), highest, np.nan)


def _number(value: float | None) -> float:
    return nan if value is None else value
