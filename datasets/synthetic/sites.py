"""Where on a board a defect of the copper can be, so that it can be seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from andon.datasets.synthetic.layers import SCALE, Layer, Layers, to_px
from andon.datasets.synthetic.layout import Layout, Trace, points_along

RAY_PX = 60
RIM_PX = 3
"""Width of the soft rim of drawn copper, in pixels of the layers."""

STEP_CELLS = 0.5

_T = TypeVar("_T", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Edges:
    """Places along the sides of traces, one row each; lengths in pixels of the layers.

    ``middle`` (x, y) lies on the trace's centre line and ``outward`` is the unit vector to this side; ``width`` is the
    trace's; ``gap`` the way from its side to the next copper, or infinite; ``is_foreign`` whether that is another net's.
    """

    middle: NDArray[np.float64]
    outward: NDArray[np.float64]
    width: NDArray[np.float64]
    gap: NDArray[np.float64]
    is_foreign: NDArray[np.bool_]

    def where(self, chosen: NDArray[np.bool_]) -> "Edges":
        """Keep the chosen rows."""
        return Edges(
            self.middle[chosen], self.outward[chosen], self.width[chosen], self.gap[chosen], self.is_foreign[chosen]
        )


@dataclass(frozen=True, slots=True)
class Sites:
    """Where defects fit: ``edges`` of traces; ``room`` and ``solid`` give each place's distance to what a blob of copper
    or a hole in copper must not touch, ``[height, width]``, float32, in pixels of the layers.
    """

    edges: Edges
    room: NDArray[np.float32]
    solid: NDArray[np.float32]


def find_sites(layout: Layout, layers: Layers, margin_px: int) -> Sites:
    """Find the places that are in view, and under neither parts, pads nor print."""
    clear = _clear(layers, margin_px)
    is_copper = layers.copper > 127
    return Sites(
        _edges(layout.traces, layers, clear), _distance_within(clear & ~is_copper), _distance_within(clear & is_copper)
    )


def _clear(layers: Layers, margin_px: int) -> NDArray[np.bool_]:
    hidden = np.maximum.reduce([layers.body, layers.opening, layers.silk, layers.hole])
    clear = cv2.dilate(hidden, np.ones((7, 7), np.uint8)) == 0
    inside = np.zeros_like(clear)
    inside[margin_px:-margin_px, margin_px:-margin_px] = True
    return np.asarray(clear & inside)


def _distance_within(area: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.asarray(cv2.distanceTransform(area.astype(np.uint8), cv2.DIST_L2, 3), dtype=np.float32)


def _edges(traces: Sequence[Trace], layers: Layers, clear: NDArray[np.bool_]) -> Edges:
    middle, outward, width, net = _sides(traces)
    rays = _Rays(middle, outward, width / 2 + RIM_PX)
    first, is_hit = rays.first(layers.copper > 127)
    gap = np.where(is_hit, first + float(RIM_PX), np.inf)
    hit_net = rays.at(layers.nets, first + RIM_PX)
    is_foreign = is_hit & (hit_net != net) & (hit_net > 0) & rays.is_all(clear, first + RIM_PX)
    stands_free = (gap > 2 * RIM_PX) & rays.is_all(clear, np.full(len(net), 3 * RIM_PX)) & _at(clear, middle)
    return Edges(middle, outward, width, gap, is_foreign).where(stands_free)


def _sides(traces: Sequence[Trace]) -> tuple[NDArray[np.float64], ...]:
    """Return the middle, outward direction, width and net of both sides of each trace, step by step."""
    rows = [
        (*to_px((x, y)), side * -dy, side * dx, trace.width * SCALE, trace.net % 256)
        for trace in traces
        for x, y, dx, dy in points_along(trace, STEP_CELLS)
        for side in (-1, 1)
    ]
    table = np.array(rows, dtype=np.float64).reshape(-1, 6)
    return table[:, :2], table[:, 2:4], table[:, 4], table[:, 5]


class _Rays:
    """Looks outward from the sides of traces, ``RAY_PX`` far."""

    def __init__(self, middle: NDArray[np.float64], outward: NDArray[np.float64], start: NDArray[np.float64]) -> None:
        steps = start[:, None] + np.arange(RAY_PX)
        self._places = middle[:, None, :] + steps[..., None] * outward[:, None, :]

    def first(self, is_there: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Return the step at which each ray first meets something, and whether it does."""
        seen = _at(is_there, self._places)
        return seen.argmax(axis=1), np.asarray(seen.any(axis=1))

    def at(self, layer: Layer, step: NDArray[np.intp]) -> Layer:
        """Return the layer at one step of each ray."""
        column = np.minimum(step, RAY_PX - 1)[:, None]
        return np.take_along_axis(_at(layer, self._places), column, axis=1)[:, 0]

    def is_all(self, holds: NDArray[np.bool_], until: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return whether something holds at every step of each ray up to one."""
        return np.asarray((_at(holds, self._places) | (np.arange(RAY_PX) > until[:, None])).all(axis=1))


def _at(layer: NDArray[_T], places: NDArray[np.float64]) -> NDArray[_T]:
    x, y = np.rint(places).astype(np.intp).T
    return np.asarray(layer[y.clip(0, layer.shape[0] - 1), x.clip(0, layer.shape[1] - 1)].T)
