"""Design a board: place parts, join their pads by traces, pour copper."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from andon.datasets.synthetic import footprints
from andon.datasets.synthetic.footprints import Extent, Footprint
from andon.datasets.synthetic.routing import Cell, Grid

POUR_NET = 1
SPACING = 0.7
STITCHES = 24
THIN, WIDE = 0.33, 0.52
BILL = (
    footprints.LARGE_CHIP,
    footprints.HEADER,
    footprints.SMALL_CHIP,
    footprints.CAN,
    footprints.CRYSTAL,
    *(footprints.TRANSISTOR,) * 2,
    footprints.SMALL_CHIP,
    *(footprints.RESISTOR, footprints.CAPACITOR) * 10,
)


@dataclass(frozen=True, slots=True)
class Part:
    """A placed part: its first pad's cell, its quarter turns, its reference and what is printed on it."""

    footprint: Footprint
    origin: Cell
    turns: int
    reference: str
    mark: str

    @property
    def pads(self) -> list[Cell]:
        """The cells of its pads."""
        x, y = self.origin
        return [(x + dx, y + dy) for dx, dy in self.footprint.turned(self.turns)]

    @property
    def centre(self) -> Extent:
        """The centre of its body, in cells."""
        dx, dy = self.footprint.turned_centre(self.turns)
        return self.origin[0] + dx, self.origin[1] + dy

    def turned(self, extent: Extent) -> Extent:
        """Return an extent of its footprint as it lies on the board."""
        return extent if self.turns % 2 == 0 else (extent[1], extent[0])

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The box around body and pads, ``(x1, y1, x2, y2)`` in cells."""
        boxes = [_box(pad, self.turned(self.footprint.pad)) for pad in self.pads]
        if self.footprint.body:
            boxes.append(_box(self.centre, self.turned(self.footprint.body)))
        x1, y1, x2, y2 = zip(*boxes, strict=True)
        return min(x1), min(y1), max(x2), max(y2)


@dataclass(frozen=True, slots=True)
class Trace:
    """A line of copper along cells; ``width`` in cells."""

    cells: tuple[Cell, ...]
    net: int
    width: float


@dataclass(frozen=True, slots=True)
class Layout:
    """One board's design on a square grid of ``cells`` a side. ``pour`` is a polygon in cells."""

    cells: int
    parts: tuple[Part, ...]
    traces: tuple[Trace, ...]
    vias: tuple[Cell, ...]
    pour: tuple[Extent, ...]


def design(cells: int, rng: np.random.Generator) -> Layout:
    """Design a board of ``cells`` grid cells a side; the same generator state gives the same board."""
    parts = _place(cells, rng)
    wiring = _Wiring(Grid.of_size(cells), parts, rng)
    wiring.run()
    return Layout(cells, tuple(parts), tuple(wiring.traces), tuple(wiring.vias), _pour(cells, rng))


def _place(cells: int, rng: np.random.Generator) -> list[Part]:
    parts: list[Part] = []
    for footprint in BILL:
        reference = f"{footprint.prefix}{1 + sum(part.footprint.prefix == footprint.prefix for part in parts)}"
        candidates = (_random_part(footprint, reference, cells, rng) for _ in range(400))
        part = next((part for part in candidates if _fits(part, parts, cells)), None)
        parts += [part] if part else []
    return parts


def _random_part(footprint: Footprint, reference: str, cells: int, rng: np.random.Generator) -> Part:
    x, y = (int(value) for value in rng.integers(2, cells - 2, size=2))
    mark = str(rng.choice(footprint.marks)) if footprint.marks else ""
    return Part(footprint, (x, y), int(rng.integers(4)), reference, mark)


def _fits(part: Part, others: Sequence[Part], cells: int) -> bool:
    x1, y1, x2, y2 = part.bounds
    return min(x1, y1) > 1.5 and max(x2, y2) < cells - 2.5 and not any(_overlaps(part, other) for other in others)


def _overlaps(one: Part, other: Part) -> bool:
    a, b = one.bounds, other.bounds
    return all(a[i] - SPACING < b[i + 2] and b[i] - SPACING < a[i + 2] for i in range(2))


def _box(centre: Extent, extent: Extent) -> tuple[float, float, float, float]:
    (x, y), (width, height) = centre, extent
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _pour(cells: int, rng: np.random.Generator) -> tuple[Extent, ...]:
    """Pour over one corner, its inner corner cut at 45 degrees."""
    width, height, cut = cells * rng.uniform(0.4, 0.6), cells * rng.uniform(0.3, 0.45), cells * rng.uniform(0.08, 0.15)
    corner = [(0.0, 0.0), (width, 0.0), (width, height - cut), (width - cut, height), (0.0, height)]
    flip_x, flip_y = rng.random(2) < 0.5
    return tuple((cells - x if flip_x else x, cells - y if flip_y else y) for x, y in corner)


