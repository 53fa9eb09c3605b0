"""How well a health model tells healthy rows from others."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andon.datasets.health.sources import JudgedRun
from andon.models.alerts.budget import Episode
from andon.models.evaluation.detection import DetectionFigures, detection_figures
from andon.models.health.state import HealthState
from andon.models.health.watching import HealthModel, HealthObservation, Phase, observe_all
from andon.models.monitoring.watch import MAJORITY
from andon.models.types.progress import Progress, silent


@dataclass(frozen=True, slots=True, eq=False)
class JudgedRows:
    """A run with what was said of each of its rows."""

    run: JudgedRun
    observations: Sequence[HealthObservation]

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Which rows were judged: ``[n]``; the others were learned from, or the machine stood."""
        return np.array([each.phase is Phase.JUDGED for each in self.observations], np.bool_)

    @property
    def by_conformal(self) -> NDArray[np.bool_]:
        """Which rows lie above the conformal threshold: ``[n]``."""
        return np.array([each.by_conformal for each in self.observations], np.bool_)

    @property
    def said(self) -> NDArray[np.bool_]:
        """Which rows were said to be anomalous: ``[n]``."""
        return np.array([each.anomalous for each in self.observations], np.bool_)


def judge_runs(model: HealthModel, runs: Sequence[JudgedRun], progress: Progress = silent) -> list[JudgedRows]:
    """Judge runs one after the other; what was learned of an asset in one is remembered in its next."""
    states: dict[str, HealthState] = {}
    judged = []
    for done, run in enumerate(runs, start=1):
        state = states.get(run.asset) or HealthState(run.asset)
        states[run.asset], observations = observe_all(model, state, run.rows)
        judged.append(JudgedRows(run, observations))
        progress("evaluate.stage", done, len(runs))
    return judged


def detection_document(judged: Sequence[JudgedRows]) -> dict[str, Any]:
    """Build the ``evaluate`` object of a health model: ``f1``, ``far`` and ``mar`` in percent over all rows judged, pooled.

    ``far_free`` is the false-alarm rate on runs known to be free of anomalies that do not count among the others;
    ``far_free_conformal`` that of the conformal threshold alone, which is what the model's budget of rows is about.
    """
    figures, free = _figures(judged, counts=True), _figures(judged, counts=False)
    conformal = [each.by_conformal[each.judged] for each in judged if not each.run.counts]
    return {
        "f1": None if figures.f1 is None else 100 * figures.f1,
        "far": figures.far_percent,
        "mar": figures.mar_percent,
        "far_free": free.far_percent,
        "far_free_conformal": 100 * float(np.concatenate(conformal).mean()) if conformal else None,
        "n_normal": figures.n_normal,
        "n_anomalous": figures.n_anomalous,
        "n_not_judged": sum(int((~each.judged).sum()) for each in judged),
    }


def healthy_episodes(judged: Sequence[JudgedRows], interval_s: float | None) -> list[Episode]:
    """Stretches of healthy machines that no baseline was learned from, for the budget of false alarms.

    Parameters
    ----------
    interval_s
        Seconds from one run of a machine to its next, where a run is one snapshot: abnormal where most of its rows are. None where
        each row is a snapshot of its own, a second after the one before.
    """
    healthy = [each for each in judged if each.judged.any() and not each.run.truth.any()]
    if interval_s is None:
        flags = {each.run.name: each.said[each.judged] for each in healthy}
        return _episodes(flags, 1.0)
    by_asset: dict[str, list[bool]] = {}
    for each in healthy:
        by_asset.setdefault(each.run.asset, []).append(bool(each.said[each.judged].mean() > MAJORITY))
    return _episodes({asset: np.array(flags) for asset, flags in by_asset.items()}, interval_s)


def _episodes(flags: Mapping[str, NDArray[np.bool_]], step_s: float) -> list[Episode]:
    return [
        Episode(machine, np.arange(len(each), dtype=np.float64) * step_s, each.astype(np.float64))
        for machine, each in flags.items()
        if len(each) > 1
    ]


def predictions(judged: Sequence[JudgedRows]) -> Iterator[tuple[str, int, int]]:
    """Yield ``file, row, anomaly`` of each row that counts."""
    for each in judged:
        if each.run.counts:
            for number, anomalous in enumerate(each.said.tolist(), start=each.run.first_row):
                yield each.run.name, number, int(anomalous)


def _figures(judged: Sequence[JudgedRows], *, counts: bool) -> DetectionFigures:
    chosen = [each for each in judged if each.run.counts is counts]
    truth = [each.run.truth[each.judged] for each in chosen]
    said = [each.said[each.judged] for each in chosen]
    none = np.zeros(0, np.bool_)
    return detection_figures(np.concatenate([none, *truth]), np.concatenate([none, *said]))
