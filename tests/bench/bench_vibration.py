"""Windows of vibration a second, and how long one long record takes. Synthetic noise: the time does not depend on what is in it."""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from statistics import median

import numpy as np
from tests.bench.figures import print_figure, seconds

from andon.models.types.vibration import Signal, Unit
from andon.models.vibration.indicators import indicator_document, waveform_indicators, window_indicators
from andon.models.vibration.integration import Floats
from andon.models.vibration.kurtogram import fast_kurtogram
from andon.models.vibration.order_spectrum import SpeedProfile, angular_resampling
from andon.models.vibration.sensor_health import check_sensor

SAMPLES = 4096
WINDOWS = 8192
LONG = 2**17
RATE_HZ = 12_000.0
RPM = 1750.0
ROUNDS = 7


def main(_: Sequence[str] = ()) -> None:
    """Print one JSON object a figure."""
    windows = np.random.default_rng(0).normal(size=(WINDOWS, SAMPLES)).astype(np.float32)
    _report_rate("waveform indicators", waveform_indicators, windows, bound=">= 100000")
    _report_rate("all indicators", lambda part: window_indicators(part, RATE_HZ, RPM), windows)
    _report_record(np.random.default_rng(1).normal(size=LONG))


def _report_rate(what: str, work: Callable[[Floats], object], windows: Floats, **details: object) -> None:
    threads = cpu_count() or 1
    one, all_cores = (_windows_a_second(work, windows, count) for count in (1, threads))
    print_figure(
        f"{what}: windows of 4,096 samples (float32) a second",
        value=round(all_cores),
        **details,
        threads=threads,
        one_thread=round(one),
    )


def _windows_a_second(work: Callable[[Floats], object], windows: Floats, threads: int) -> float:
    parts = np.array_split(windows, 4 * threads)
    with ThreadPoolExecutor(threads) as pool:
        taken = [seconds(lambda: list(pool.map(work, parts))) for _ in range(ROUNDS)]
    return len(windows) / median(taken)


def _report_record(samples: np.ndarray) -> None:
    signal = Signal(samples, RATE_HZ, Unit.M_S2)
    speed = SpeedProfile(np.array([0.0, signal.duration_s]), np.array([RPM, 1.1 * RPM]))
    tasks: dict[str, tuple[Callable[[], object], str]] = {
        "check of the sensor": (lambda: check_sensor(signal), "<= 2"),
        "indicators": (lambda: indicator_document(signal, RPM), ""),
        "kurtogram": (lambda: fast_kurtogram(samples, RATE_HZ), "<= 300"),
        "angular resampling": (lambda: angular_resampling(samples, RATE_HZ, speed), ""),
    }
    for name, (work, bound) in tasks.items():
        work()
        milliseconds = 1e3 * median(seconds(work) for _ in range(ROUNDS))
        print_figure(f"{name}: milliseconds for 131,072 samples", value=round(milliseconds, 2), bound=bound or None)


if __name__ == "__main__":
    main(sys.argv[1:])