@dataclass
class _Wiring:
    """Joins pads: to the nearest free pad of another part, to the board's edge, or to a via."""

    grid: Grid
    parts: Sequence[Part]
    rng: np.random.Generator

    def __post_init__(self) -> None:
        self.traces: list[Trace] = []
        self.vias: list[Cell] = []
        self.owners = {pad: index for index, part in enumerate(self.parts) for pad in part.pads}
        self.unwired = list(self.owners)
        for net, pad in enumerate(self.unwired, start=POUR_NET + 1):
            self.grid.claim([pad], net)

    def run(self) -> None:
        self.unwired = [self.unwired[index] for index in self.rng.permutation(len(self.unwired))]
        while self.unwired:
            pad = self.unwired.pop()
            ways = (self._to_pad, self._to_edge, self._to_via)
            first = int(self.rng.choice(3, p=(0.4, 0.3, 0.3)))
            any(way(pad) for way in ways[first:] + ways[:first])
        for _ in range(STITCHES):
            self._stitch()

    def _to_pad(self, pad: Cell) -> bool:
        others = sorted(
            (cell for cell in self.unwired if self.owners[cell] != self.owners[pad]),
            key=lambda cell: _distance(cell, pad),
        )
        return any(self._join_pads(pad, other) for other in others[:3] if _distance(pad, other) < 18)

    def _join_pads(self, pad: Cell, other: Cell) -> bool:
        net, other_net = self._net(pad), self._net(other)
        self.grid.claim([other], net)
        if self._trace(pad, other):
            self.unwired.remove(other)
            return True
        self.grid.claim([other], other_net)
        return False

    def _to_edge(self, pad: Cell) -> bool:
        x, y = pad
        last = self.grid.owner.shape[0] - 1
        edges = sorted([(0, y), (last, y), (x, 0), (x, last)], key=lambda cell: _distance(cell, pad))
        return any(self._trace(pad, edge) for edge in edges[:2])

    def _to_via(self, pad: Cell) -> bool:
        for _ in range(8):
            via = (pad[0] + int(self.rng.integers(-6, 7)), pad[1] + int(self.rng.integers(-6, 7)))
            if self._is_clear(via) and self._trace(pad, via):
                self.vias.append(via)
                return True
        return False

    def _stitch(self) -> None:
        x, y = (int(value) for value in self.rng.integers(self.grid.owner.shape[0], size=2))
        if self._is_clear((x, y)):
            self.grid.claim([(x, y)], POUR_NET)
            self.vias.append((x, y))

    def _is_clear(self, cell: Cell) -> bool:
        x, y = cell
        last = self.grid.owner.shape[0] - 2
        inside = 1 < x < last and 1 < y < last
        return inside and not self.grid.owner[y - 1 : y + 2, x - 1 : x + 2].any() and not self._is_covered(cell)

    def _is_covered(self, cell: Cell) -> bool:
        return any(_contains(part.bounds, cell) for part in self.parts)

    def _trace(self, start: Cell, end: Cell) -> bool:
        net = self._net(start)
        path = self.grid.route(start, end, net, max_cost=1.6 * _distance(start, end) + 6)
        if path is None:
            return False
        self.grid.claim(path, net)
        self.traces.append(Trace(tuple(path), net, WIDE if self.rng.random() < 0.25 else THIN))
        return True

    def _net(self, cell: Cell) -> int:
        return int(self.grid.owner[cell[1], cell[0]])


def _contains(bounds: tuple[float, float, float, float], cell: Cell) -> bool:
    x1, y1, x2, y2 = bounds
    return x1 - 1 < cell[0] < x2 + 1 and y1 - 1 < cell[1] < y2 + 1


def _distance(one: Cell, other: Cell) -> float:
    return float(np.hypot(one[0] - other[0], one[1] - other[1]))


def points_along(trace: Trace, step: float) -> Iterator[tuple[float, float, float, float]]:
    """Yield ``(x, y, dx, dy)`` along a trace every ``step`` cells, away from its ends; the direction has unit length."""
    for (x1, y1), (x2, y2) in zip(trace.cells[1:-2], trace.cells[2:-1], strict=True):
        length = _distance((x1, y1), (x2, y2))
        dx, dy = (x2 - x1) / length, (y2 - y1) / length
        for along in np.arange(0, length, step):
            yield x1 + along * dx, y1 + along * dy, dx, dy
