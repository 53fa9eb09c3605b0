"""Records that lie in files, delivered as sensors would have."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from andon.datasets.vibration.hints import NOTHING, RecordHints
from andon.datasets.vibration.records import read_blocks
from andon.models.types.errors import RecordError
from andon.models.types.vibration import Signal

BLOCK_S = 10.0
"""Seconds of a record that are held at one time: 2 MB at 25.6 kHz."""

UNTIMED = datetime(1970, 1, 1, tzinfo=UTC)
"""When the first record was taken where none says: nobody takes it for a real date."""

Report = Callable[[Path, RecordError], None]
"""Told of each record that cannot be read; the others are delivered."""


@dataclass(frozen=True)
class RecordFiles:
    """A ``SignalSource`` over record files, in their order.

    A record without a time is taken to have begun ``interval`` after the one before it of the same sensor. A record that names no
    asset is one of the asset ``asset``.

    Parameters
    ----------
    report
        Told of each record that cannot be read.
    start
        When the first record of each sensor was taken, where it does not say.
    taken_until
        By asset and sensor, until when an earlier run has taken samples: what ends before is left out.
    """

    paths: Sequence[Path]
    interval: timedelta
    report: Report
    asset: str = ""
    hints: RecordHints = NOTHING
    start: datetime = UNTIMED
    taken_until: Mapping[tuple[str, str], datetime] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open between two records."""

    def blocks(self) -> Iterator[Signal]:
        """Deliver the records block by block."""
        taken: Counter[tuple[str, str]] = Counter()
        for path in self.paths:
            try:
                yield from self._blocks(path, taken)
            except RecordError as error:
                self.report(path, error)

    def _blocks(self, path: Path, taken: Counter[tuple[str, str]]) -> Iterator[Signal]:
        elapsed_s = 0.0
        start: datetime | None = None
        for block in read_blocks(path, self.hints, BLOCK_S):
            named = replace(block, asset=block.asset or self.asset)
            if start is None:
                start = named.time or self.start + self.interval * taken[named.asset, named.sensor]
                taken[named.asset, named.sensor] += 1
            timed = replace(named, time=start + timedelta(seconds=elapsed_s))
            elapsed_s += block.duration_s
            if not self._was_taken(timed, start + timedelta(seconds=elapsed_s)):
                yield timed

    def _was_taken(self, block: Signal, end: datetime) -> bool:
        until = self.taken_until.get((block.asset, block.sensor))
        return until is not None and end <= until
