"""Process values of machines that do not exist."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

import numpy as np

from andon.models.types.errors import OptionError
from andon.models.types.vibration import TimedRow


@dataclass(frozen=True, slots=True)
class SimulatedMeasure:
    """A process value that scatters around a mean that drifts.

    Parameters
    ----------
    deviation
        Standard deviation of its Gaussian scatter.
    drift_h
        By how much the mean grows in an hour.
    """

    mean: float
    deviation: float = 0.0
    drift_h: float = 0.0


@dataclass(frozen=True)
class SimulatedRows:
    """A ``RowSource`` of values that are drawn.

    At ``start`` and each ``interval`` after it every asset delivers a row, ``count`` times. It never waits: time passes as fast as
    rows are read.

    Parameters
    ----------
    start
        In UTC.
    absent
        Share of values that could not be had, from 0 to 1.
    """

    assets: Sequence[str]
    measures: Mapping[str, SimulatedMeasure]
    start: datetime
    interval: timedelta
    count: int
    absent: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.absent <= 1:
            raise OptionError("acquisition.share", "absent", found=self.absent)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open."""

    def rows(self) -> Iterator[TimedRow]:
        """Deliver the rows."""
        for turn in range(self.count):
            for place, asset in enumerate(self.assets):
                rng = np.random.default_rng([self.seed, turn, place])
                measures = {name: self._value(measure, turn, rng) for name, measure in self.measures.items()}
                yield TimedRow(asset, self.start + turn * self.interval, measures)

    def _value(self, measure: SimulatedMeasure, turn: int, rng: np.random.Generator) -> float | None:
        hours = turn * self.interval / timedelta(hours=1)
        value = measure.mean + measure.drift_h * hours + measure.deviation * rng.standard_normal()
        return None if rng.uniform() < self.absent else float(value)
