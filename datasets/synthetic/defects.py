"""The defects of a generated board, each from barely visible to plain."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from andon.datasets.synthetic.layers import SUPERSAMPLE, Layer, Layers
from andon.datasets.synthetic.sites import Edges, Sites

Point = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Change:
    """What a defect changes: the copper, a scratch drawn over the board, or a part left out.

    ``copper`` is the new layer; ``scratch`` how much of the surface is scraped off; ``missing`` the index of the part.
    """

    copper: Layer | None = None
    scratch: Layer | None = None
    missing: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """What a defect is drawn on.

    ``parts`` are the indices of the parts in view that have a body, the smallest first; ``margin_px`` is the rim out of
    view.
    """

    layers: Layers
    sites: Sites
    parts: tuple[int, ...]
    margin_px: int


Maker = Callable[[Place, float, np.random.Generator], Change]
"""Draws a defect of a severity from 0 to 1."""


def open_circuit(place: Place, severity: float, rng: np.random.Generator) -> Change:
    """Interrupt a trace."""
    middle, outward, width, _ = _pick(place.sites.edges, rng)
    along = np.array([outward[1], -outward[0]])
    gap, half = _px(2.0, 6.5, severity), width / 2 + 4
    corners = [(-1, -1), (-1, -0.3), (-1, 0.3), (-1, 1), (1, 1), (1, 0.3), (1, -0.3), (1, -1)]
    points = [
        middle + along * (side * gap / 2 + rng.normal(0, 0.09 * gap)) + outward * across * half
        for side, across in corners
    ]
    return Change(copper=_erased(place.layers.copper, _polygon(place.layers.copper, points)))


def short_circuit(place: Place, severity: float, rng: np.random.Generator) -> Change:
    """Bridge two nets that run close to each other."""
    edges = place.sites.edges
    near = edges.where(edges.is_foreign & (edges.gap < np.quantile(edges.gap[edges.is_foreign], 0.6)))
    middle, outward, width, gap = _pick(near, rng)
    along = np.array([outward[1], -outward[0]])
    ways = np.linspace(width / 2 - 3, width / 2 + gap + 5, 5)
    points = [middle + outward * way + along * rng.normal(0, 1.5) for way in ways]
    bridge = np.zeros_like(place.layers.copper)
    cv2.polylines(bridge, [_ints(points)], False, 255, round(_px(1.3, 4.5, severity)), cv2.LINE_AA)
    return Change(copper=np.maximum(place.layers.copper, bridge))


def mousebite(place: Place, severity: float, rng: np.random.Generator) -> Change:
    """Bite into the side of a trace without interrupting it."""
    middle, outward, width, _ = _pick(place.sites.edges, rng)
    depth = width * np.interp(severity, [0, 1], [0.45, 0.68])
    bite = _blob(place.layers.copper, middle + outward * width / 2, depth, rng)
    return Change(copper=_erased(place.layers.copper, bite))


def spur(place: Place, severity: float, rng: np.random.Generator) -> Change:
    """Let copper stick out from the side of a trace, short of its neighbour."""
    edges = place.sites.edges
    middle, outward, width, gap = _pick(edges.where(edges.gap > _px(2.5, 4, severity)), rng)
    along = np.array([outward[1], -outward[0]])
    length = min(_px(2.6, 7.0, severity), 0.55 * gap)
    foot, tip = middle + outward * (width / 2 - 2), middle + outward * (width / 2 + length)
    spread = _px(1.2, 2.2, severity)
    points = [foot - along * spread, tip - along * spread * 0.4, tip + along * spread * 0.4, foot + along * spread]
    return Change(copper=np.maximum(place.layers.copper, _polygon(place.layers.copper, points)))


def extra_copper(place: Place, severity: float, rng: np.random.Generator) -> Change:
    """Leave an island of copper on bare laminate."""
    radius = _px(1.2, 4.5, severity)
    island = _blob(place.layers.copper, _pick_place(place.sites.room, radius * 1.5, rng), radius, rng)
    return Change(copper=np.maximum(place.layers.copper, island))


def pin_hole(place: Place, severity: float, rng: np.random.Generator) -> Change:
    """Leave a hole in wide copper."""
    radius = _px(0.9, 2.8, severity)
    hole = _blob(place.layers.copper, _pick_place(place.sites.solid, radius * 1.5, rng), radius, rng)
    return Change(copper=_erased(place.layers.copper, hole))


def missing_part(place: Place, severity: float, rng: np.random.Generator) -> Change:
    """Leave out a part; a small one where the severity is low."""
    count = len(place.parts)
    rank = severity * (count - 1) + rng.uniform(-2, 2)
    return Change(missing=place.parts[int(np.clip(np.rint(rank), 0, count - 1))])


def scratch(place: Place, severity: float, rng: np.random.Generator) -> Change:
    """Scrape the surface along a slight curve, mostly beside parts."""
    candidates = [_curve(place, severity, rng) for _ in range(12)]
    points = min(candidates, key=lambda points: _hidden_share(place.layers.body, points))
    layer = np.zeros_like(place.layers.copper)
    width = max(1, round(_px(0.6, 1.8, severity)))
    weights = np.clip(rng.normal(0.85, 0.15, len(points) - 1), 0.5, 1.0)
    for start, end, weight in zip(points[:-1], points[1:], weights, strict=True):
        cv2.line(layer, tuple(_ints([start])[0]), tuple(_ints([end])[0]), int(255 * weight), width, cv2.LINE_AA)
    return Change(scratch=np.where(place.layers.body > 0, 0, layer).astype(np.uint8))


DEFECTS: Mapping[str, Maker] = {
    "open": open_circuit,
    "short": short_circuit,
    "mousebite": mousebite,
    "spur": spur,
    "copper": extra_copper,
    "pin_hole": pin_hole,
    "missing_part": missing_part,
    "scratch": scratch,
}
"""How each defect type is drawn, by its label."""


def _pick(edges: Edges, rng: np.random.Generator) -> tuple[Point, Point, float, float]:
    row = int(rng.integers(len(edges.width)))
    return edges.middle[row], edges.outward[row], float(edges.width[row]), float(edges.gap[row])


def _pick_place(distance: NDArray[np.float32], least: float, rng: np.random.Generator) -> Point:
    y, x = np.nonzero(distance >= min(least, float(distance.max())))
    row = int(rng.integers(len(x)))
    return np.array([x[row], y[row]], dtype=np.float64)


def _px(subtle: float, plain: float, severity: float) -> float:
    """Return a length between two, given in pixels of the final image, in pixels of the layers."""
    return (subtle + (plain - subtle) * severity) * SUPERSAMPLE


def _blob(like: Layer, centre: Point, radius: float, rng: np.random.Generator) -> Layer:
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    orders = np.array([[2], [3], [4]])
    bumps = rng.normal(0, 0.12, orders.shape) * np.cos(orders * angles + rng.uniform(0, 2 * np.pi, orders.shape))
    radii = radius * (1 + bumps.sum(axis=0).clip(-0.25, 0.25))
    return _polygon(like, list(centre + np.column_stack([np.cos(angles), np.sin(angles)]) * radii[:, None]))


def _polygon(like: Layer, points: list[Point]) -> Layer:
    layer = np.zeros_like(like)
    cv2.fillPoly(layer, [_ints(points)], 255, cv2.LINE_AA)
    return layer


def _erased(copper: Layer, shape: Layer) -> Layer:
    return np.minimum(copper, 255 - shape)


def _curve(place: Place, severity: float, rng: np.random.Generator) -> list[Point]:
    height, width = place.layers.copper.shape
    rim = place.margin_px
    start = rng.uniform([rim, rim], [width - rim, height - rim])
    heading = rng.uniform(0, 2 * np.pi)
    length = _px(14, 100, severity)
    ways = np.linspace(0, 1, 16)
    turns = heading + ways * rng.normal(0, 0.35)
    steps = np.column_stack([np.cos(turns), np.sin(turns)]) * (length / len(ways))
    return list((start + np.cumsum(steps, axis=0)).clip(rim, [width - rim, height - rim]))


def _hidden_share(body: Layer, points: list[Point]) -> float:
    x, y = _ints(points).T
    return float((body[y, x] > 0).mean())


def _ints(points: list[Point]) -> NDArray[np.int32]:
    return np.rint(points).astype(np.int32)
