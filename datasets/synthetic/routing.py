"""Route the traces of a board on a grid, at 45 and 90 degrees.

The router is A* over cells and directions: a trace turns by 45 degrees at most at a time, and turning costs, so that traces
run straight and side by side as a board designer draws them.
"""

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import numpy as np
from numpy.typing import NDArray

Cell = tuple[int, int]
"""A place on the grid: ``(x, y)``."""

FREE = 0
TURN_COST = 0.6
DIRECTIONS: tuple[Cell, ...] = ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))

_State = tuple[Cell, int | None]


@dataclass(frozen=True)
class Grid:
    """Which net owns each cell: ``owner`` is ``[height, width]``, int32, 0 where the cell is free."""

    owner: NDArray[np.int32]

    @classmethod
    def of_size(cls, cells: int) -> "Grid":
        """Return a free square grid of ``cells`` a side."""
        return cls(np.zeros((cells, cells), dtype=np.int32))

    def claim(self, cells: list[Cell], net: int) -> None:
        """Give cells to a net."""
        for x, y in cells:
            self.owner[y, x] = net

    def is_open(self, cell: Cell, net: int) -> bool:
        """Whether the cell lies on the grid and is free, or the net's own."""
        x, y = cell
        height, width = self.owner.shape
        return 0 <= x < width and 0 <= y < height and self.owner[y, x] in (FREE, net)

    def route(self, start: Cell, goal: Cell, net: int, max_cost: float = math.inf) -> list[Cell] | None:
        """Find the cheapest way from ``start`` to ``goal`` that touches no other net; None where there is none."""
        return _Search(self, start, goal, net, max_cost).run()


@dataclass
class _Search:
    grid: Grid
    start: Cell
    goal: Cell
    net: int
    max_cost: float
    costs: dict[_State, float] = field(default_factory=dict)
    came_from: dict[_State, _State] = field(default_factory=dict)

    def run(self) -> list[Cell] | None:
        first: _State = (self.start, None)
        self.costs[first] = 0.0
        # The running number keeps equal costs in the order they were found, so that routes are the same every time.
        order = count()
        queue = [(self._estimate(self.start), next(order), first)]
        while queue:
            estimate, _, state = heapq.heappop(queue)
            if estimate > self.max_cost:
                return None
            if state[0] == self.goal:
                return self._path(state)
            for following, cost in self._steps(state):
                if cost < self.costs.get(following, math.inf):
                    self.costs[following] = cost
                    self.came_from[following] = state
                    heapq.heappush(queue, (cost + self._estimate(following[0]), next(order), following))
        return None

    def _steps(self, state: _State) -> Iterator[tuple[_State, float]]:
        (x, y), heading = state
        turns = (0,) if heading is None else (0, -1, 1)
        headings = range(len(DIRECTIONS)) if heading is None else [(heading + turn) % len(DIRECTIONS) for turn in turns]
        for following in headings:
            dx, dy = DIRECTIONS[following]
            if self._passes(x, y, dx, dy):
                turn_cost = TURN_COST if heading not in (None, following) else 0.0
                yield ((x + dx, y + dy), following), self.costs[state] + math.hypot(dx, dy) + turn_cost

    def _passes(self, x: int, y: int, dx: int, dy: int) -> bool:
        # A diagonal step also needs the two cells beside it, else it would cross or touch another net's diagonal.
        return all(self.grid.is_open(cell, self.net) for cell in ((x + dx, y + dy), (x + dx, y), (x, y + dy)))

    def _estimate(self, cell: Cell) -> float:
        dx, dy = abs(cell[0] - self.goal[0]), abs(cell[1] - self.goal[1])
        return max(dx, dy) + (math.sqrt(2) - 1) * min(dx, dy)

    def _path(self, state: _State) -> list[Cell]:
        cells = [state[0]]
        while state in self.came_from:
            state = self.came_from[state]
            cells.append(state[0])
        return cells[::-1]
