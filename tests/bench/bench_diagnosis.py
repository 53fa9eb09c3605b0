"""Diagnosis by physics: how fast it is, and a short version of the figures that ``study_diagnosis`` gives in full.

MFPT is fetched once, into the cache of the benchmarks; where the package index cannot be reached, that is said instead of a figure.
"""

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from os import cpu_count
from statistics import median

import numpy as np
from numpy.typing import NDArray
from tests.bench.figures import bench_cache, print_figure, seconds
from tests.bench.study_diagnosis import (
    JUDGED,
    RACES,
    REPORTED,
    Case,
    Said,
    described,
    diagnosed,
    drawn,
    mapped,
    outcome,
)

from andon.datasets.synthetic.bearings.generator import generate
from andon.datasets.vibration.mfpt import fetch_mfpt, open_mfpt
from andon.models.types.errors import AndonError
from andon.models.types.vibration import Fault, Machine
from andon.models.types.vision import Split
from andon.models.vibration.diagnosis import PhysicsDiagnoser
from andon.models.vibration.envelope import modulation_spectrum, squared_envelope

LONG = 2**17
RATE_HZ = 25_600.0
ROUNDS = 9
WINDOWS = {4096: 15_000, 16_384: 3_000}
"""Windows a second that the envelope must reach, by their samples."""
CHUNK_SAMPLES = 2**17
"""Samples of a chunk: half and a quarter of it were slower, because a chunk has its own costs."""
BATCH_SAMPLES = 2**24
SEEDS = 20
NULL_RECORDS = 400


def main(_: Sequence[str] = ()) -> None:
    """Print one JSON object a figure."""
    _report_speed()
    for samples, bound in WINDOWS.items():
        _report_envelope(samples, bound)
    _report_generated()
    _report_null()
    _report_mfpt()


def _report_speed() -> None:
    scenario = replace(drawn(Case(REPORTED, 0, Fault.OUTER_RACE)), duration_s=LONG / RATE_HZ, snr_db=0.0)
    signal, machine, diagnoser = generate(scenario, 0).signal, described(scenario), PhysicsDiagnoser()
    found = diagnoser.diagnose(signal, machine)
    milliseconds = 1e3 * median(seconds(lambda: diagnoser.diagnose(signal, machine)) for _ in range(ROUNDS))
    print_figure(
        "a whole diagnosis: milliseconds for 131,072 samples",
        value=round(milliseconds, 1),
        bound="<= 200",
        found=found.fault.value,
    )


def _report_envelope(samples: int, bound: int) -> None:
    windows = np.random.default_rng(0).normal(size=(BATCH_SAMPLES // samples, samples)).astype(np.float32)
    threads = cpu_count() or 1
    one, all_cores = (_windows_a_second(windows, count) for count in (1, threads))
    print_figure(
        f"prewhitening and envelope spectrum: windows of {samples:,} samples (float32) a second",
        value=round(all_cores),
        bound=f">= {bound}",
        threads=threads,
        one_thread=round(one),
    )


def _windows_a_second(windows: NDArray[np.float32], threads: int) -> float:
    chunks = np.array_split(windows, windows.size // CHUNK_SAMPLES)
    with ThreadPoolExecutor(threads) as pool:
        taken = [seconds(lambda: list(pool.map(_envelope_spectra, chunks))) for _ in range(ROUNDS)]
    return len(windows) / median(taken)


def _envelope_spectra(chunk: NDArray[np.float32]) -> None:
    modulation_spectrum(squared_envelope(chunk, RATE_HZ))


def _report_generated() -> None:
    cases = [Case(REPORTED, seed, fault) for seed in range(SEEDS) for fault in (Fault.NONE, *JUDGED)]
    said = list(mapped(diagnosed, cases, "generated"))
    healthy = [each for each in said if each.case.fault is Fault.NONE]
    faulty = [each for each in said if each.case.fault is not Fault.NONE]
    print_figure(
        "generated machines: faults declared on healthy ones, %",
        value=_percent(healthy, "wrong"),
        bound="<= 5",
        machines=len(healthy),
    )
    declared = [each for each in faulty if each.outcome in ("right", "wrong")]
    print_figure(
        "generated machines: right among the faults declared, %",
        value=_percent(declared, "right"),
        bound=">= 95",
        faults=len(faulty),
        abstention_percent=round(100 * (1 - len(declared) / len(faulty)), 1),
        lowest_snr_db=round(min(each.snr_db for each in faulty if each.case.fault in RACES), 1),
    )


def _report_null() -> None:
    cases = [Case(REPORTED, 10_000 + seed, Fault.NONE) for seed in range(NULL_RECORDS)]
    p_values = [each.p_value for each in mapped(diagnosed, cases, "fault-free") if each.p_value is not None]
    low = float(np.mean(np.array(p_values) < 0.05))
    print_figure(
        "fault-free records with shaft, gears and mains: P(p < 0.05)",
        value=round(low, 4),
        bound="<= 0.065",
        records=len(p_values),
        standard_error=round((low * (1 - low) / len(p_values)) ** 0.5, 4),
    )


def _report_mfpt() -> None:
    figure = "MFPT: records diagnosed right"
    home = bench_cache()
    try:
        home.mkdir(parents=True, exist_ok=True)
        fetch_mfpt(home)
    except AndonError as error:
        print_figure(figure, value=None, reason=str(error))
        return
    samples = open_mfpt(home).samples(Split.TEST)
    found = {
        sample.name: outcome(PhysicsDiagnoser().diagnose(sample.signal(), Machine()), Fault(sample.label))
        for sample in samples
    }
    faulty = [sample.name for sample in samples if sample.label != Fault.NONE]
    right = sum(found[name] == "right" for name in faulty)
    cleared = sum(found[sample.name] in ("none", "faint") for sample in samples if sample.label == Fault.NONE)
    print_figure(
        figure,
        value=right + cleared,
        faults=f"{right} of {len(faulty)}",
        baselines=f"{cleared} of {len(samples) - len(faulty)}",
    )


def _percent(said: Sequence[Said], wanted: str) -> float:
    return round(100 * sum(each.outcome == wanted for each in said) / len(said), 1)


if __name__ == "__main__":
    main(sys.argv[1:])
