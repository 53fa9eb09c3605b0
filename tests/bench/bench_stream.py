"""What assembling, batching and deciding cost beside the analysis: snapshots a second on one core, by processor time."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from types import TracebackType
from typing import Self

import numpy as np
from scipy.fft import rfft
from tests.bench.figures import print_figure

from andon.models.alerts.case import AlertKind, AlertPolicy, Observation
from andon.models.stream.engine import StreamEngine, run
from andon.models.stream.windows import Analyse, Counters, Snapshots, StreamOptions
from andon.models.types.vibration import Signal, Unit

WINDOW, RATE_HZ, SENSORS, WINDOWS = 16_384, 25_600.0, 1000, 4
ROUNDS = 5
START = datetime(2026, 1, 1, tzinfo=UTC)


class _Recorded:
    """A recording of many sensors, four at each asset, that repeats its samples, so that it fits the memory."""

    def __init__(self, length: int, order: Callable[[list[Signal]], list[Signal]]) -> None:
        generator = np.random.default_rng(0)
        pool = generator.normal(size=(64, length))
        count = WINDOW * WINDOWS // length
        self._blocks = order(
            [
                Signal(
                    pool[(7 * index + sensor) % len(pool)],
                    RATE_HZ,
                    Unit.G,
                    f"sensor-{sensor}",
                    f"asset-{sensor // 4}",
                    START + timedelta(seconds=index * length / RATE_HZ),
                )
                for index in range(count)
                for sensor in range(SENSORS)
            ]
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def blocks(self) -> Iterator[Signal]:
        return iter(self._blocks)


def main(_: Sequence[str] = ()) -> None:
    """Print one JSON object a figure."""
    _report("windows as they are, no analysis", _nothing, _Recorded(WINDOW, list))
    _report("blocks of 4,096, no analysis", _nothing, _Recorded(4096, list))
    _report("blocks of 4,096 out of order, a tenth twice, no analysis", _nothing, _Recorded(4096, _disordered))
    _report("blocks of 4,096, two observations a snapshot to the alert rules", _two_normal, _Recorded(4096, list))
    _report(
        "blocks of 4,096, a spectrum of each snapshot as analysis, for comparison", _spectrum, _Recorded(4096, list)
    )


def _report(what: str, analyse: Analyse, source: _Recorded) -> None:
    rounds = [_measure(analyse, source) for _ in range(ROUNDS + 1)][1:]
    counters = rounds[0][1]
    print_figure(
        f"stream engine, snapshots of {WINDOW} samples a second on one core: {what}",
        value=round(counters.snapshots / median(cpu_s for cpu_s, _ in rounds)),
        bound=">= 3000",
        sensors=SENSORS,
        blocks=counters.blocks,
        snapshots=counters.snapshots,
        duplicates=counters.duplicates,
        late=counters.late,
    )


def _measure(analyse: Analyse, source: _Recorded) -> tuple[float, Counters]:
    engine = StreamEngine(analyse, AlertPolicy(), StreamOptions(window=WINDOW, hop=WINDOW))
    started = time.process_time()
    for _ in run(engine, source):
        pass
    return time.process_time() - started, engine.counters


def _nothing(batch: Snapshots) -> list[Observation]:
    return []


def _two_normal(batch: Snapshots) -> list[Observation]:
    return [
        Observation(head.asset, head.sensor, head.time, valid=True, abnormal=False, kind=kind)
        for head in batch.heads
        for kind in (AlertKind.ANOMALY, AlertKind.FAULT)
    ]


def _spectrum(batch: Snapshots) -> list[Observation]:
    np.abs(rfft(batch.samples, axis=1))
    return []


def _disordered(blocks: list[Signal]) -> list[Signal]:
    """Each block at most two of its sensor's turns late, and every tenth sent again."""
    generator = np.random.default_rng(1)
    turns = np.arange(len(blocks)) + generator.uniform(0, 2 * SENSORS, len(blocks))
    shuffled = [blocks[index] for index in np.argsort(turns, kind="stable")]
    return [again for index, block in enumerate(shuffled) for again in [block] * (2 if index % 10 == 0 else 1)]


if __name__ == "__main__":
    main(sys.argv[1:])
