"""Draw a board's design as layers, at a multiple of the final resolution."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from andon.datasets.synthetic.footprints import Extent
from andon.datasets.synthetic.layout import POUR_NET, Layout, Part
from andon.datasets.synthetic.routing import Cell

Layer = NDArray[np.uint8]
"""How far each place is covered, ``[height, width]``, 0 to 255."""

SUPERSAMPLE = 3
CELL_PX = 8
"""Pixels of the final image per cell of the grid."""

SCALE = CELL_PX * SUPERSAMPLE
"""Pixels of the layers per cell."""

CLEARANCE_PX = 9
VIA_PAD, VIA_OPENING, VIA_HOLE = 0.95, 0.74, 0.36
HEADER_HOLE = 0.62


@dataclass(frozen=True, slots=True)
class Layers:
    """A bare board, ``[height, width]`` each, at ``SCALE`` pixels a cell.

    ``copper`` is all copper; ``opening`` where the solder mask is open; ``solder`` which pads carry solder; ``hole`` the
    drilled holes; ``silk`` the print; ``nets`` the number of the net that owns the copper (0 for none); ``body`` what parts
    hide.
    """

    copper: Layer
    opening: Layer
    solder: Layer
    hole: Layer
    silk: Layer
    nets: Layer
    body: Layer


def draw_layers(layout: Layout) -> Layers:
    """Draw every layer of a design."""
    blank = np.zeros((layout.cells * SCALE,) * 2, dtype=np.uint8)
    opening, solder, hole = blank.copy(), blank.copy(), blank.copy()
    copper, nets = _copper(layout, blank)
    for part in layout.parts:
        _draw_openings(part, opening, solder, hole)
    for via in layout.vias:
        _disc(opening, via, VIA_OPENING)
        _disc(hole, via, VIA_HOLE)
    body = draw_bodies(layout.parts, blank.shape)
    return Layers(copper, opening, solder, hole, _silk(layout, opening, body), nets, body)


def draw_bodies(parts: Iterable[Part], shape: tuple[int, ...]) -> Layer:
    """Draw what the bodies of parts hide, with their leads."""
    layer = np.zeros(shape, dtype=np.uint8)
    for part in parts:
        if part.footprint.body:
            x1, y1, x2, y2 = part.bounds
            cv2.rectangle(layer, to_px((x1, y1)), to_px((x2, y2)), 255, -1)
    return layer


def to_px(place: Extent) -> tuple[int, int]:
    """Return the pixel of a place given in cells; a cell's own place is its centre."""
    return round((place[0] + 0.5) * SCALE), round((place[1] + 0.5) * SCALE)


def _copper(layout: Layout, blank: Layer) -> tuple[Layer, Layer]:
    copper, nets = blank.copy(), blank.copy()
    for trace in layout.traces:
        points = np.array([to_px(cell) for cell in trace.cells], dtype=np.int32)
        cv2.polylines(copper, [points], False, 255, round(trace.width * SCALE), cv2.LINE_AA)
        cv2.polylines(nets, [points], False, trace.net % 256, round(trace.width * SCALE))
    for part in layout.parts:
        for pad in part.pads:
            _pad(copper, part, pad, 0)
    for via in layout.vias:
        _disc(copper, via, VIA_PAD)
    return _with_pour(copper, nets, layout)


def _with_pour(copper: Layer, nets: Layer, layout: Layout) -> tuple[Layer, Layer]:
    pour = np.zeros_like(copper)
    cv2.fillPoly(pour, [np.array([to_px(corner) for corner in layout.pour], dtype=np.int32)], 255, cv2.LINE_AA)
    pour[cv2.dilate(copper, _round_kernel(CLEARANCE_PX)) > 0] = 0
    # Slivers between traces would not survive etching: opening removes them and rounds the corners.
    opened = cv2.morphologyEx(pour, cv2.MORPH_OPEN, _round_kernel(7))
    nets[opened > 127] = POUR_NET
    return np.maximum(copper, cv2.GaussianBlur(opened, (0, 0), 1.0).astype(np.uint8)), nets


def _draw_openings(part: Part, opening: Layer, solder: Layer, hole: Layer) -> None:
    for pad in part.pads:
        _pad(opening, part, pad, 2)
        if part.footprint.body:
            _pad(solder, part, pad, 0)
        else:
            _disc(hole, pad, HEADER_HOLE)


def _pad(layer: Layer, part: Part, pad: Cell, grow: int) -> None:
    width, height = part.turned(part.footprint.pad)
    if part.footprint.is_round and part.footprint.body is None:
        _disc(layer, pad, width, grow)
        return
    x, y = to_px(pad)
    half_w, half_h = round(width * SCALE / 2) + grow, round(height * SCALE / 2) + grow
    cv2.rectangle(layer, (x - half_w + 2, y - half_h + 2), (x + half_w - 2, y + half_h - 2), 255, -1)
    cv2.rectangle(layer, (x - half_w + 2, y - half_h + 2), (x + half_w - 2, y + half_h - 2), 255, 5, cv2.LINE_AA)


def _disc(layer: Layer, cell: Cell, diameter: float, grow: int = 0) -> None:
    cv2.circle(layer, to_px(cell), round(diameter * SCALE / 2) + grow, 255, -1, cv2.LINE_AA)


def _silk(layout: Layout, opening: Layer, body: Layer) -> Layer:
    silk = np.zeros_like(opening)
    for part in layout.parts:
        _outline(silk, part)
        _reference(silk, part)
    hidden = cv2.dilate(np.maximum(opening, body), _round_kernel(7))
    return np.where(hidden > 0, 0, silk).astype(np.uint8)


def _outline(silk: Layer, part: Part) -> None:
    x1, y1, x2, y2 = part.bounds
    cv2.rectangle(silk, to_px((x1 - 0.28, y1 - 0.28)), to_px((x2 + 0.28, y2 + 0.28)), 255, 3, cv2.LINE_AA)
    if part.footprint.prefix in ("U", "J"):
        x, y = part.pads[0]
        outward = 0.5 if x > part.centre[0] else -0.5
        cv2.circle(silk, to_px((x + outward * 2.4, y)), 4, 255, -1, cv2.LINE_AA)


def _reference(silk: Layer, part: Part) -> None:
    x1, y1, _, _ = part.bounds
    x, y = to_px((x1 - 0.2, y1 - 0.55))
    cv2.putText(silk, part.reference, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.62, 235, 2, cv2.LINE_AA)


def _round_kernel(diameter: int) -> Layer:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter)).astype(np.uint8)
