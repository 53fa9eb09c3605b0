"""How well score maps find the defects' pixels, from histograms that grow with neither images nor pixels."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from andon.models.types.vision import Mask, ScoreMap

BINS = 4096
SPAN = 16.0
PRO_MAX_FALSE_POSITIVE_RATE = 0.3


def _zeros() -> NDArray[np.float64]:
    return np.zeros(BINS + 2)


@dataclass(frozen=True, eq=False)
class PixelHistogram:
    """Counts of pixels by score, on a logarithmic scale around the threshold: 4,096 bins of 0.14 % each.

    Parameters
    ----------
    threshold
        The middle of the scale, which spans sixteen times it and a sixteenth of it; above zero.
    """

    threshold: float
    good: NDArray[np.float64] = field(default_factory=_zeros)
    bad: NDArray[np.float64] = field(default_factory=_zeros)
    overlap: NDArray[np.float64] = field(default_factory=_zeros)

    def add(self, score_map: ScoreMap, mask: Mask) -> None:
        """Count one image. ``score_map`` is enlarged to the size of ``mask``."""
        enlarged = cv2.resize(score_map, (mask.shape[1], mask.shape[0]), interpolation=cv2.INTER_LINEAR)
        bins = self._bins(np.asarray(enlarged))
        self.good[:] += np.bincount(bins[~mask], minlength=BINS + 2)
        self.bad[:] += np.bincount(bins[mask], minlength=BINS + 2)
        count, regions = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        for region in range(1, count):
            inside = bins[np.asarray(regions) == region]
            self.overlap[:] += np.bincount(inside, minlength=BINS + 2) / len(inside)

    def pixel_auroc(self) -> float | None:
        """AUROC over all pixels; None where no pixel is good or none is bad."""
        if not self.good.any() or not self.bad.any():
            return None
        below = np.cumsum(self.good) - self.good / 2
        return float((self.bad * below).sum() / (self.bad.sum() * self.good.sum()))

    def aupro(self) -> float | None:
        """Area under the per-region overlap up to a false-positive rate of 0.3, as a share of the most it can be.

        Bergmann et al., International Journal of Computer Vision 129 (2021) 1038-1059, section 5.
        """
        if not self.good.any() or not self.overlap.any():
            return None
        rate = np.concatenate([[0.0], np.cumsum(self.good[::-1]) / self.good.sum()])
        overlap = np.concatenate([[0.0], np.cumsum(self.overlap[::-1]) / self.overlap.sum()])
        limit = PRO_MAX_FALSE_POSITIVE_RATE
        inside = rate <= limit
        rates = np.append(rate[inside], limit)
        overlaps = np.append(overlap[inside], np.interp(limit, rate, overlap))
        return float(np.trapezoid(overlaps, rates) / limit)

    def _bins(self, scores: NDArray[np.float32]) -> NDArray[np.intp]:
        """Bin 0 holds what is below the scale, the last bin what is above."""
        relative = np.log(np.maximum(scores, 1e-30) / self.threshold) / (2 * np.log(SPAN)) + 0.5
        bins: NDArray[np.intp] = (np.clip(np.floor(relative * BINS), -1, BINS) + 1).astype(np.intp)
        return bins
