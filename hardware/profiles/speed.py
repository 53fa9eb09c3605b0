"""What a device can do with a bundle: how long an inspection takes, how many there are a second, and which takt that holds."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter

import numpy as np

from andon.models.types.progress import Progress, silent
from andon.models.types.vision import Frame

Inspect = Callable[[Frame], object]
Clock = Callable[[], float]
"""Seconds that only ever grow."""

WARM_UP = 20
"""Inspections before those that count: memory is claimed and caches are filled."""

SPREAD = 1.25
"""A takt holds a quarter more than the 99th percentile: for a warm box, and for what a short measurement does not see."""

AROUND_S = 0.02
"""What a part needs around its inspection: two exchanges with the PLC, and record and ledger on the disk. The camera's exposure
and transfer come on top."""

STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Latency:
    """How long inspections took, one after the other, in milliseconds.

    The percentiles are inspections that were seen: as many as said, or more, took no longer.
    """

    inspections: int
    p50_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class Rate:
    """Inspections with several threads that judge at once, as several stations do."""

    judges: int
    per_s: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Speed:
    """What was measured.

    Parameters
    ----------
    latency
        Of one inspection at a time.
    rates
        By the number of threads that judge at once.
    resident_mib
        Memory of the whole process after that; None where the system does not tell.
    """

    latency: Latency
    rates: tuple[Rate, ...]
    resident_mib: float | None

    @property
    def fastest_takt_s(self) -> float:
        """The fastest takt that one station can honestly be promised, in seconds: the 99th percentile with its margins."""
        return SPREAD * self.latency.p99_ms / 1e3 + AROUND_S

    def holds(self, takt_s: float) -> bool:
        """Whether a part every ``takt_s`` seconds can be judged."""
        return takt_s >= self.fastest_takt_s


def measure_speed(
    inspect: Inspect,
    frames: Sequence[Frame],
    inspections: int,
    cores: int,
    progress: Progress,
    clock: Clock = perf_counter,
) -> Speed:
    """Inspect ``frames`` over and over: ``inspections`` times by one thread, then by more at once.

    Parameters
    ----------
    cores
        Threads that judge at once, at most.
    """
    for done, frame in enumerate(islice(cycle(frames), WARM_UP), 1):
        inspect(frame)
        progress("profile.warming", done, WARM_UP)
    durations = list(_timed(inspect, frames, inspections, progress, clock))
    rates = []
    for judges in steps_to(cores):
        rates.append(_rate(inspect, frames, max(1, inspections // judges), judges, clock))
        progress("profile.at_once", judges, cores)
    return Speed(latency_of(durations), tuple(rates), resident_mib())


def latency_of(durations_s: Sequence[float]) -> Latency:
    """Sum up what inspections took.

    >>> latency_of([0.010] * 98 + [0.020, 0.030])
    Latency(inspections=100, p50_ms=10.0, p99_ms=20.0, max_ms=30.0)
    """
    percentiles = np.percentile(np.array(durations_s) * 1e3, [50, 99, 100], method="inverted_cdf")
    return Latency(len(durations_s), *percentiles.round(3).tolist())


def steps_to(cores: int) -> list[int]:
    """Numbers of threads to try: doubled from one, and all.

    >>> steps_to(6)
    [1, 2, 4, 6]
    """
    return sorted({1 << power for power in range(cores.bit_length())} | {cores})


def frames_of(height: int, width: int, count: int = 8) -> list[Frame]:
    """Draw frames of noise: nothing is good about them, so that an inspection also has defects to find, which takes longest."""
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(count)]


def resident_mib() -> float | None:
    """Memory that this process holds, in MiB; None where the system does not tell."""
    if not STATUS.is_file():
        return None
    fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines() if ":" in line)
    return int(fields["VmRSS"].split()[0]) / 1024


def _timed(inspect: Inspect, frames: Sequence[Frame], count: int, progress: Progress, clock: Clock) -> Iterator[float]:
    for done, frame in enumerate(islice(cycle(frames), count), 1):
        started = clock()
        inspect(frame)
        yield clock() - started
        progress("profile.inspecting", done, count)


def _rate(inspect: Inspect, frames: Sequence[Frame], each: int, judges: int, clock: Clock) -> Rate:
    def judge(_: int) -> list[float]:
        return list(_timed(inspect, frames, each, silent, clock))

    with ThreadPoolExecutor(judges) as pool:
        started = clock()
        durations = [duration for judged in pool.map(judge, range(judges)) for duration in judged]
        elapsed = clock() - started
    return Rate(judges, round(len(durations) / elapsed, 1), latency_of(durations).p99_ms)
