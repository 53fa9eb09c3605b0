"""What goes wrong between a sensor and the line: blocks that are lost, come twice, late or in another order."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from heapq import heappop, heappush

import numpy as np

from andon.models.types.vibration import Signal

Channel = tuple[str, str]
"""Asset and sensor."""


@dataclass(frozen=True, slots=True)
class Disturbances:
    """How often each thing goes wrong, as a probability for each block, and by which seed.

    Parameters
    ----------
    drop
        The block never comes.
    duplicate
        It comes a second time, after the next block.
    reorder
        It comes after the next block.
    delay
        It comes ``delay_blocks`` blocks late.
    swapped
        Two channels whose cables are exchanged: each one's blocks carry the other's name.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    delay: float = 0.0
    delay_blocks: int = 10
    swapped: tuple[Channel, Channel] | None = None
    seed: int = 0


def disturb(blocks: Iterable[Signal], disturbances: Disturbances) -> Iterator[Signal]:
    """Deliver the blocks with the disturbances; what is still held back comes at the end.

    Blocks keep the time at which they were taken: a late one carries its old time.
    """
    rng = np.random.default_rng(disturbances.seed)
    waiting: list[tuple[float, int, Signal]] = []
    for number, block in enumerate(blocks):
        for copy, due in enumerate(_dues(number, disturbances, rng)):
            heappush(waiting, (due, 2 * number + copy, _relabelled(block, disturbances.swapped)))
        while waiting and waiting[0][0] <= number:
            yield heappop(waiting)[-1]
    while waiting:
        yield heappop(waiting)[-1]


def _dues(number: int, disturbances: Disturbances, rng: np.random.Generator) -> list[float]:
    """When the block comes, in blocks: never, once or twice. Half a block is after the next one."""
    is_dropped, is_double, is_reordered, is_delayed = rng.uniform(size=4) < (
        disturbances.drop,
        disturbances.duplicate,
        disturbances.reorder,
        disturbances.delay,
    )
    due = number + 1.5 * is_reordered + disturbances.delay_blocks * is_delayed
    return [] if is_dropped else [due, due + 1.5][: 1 + is_double]


def _relabelled(block: Signal, swapped: tuple[Channel, Channel] | None) -> Signal:
    channel = (block.asset, block.sensor)
    if swapped is None or channel not in swapped:
        return block
    asset, sensor = swapped[1 - swapped.index(channel)]
    return replace(block, asset=asset, sensor=sensor)
