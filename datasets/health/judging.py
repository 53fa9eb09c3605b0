"""How well a health model tells healthy rows from others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andon.datasets.health.sources import JudgedRun
from andon.models.evaluation.detection import DetectionFigures, detection_figures
from andon.models.health.state import HealthState
from andon.models.health.watching import HealthModel, HealthObservation, Phase, observe_all
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

    ``far_free`` is the false-alarm rate on runs known to be free of anomalies that do not count among the others.
    """
    figures, free = _figures(judged, counts=True), _figures(judged, counts=False)
    return {
        "f1": None if figures.f1 is None else 100 * figures.f1,
        "far": figures.far_percent,
        "mar": figures.mar_percent,
        "far_free": free.far_percent,
        "n_normal": figures.n_normal,
        "n_anomalous": figures.n_anomalous,
        "n_not_judged": sum(int((~each.judged).sum()) for each in judged),
    }


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
