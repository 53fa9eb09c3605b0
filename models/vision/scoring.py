"""From the distances of a frame's places to the map of its scores, its one score and its defects.

Fitting, calibration, evaluation, the command line and the service all score through these functions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from andon.models.types.vision import Defect, Mask, ScoreMap

CELL_PX = 16
HIGHEST_CELLS = 5
"""Cells whose mean is the score. One alone is noisier, many drown a small defect: docs/adr/0003."""

Polygon = tuple[tuple[float, float], ...]
"""Corners ``(x, y)`` as fractions of width and height."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """The map of scores at the size of the model's input, and the one score of the frame."""

    score_map: ScoreMap
    score: float


def score(distances: NDArray[np.float32], height: int, width: int, region: Mask | None = None) -> Scored:
    """Take the mean of the five highest ``distances`` inside ``region``, and enlarge the distances to a map.

    Parameters
    ----------
    distances
        float32 ``[rows, columns]``: distance of each cell to its nearest good neighbour.
    height, width
        Size of the map in pixels.
    region
        bool ``[rows, columns]``: the cells that count; None for all.
    """
    inside = distances if region is None else np.where(region, distances, np.float32(0.0))
    count = min(HIGHEST_CELLS, inside.size)
    highest = np.partition(inside, -count, axis=None)[-count:]
    score_map = np.asarray(cv2.resize(inside, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    return Scored(score_map, float(highest.mean(dtype=np.float64)))


def region_mask(polygons: Sequence[Polygon], rows: int, columns: int) -> Mask | None:
    """Find the cells that the region of interest, the union of ``polygons``, touches; None where there are no polygons.

    Returns
    -------
    Mask
        bool ``[rows, columns]``.
    """
    if not polygons:
        return None
    canvas = np.zeros((rows * CELL_PX, columns * CELL_PX), np.uint8)
    for polygon in polygons:
        corners = np.rint(np.array(polygon) * (canvas.shape[1] - 1, canvas.shape[0] - 1)).astype(np.int32)
        cv2.fillPoly(canvas, [corners], 1)
    return np.asarray(canvas.reshape(rows, CELL_PX, columns, CELL_PX).any(axis=(1, 3)))


def find_defects(score_map: ScoreMap, threshold: float, frame_height: int, frame_width: int) -> tuple[Defect, ...]:
    """List the 8-connected regions of ``score_map`` above ``threshold``, worst first; at least one.

    Asked for a frame whose score is above the threshold. The score is a mean of cells, so one cell at least is above it as
    well; where enlarging has rounded that cell off below it, the map's peak is the region.

    Parameters
    ----------
    score_map
        float32 ``[height, width]`` at the size of the model's input.
    frame_height, frame_width
        Size of the original image, in whose pixels boxes and areas are given.
    """
    level = min(threshold, float(np.nextafter(score_map.max(), np.float32(-np.inf))))
    _, labels, statistics, _ = cv2.connectedComponentsWithStats((score_map > level).astype(np.uint8), connectivity=8)
    scale_x, scale_y = frame_width / score_map.shape[1], frame_height / score_map.shape[0]
    regions = _defects(score_map, np.asarray(labels), np.asarray(statistics), scale_x, scale_y)
    return tuple(sorted(regions, key=lambda each: -each.score))


def _defects(
    score_map: ScoreMap, labels: NDArray[Any], statistics: NDArray[Any], scale_x: float, scale_y: float
) -> Iterator[Defect]:
    for label, (left, top, width, height, area) in enumerate(statistics.tolist()):
        if label == 0:
            continue
        window = np.s_[top : top + height, left : left + width]
        peak = float(score_map[window][labels[window] == label].max())
        bbox = (
            int(left * scale_x),
            int(top * scale_y),
            int(np.ceil((left + width) * scale_x)),
            int(np.ceil((top + height) * scale_y)),
        )
        yield Defect(bbox, peak, max(1, round(area * scale_x * scale_y)))
