"""What a source delivers, as pieces that are kept one by one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from andon.hardware.edge.sensing.keeping import RowKeeper, SignalKeeper
from andon.hardware.edge.sensing.snapshots import Cut
from andon.models.types.vibration import RowSource, Signal, SignalSource, TimedRow


@dataclass(frozen=True, slots=True)
class Piece:
    """A snapshot or a row, and what keeps it: that raises ``ResourceError`` where it cannot be, and is tried again then."""

    asset: str
    keep: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A block or a row.

    Parameters
    ----------
    pieces
        Raises ``RecordError`` while it is drawn where nothing can be made of what came.
    """

    time: datetime | None
    pieces: Iterator[Piece]


Arrivals = Iterator[Arrival]
"""What was drawn counts as taken, for the source, once the next is asked for."""


def of_signals(source: SignalSource, cut: Cut, keeper: SignalKeeper) -> Arrivals:
    """Draw the blocks of an open source, and cut each into snapshots."""
    for block in source.blocks():
        yield Arrival(block.time, map(partial(_of_snapshot, keeper), cut(block)))


def of_rows(source: RowSource, keeper: RowKeeper) -> Arrivals:
    """Draw the rows of an open source."""
    for row in source.rows():
        yield Arrival(row.time, iter([_of_row(keeper, row)]))


def _of_snapshot(keeper: SignalKeeper, snapshot: Signal) -> Piece:
    return Piece(snapshot.asset, partial(keeper.keep, snapshot))


def _of_row(keeper: RowKeeper, row: TimedRow) -> Piece:
    return Piece(row.asset, partial(keeper.keep, row))
