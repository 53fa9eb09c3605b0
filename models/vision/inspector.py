"""The one inspector: the command line, the service, evaluation and the edge all judge through it."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from andon.models.types.vision import Frame, Inspection, Timings, Verdict
from andon.models.vision.gates import Gate, failed_gate
from andon.models.vision.graph import PatchGraph
from andon.models.vision.preprocessing import INTENSITIES, fit_to
from andon.models.vision.scoring import Polygon, Scored, find_defects, region_mask, score


class PatchScorer:
    """Scores frames against a memory bank: what calibration sees before there is a threshold.

    Parameters
    ----------
    graph
        Turns a frame into distances.
    bank
        float32 ``[m, d]``: feature vectors of good parts.
    intensity
        What to do to an image's intensity first, a key of ``INTENSITIES``.
    regions
        Polygons to look in; none means everywhere.
    """

    def __init__(
        self, graph: PatchGraph, bank: NDArray[np.float32], intensity: str, regions: Sequence[Polygon] = ()
    ) -> None:
        self.height, self.width = graph.height, graph.width
        self._graph = graph
        self._bank = bank
        self._prepare = INTENSITIES[intensity]
        self._region = region_mask(regions, graph.rows, graph.columns)

    def score(self, image: Frame) -> Scored:
        """Score ``image``, which has the size of the graph's input."""
        return score(self._graph.distances(self._prepare(image), self._bank), self.height, self.width, self._region)


@dataclass(frozen=True)
class PatchInspector:
    """Judges frames by a scorer, a threshold and gates."""

    scorer: PatchScorer
    threshold: float
    gates: tuple[Gate, ...] = ()

    def inspect(self, frame: Frame) -> Inspection:
        """Judge ``frame`` (uint8 ``[height, width, 3]``, any size): NG above the threshold, RETAKE where a gate fails."""
        started = perf_counter()
        image = fit_to(frame, self.scorer.height, self.scorer.width)
        reason = failed_gate(image, self.gates)
        gated = perf_counter()
        scored = self.scorer.score(image)
        above = scored.score > self.threshold
        defects = find_defects(scored.score_map, self.threshold, *frame.shape[:2]) if above else ()
        return Inspection(
            verdict=_verdict(reason, scored.score, self.threshold),
            score=scored.score,
            threshold=self.threshold,
            reason=reason,
            defects=defects,
            score_map=scored.score_map,
            milliseconds=Timings(gates=(gated - started) * 1e3, score=(perf_counter() - gated) * 1e3),
        )


def _verdict(reason: str | None, score: float, threshold: float) -> Verdict:
    if reason is not None:
        return Verdict.RETAKE
    return Verdict.NG if score > threshold else Verdict.OK
