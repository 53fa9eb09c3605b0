"""One source of signals or process values, drawn by a thread of its own for as long as the box runs."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event

from andon.datasets.store.room import Room
from andon.hardware.acquisition.standing import Report, StandingFaults
from andon.hardware.edge.sensing.arrivals import Arrival, Arrivals, Piece
from andon.models.types.errors import AndonError, InputError, RecordError, ResourceError

RETRY_S = 1.0

Open = Callable[[Report, Event], AbstractContextManager[Arrivals]]
"""Opens a source that reports what is wrong and ends once the event is set. Raises ``AndonError`` where it cannot be opened."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class SourceFigures:
    """How a source is.

    Parameters
    ----------
    blocks
        Blocks or rows that it delivered.
    last
        When the last of them was taken.
    failure
        What was wrong with it since then; None while it is well.
    heard
        By the asset, when something of it was kept last.
    """

    blocks: int = 0
    last: datetime | None = None
    failure: AndonError | None = None
    heard: dict[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceParts:
    """What a source is run with.

    Parameters
    ----------
    open
        Called anew each time that it could not be opened.
    lost
        Told of each asset that is heard no more.
    """

    name: str
    kind: str
    open: Open
    room: Room
    lost: Callable[[str], None]


class _StoppedError(Exception):
    """It is to end while something is not kept yet, which the source gives again."""


class SourceRun:
    """Draws a source until it is told to stop.

    What the source, the disk or the database refuses is tried again, and what came is held back meanwhile; a fault of this program ends it.
    """

    def __init__(self, parts: SourceParts) -> None:
        self.parts = parts
        self.figures = SourceFigures()
        self._standing = StandingFaults(self._say)

    def run(self, stop: Event) -> None:
        """Draw until ``stop`` is set, or the source has no more."""
        while not stop.is_set():
            try:
                return self._draw(stop)
            except _StoppedError:
                return None
            except AndonError as error:
                self._fail(error)
                stop.wait(RETRY_S)
        return None

    def _draw(self, stop: Event) -> None:
        with self.parts.open(self._report, stop) as arrivals:
            for arrival in arrivals:
                self.figures.blocks += 1
                self.figures.last = arrival.time
                self._take(arrival, stop)

    def _take(self, arrival: Arrival, stop: Event) -> None:
        try:
            for piece in arrival.pieces:
                self._keep(piece, stop)
        except InputError as error:  # no second try makes another thing of it
            self._fail(error)
        else:
            self._standing.clear_all()
            self.figures.failure = None

    def _keep(self, piece: Piece, stop: Event) -> None:
        """Keep a piece, however long the disk or the database refuse it. Raises ``_StoppedError``, or ``InputError``."""
        while not stop.is_set():
            try:
                self.parts.room.check()
                piece.keep()
            except ResourceError as error:
                self._fail(error)
                stop.wait(RETRY_S)
            else:
                self.figures.heard[piece.asset] = datetime.now(UTC)
                return
        raise _StoppedError

    def _report(self, error: AndonError) -> None:
        """Take what the source says is wrong; where that is more than one record, its machines are not heard any more."""
        self.figures.failure = error
        self._say(error)
        if not isinstance(error, RecordError):
            for asset in list(self.figures.heard):
                self.parts.lost(asset)

    def _fail(self, error: AndonError) -> None:
        self.figures.failure = error
        self._standing.note(error)

    def _say(self, error: AndonError) -> None:
        said = {"source": self.parts.name, "code": error.code, "reason": str(error)}
        logger.warning("sensor", extra={"fields": said})
