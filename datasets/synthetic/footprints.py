"""The kinds of part a generated board carries: where their pads are and how large they are.

Lengths are in cells of the routing grid (1.27 mm); the origin is the first pad.
"""

from dataclasses import dataclass

from andon.datasets.synthetic.routing import Cell

Extent = tuple[float, float]
"""Width and height in cells."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """A kind of part. ``prefix`` begins its reference; ``mark`` is printed on it; ``body`` is None for bare pads."""

    name: str
    prefix: str
    pads: tuple[Cell, ...]
    pad: Extent
    centre: Extent
    body: Extent | None
    marks: tuple[str, ...] = ()
    is_round: bool = False

    def turned(self, turns: int) -> tuple[Cell, ...]:
        """Return the pads after ``turns`` quarter turns about the origin, clockwise in the image."""
        pads = self.pads
        for _ in range(turns):
            pads = tuple((-y, x) for x, y in pads)
        return pads

    def turned_centre(self, turns: int) -> Extent:
        """Return the centre of the body after ``turns`` quarter turns about the origin."""
        x, y = self.centre
        for _ in range(turns):
            x, y = -y, x
        return x, y


def _two_rows(pins: int) -> tuple[Cell, ...]:
    bottom = tuple((x, 5) for x in range(pins))
    top = tuple((x, 0) for x in reversed(range(pins)))
    return bottom + top


RESISTOR = Footprint("resistor", "R", ((0, 0), (2, 0)), (0.95, 1.15), (1, 0), (2.5, 1.2), ("103", "472", "220", "1R0"))
CAPACITOR = Footprint("capacitor", "C", ((0, 0), (2, 0)), (0.95, 1.15), (1, 0), (2.4, 1.15))
TRANSISTOR = Footprint("transistor", "Q", ((0, 0), (2, 0), (1, 2)), (0.75, 0.95), (1, 1), (2.7, 1.25), ("1AM", "W1P"))
CAN = Footprint("can", "C", ((0, 0), (3, 0)), (1.15, 0.9), (1.5, 0), (4.0, 4.0), ("47",), is_round=True)
CRYSTAL = Footprint("crystal", "Y", ((0, 0), (4, 0)), (1.15, 0.9), (2, 0), (4.4, 1.9), ("16.000",))
SMALL_CHIP = Footprint("chip", "U", _two_rows(4), (0.55, 1.15), (1.5, 2.5), (4.3, 3.3), ("LM358", "AT24C"))
LARGE_CHIP = Footprint("chip", "U", _two_rows(8), (0.55, 1.15), (3.5, 2.5), (8.3, 3.3), ("74HC595", "MAX3232"))
HEADER = Footprint("header", "J", tuple((2 * x, 0) for x in range(6)), (1.2, 1.2), (5, 0), None, is_round=True)
