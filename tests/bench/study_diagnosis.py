"""How the settings of diagnosis by physics were chosen, and what they reach on generated machines and on MFPT.

``python -m tests.bench.study_diagnosis [PART...]`` prints the parts that are named, or all that need no data:

``--search``
    how many of a set of bearing faults each way to look for a comb finds;
``--sweep``
    what is said of each fault at each ratio of its power to the noise's;
``--set``
    false declarations on healthy machines, and the right part among the declared faults, over 200 seeds;
``--cage``
    the same for damaged cages, which need three times as long a record;
``--null``
    how often the p-value of a fault-free record falls below 0.05;
``--mesh``
    how each share of fading ends copes with a strong gear mesh;
``--table``
    simulates ``models/vibration/comb_null.npz`` again, says whether it is as shipped, and writes it where it is not;
``--mfpt``
    the twenty records of MFPT, which must lie under ``ANDON_HOME`` (``andon data fetch mfpt``).

Takes about half an hour on two cores. What is chosen is chosen on machines other than those that are reported.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from itertools import pairwise
from multiprocessing import Pool
from pathlib import Path
from time import perf_counter
from typing import TypeVar

import numpy as np

from andon.datasets.synthetic.bearings.draws import random_machine, random_scenario
from andon.datasets.synthetic.bearings.generator import generate
from andon.datasets.synthetic.bearings.scenario import SHAFT_FAULTS, Gear, Scenario, SyntheticRecord
from andon.datasets.vibration.mfpt import open_mfpt
from andon.models.types.vibration import Bearing, Diagnosis, Fault, Machine, MachineClass, Signal
from andon.models.types.vision import Split
from andon.models.vibration import comb_null
from andon.models.vibration.bearing_faults import (
    SIGNIFICANCE,
    fault_fundamentals,
    impulsive_from,
    unexplained,
)
from andon.models.vibration.comb import SEARCH, Search, best_comb
from andon.models.vibration.comb_null import N_DRAWS, PERIODS, TABLE, CombNull, encode, tabulate
from andon.models.vibration.diagnosis import PhysicsDiagnoser
from andon.models.vibration.envelope import Envelope, ics2, modulation_spectrum, record_envelope
from andon.models.vibration.mains import MAINS_HZ

PROCESSES = 2
CHOOSING, REPORTED = 1, 2
"""Streams of random numbers: what is chosen is not chosen on what is reported."""

SEEDS = 200
DURATION_S = 4.0
CAGE_DURATION_S = 12.0
"""A hundred periods of a cage at 0.4 x 1,500 rpm take ten seconds."""

SEVERE = MachineClass("iso10816-3", "2", "rigid")
"""Zone C begins at 2.8 mm/s, where the generated shaft faults begin."""

RACES = (Fault.OUTER_RACE, Fault.INNER_RACE, Fault.ROLLING_ELEMENT)
JUDGED = (*RACES, *SHAFT_FAULTS)
SNR_DB = (0.0, -6.0, -10.0, -14.0, -18.0)
SEVERITIES_MM_S = (2.8, 4.5, 7.1, 11.0)
SWEEP_SEEDS = 40

HARMONICS = (2, 3, 4, 5, 6)
JITTERS = (0.0002, 0.001, 0.002, 0.004)
SEARCH_SEEDS = 40
SEARCH_DRAWS = 1000
SEARCH_PERIODS = np.geomspace(50, 3200, 7)

EDGE_SHARES = (0.0, 0.005, 0.01, 0.02)
MESH_RATIOS = (0.0, 3.0, 30.0, 300.0)
"""Amplitude of a gear's mesh over the RMS of the noise: a quiet gear, a common one, a loud one, and one that fills the range."""
MESH_SEEDS = 20
MESH_SNR_DB = -6.0

NULL_RECORDS = 2000
OUTCOMES = ("right", "wrong", "unknown", "faint", "none", "too short")
BOTH = (Fault.UNBALANCE, Fault.MISALIGNMENT)

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Case:
    """A record to generate: its stream and seed, its fault, and what is not left to chance."""

    stream: int
    seed: int
    fault: Fault
    duration_s: float = DURATION_S
    snr_db: float | None = None
    severity_mm_s: float | None = None
    mesh_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of a case. ``snr_db`` and ``gears`` are the truth about it."""

    case: Case
    fault: Fault
    outcome: str
    p_value: float | None
    snr_db: float
    gears: int


def main(words: Sequence[str]) -> None:
    """Print the parts that ``words`` name."""
    for word in words or [name for name in PARTS if name not in ("--table", "--mfpt")]:
        started = perf_counter()
        print(f"\n## {word}\n", flush=True)
        PARTS[word]()
        print(f"{word}: {perf_counter() - started:.0f} s", file=sys.stderr)


def drawn(case: Case) -> Scenario:
    """Draw the machine of a case, and damage it."""
    rng = np.random.default_rng([case.stream, case.seed, list(Fault).index(case.fault)])
    scenario = random_machine(rng) if case.fault is Fault.NONE else random_scenario(rng, case.fault)
    return replace(
        scenario,
        duration_s=case.duration_s,
        snr_db=scenario.snr_db if case.snr_db is None else case.snr_db,
        severity_mm_s=scenario.severity_mm_s if case.severity_mm_s is None else case.severity_mm_s,
        gears=scenario.gears if case.mesh_ratio is None else (Gear(31, case.mesh_ratio * scenario.noise_g),),
    )


def described(scenario: Scenario) -> Machine:
    """Return what the owner of a generated machine would know of it."""
    return Machine(
        rpm=scenario.rpm,
        machine_class=SEVERE,
        line_hz=scenario.hum.line_hz if scenario.hum else None,
        bearings=(Bearing("", scenario.orders, "generated"),),
        teeth=tuple(gear.teeth for gear in scenario.gears),
    )


def diagnosed(case: Case) -> Said:
    """Generate the record of a case and diagnose it."""
    scenario = drawn(case)
    found = PhysicsDiagnoser().diagnose(_record(case, scenario).signal, described(scenario))
    return Said(case, found.fault, outcome(found, case.fault), found.p_value, scenario.snr_db, len(scenario.gears))


def outcome(found: Diagnosis, truth: Fault) -> str:
    """Say in a word how a diagnosis relates to the truth. Whoever says "unbalance or misalignment" is right about both."""
    if found.fault is Fault.UNKNOWN:
        return "too short" if "diagnosis.too_short" in found.limits and found.p_value is None else "unknown"
    if found.fault is Fault.NONE:
        return "faint" if "diagnosis.faint_line" in found.limits else "none"
    is_right = found.fault is truth or (found.fault is Fault.UNBALANCE_OR_MISALIGNMENT and truth in BOTH)
    return "right" if is_right else "wrong"


def mapped(work: Callable[[Item], Result], items: Sequence[Item], what: str) -> Iterator[Result]:
    """Work off ``items`` in ``PROCESSES``, in their order; say on standard error how far it is."""
    with Pool(PROCESSES) as pool:
        for done, result in enumerate(pool.imap(work, items, chunksize=4), start=1):
            yield result
            if done % 50 == 0 or done == len(items):
                print(f"{what}: {done} of {len(items)}", file=sys.stderr, flush=True)


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table in Markdown."""
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |", flush=True)


def print_search() -> None:
    """Print how many faults each search finds, in the order of the settings."""
    searches = [Search(harmonics, 0.02, jitter) for harmonics in HARMONICS for jitter in JITTERS]
    nulls = list(mapped(_small_null, searches, "noise"))
    cases = [Case(CHOOSING, seed, fault) for seed in range(SEARCH_SEEDS) for fault in RACES]
    found = np.sum(list(mapped(partial(_found_by, searches, nulls), cases, "search")), axis=0)
    rows = found.reshape(len(HARMONICS), len(JITTERS))
    print(
        f"named of {len(cases)} ({SEARCH_SEEDS} seeds x {len(RACES)} faults, {DURATION_S:g} s), by harmonics and jitter\n"
    )
    print_table(("harmonics", *map(str, JITTERS)), [(n, *row) for n, row in zip(HARMONICS, rows, strict=True)])


def print_mesh() -> None:
    """Print how many healthy machines are impulsive and how many faults are named beside a gear mesh, by the share that fades."""
    cases = [
        replace(Case(CHOOSING, seed, fault), mesh_ratio=ratio)
        for ratio in MESH_RATIOS
        for fault in (Fault.NONE, *RACES)
        for seed in range(MESH_SEEDS)
    ]
    seen = np.array(list(mapped(_beside_mesh, cases, "mesh")))
    by_ratio = seen.reshape(len(MESH_RATIOS), 1 + len(RACES), MESH_SEEDS, len(EDGE_SHARES), 2)
    impulsive, named = by_ratio[:, 0, :, :, 0].sum(axis=1), by_ratio[:, 1:, :, :, 1].sum(axis=(1, 2))
    print(
        f"of {MESH_SEEDS} healthy machines impulsive, of {MESH_SEEDS * len(RACES)} faults named ({MESH_SNR_DB:g} dB)\n"
    )
    print_table(
        ("share that fades", *(f"mesh {ratio:g} x noise" for ratio in MESH_RATIOS)),
        [
            (share, *(f"{impulsive[row, column]}, {named[row, column]}" for row in range(len(MESH_RATIOS))))
            for column, share in enumerate(EDGE_SHARES)
        ],
    )


def print_sweep() -> None:
    """Print what is said of each fault, by its strength."""
    weak = [
        Case(CHOOSING, seed, fault, snr_db=snr_db)
        for fault in RACES
        for snr_db in SNR_DB
        for seed in range(SWEEP_SEEDS)
    ]
    severe = [
        Case(CHOOSING, seed, fault, severity_mm_s=severity)
        for fault in SHAFT_FAULTS
        for severity in SEVERITIES_MM_S
        for seed in range(SWEEP_SEEDS)
    ]
    said = list(mapped(diagnosed, [*weak, *severe], "sweep"))
    keys = dict.fromkeys((each.case.fault, each.case.snr_db, each.case.severity_mm_s) for each in said)
    print_outcomes(
        {
            f"{fault.value}, {f'{snr_db:g} dB' if snr_db is not None else f'{severity:g} mm/s'}": [
                each
                for each in said
                if (each.case.fault, each.case.snr_db, each.case.severity_mm_s) == (fault, snr_db, severity)
            ]
            for fault, snr_db, severity in keys
        }
    )


def print_set() -> None:
    """Print false and right declarations on the reported set."""
    cases = [Case(REPORTED, seed, fault) for seed in range(SEEDS) for fault in (Fault.NONE, *JUDGED)]
    said = list(mapped(diagnosed, cases, "set"))
    print_outcomes(
        {
            "healthy": [each for each in said if each.case.fault is Fault.NONE],
            **{fault.value: [each for each in said if each.case.fault is fault] for fault in JUDGED},
            "all faults": [each for each in said if each.case.fault is not Fault.NONE],
            **_by_snr([each for each in said if each.case.fault in RACES]),
        }
    )


def print_cage() -> None:
    """Print the same for cages, whose records must be longer."""
    cases = [Case(REPORTED, seed, Fault.CAGE, CAGE_DURATION_S) for seed in range(SEEDS)]
    cases += [Case(REPORTED, SEEDS + seed, Fault.NONE, CAGE_DURATION_S) for seed in range(SEEDS)]
    said = list(mapped(diagnosed, cases, "cage"))
    print_outcomes(
        {
            f"healthy, {CAGE_DURATION_S:g} s": [each for each in said if each.case.fault is Fault.NONE],
            f"cage, {CAGE_DURATION_S:g} s": [each for each in said if each.case.fault is Fault.CAGE],
        }
    )


def print_null() -> None:
    """Print how often noise, shaft, gears and mains have a low p-value."""
    cases = [Case(REPORTED, 10_000 + seed, Fault.NONE) for seed in range(NULL_RECORDS)]
    said = list(mapped(diagnosed, cases, "null"))
    groups = {
        "all": said,
        "with a gear": [each for each in said if each.gears],
        "without": [each for each in said if not each.gears],
    }
    print_table(
        ("fault-free records", "records", "with a p-value", f"P(p < {SIGNIFICANCE})", "declared"),
        [(name, len(group), *_null_row(group)) for name, group in groups.items()],
    )


def print_comparison_of_tables() -> None:
    """Simulate the table again; write it where it is not as shipped."""
    shipped = files(comb_null.__package__).joinpath(TABLE)
    fresh = encode(tabulate(PERIODS, N_DRAWS, 0))
    print(f"{TABLE}: {'as' if shipped.read_bytes() == fresh else 'not as'} shipped, {len(fresh)} bytes")
    if shipped.read_bytes() != fresh:
        Path(str(shipped)).write_bytes(fresh)


def print_mfpt() -> None:
    """Print what is said of each record of MFPT."""
    records = open_mfpt(Path(os.environ["ANDON_HOME"]))
    said = [(sample, PhysicsDiagnoser().diagnose(sample.signal(), Machine())) for sample in records.samples(Split.TEST)]
    print_table(
        ("record", "truth", "said", "p", "decoys etc."),
        [
            (s.name, s.label, d.fault.value, f"{d.p_value:.2g}" if d.p_value else "-", ", ".join(d.limits))
            for s, d in said
        ],
    )
    for label in dict.fromkeys(sample.label for sample, _ in said):
        group = [found.fault.value for sample, found in said if sample.label == label]
        print(f"{label}: {group.count(label)} of {len(group)}")


def print_outcomes(groups: Mapping[str, Sequence[Said]]) -> None:
    """Print how each group was judged, with what was declared wrongly."""
    print_table(("group", "records", *OUTCOMES, "right of declared %", "abstention %", "wrong ones"), _rows(groups))


def _rows(groups: Mapping[str, Sequence[Said]]) -> Iterator[tuple[object, ...]]:
    for name, said in groups.items():
        counts = Counter(each.outcome for each in said)
        declared = counts["right"] + counts["wrong"]
        right = f"{100 * counts['right'] / declared:.1f}" if declared else "-"
        wrong = Counter(each.fault.value for each in said if each.outcome == "wrong")
        yield (
            name,
            len(said),
            *(counts[each] for each in OUTCOMES),
            right,
            f"{100 * (1 - declared / len(said)):.1f}",
            ", ".join(f"{count} {fault}" for fault, count in wrong.most_common()),
        )


def _by_snr(said: Sequence[Said]) -> dict[str, list[Said]]:
    edges = [6.0, 0.0, -6.0, -9.0, -12.0]
    return {
        f"bearing, {low:g} to {high:g} dB": [each for each in said if low <= each.snr_db < high]
        for high, low in pairwise(edges)
    }


def _null_row(said: Sequence[Said]) -> tuple[object, ...]:
    with_p = [each.p_value for each in said if each.p_value is not None]
    low = np.mean(np.array(with_p) < SIGNIFICANCE)
    return (
        len(with_p),
        f"{low:.4f} +- {(low * (1 - low) / len(with_p)) ** 0.5:.4f}",
        sum(each.outcome == "wrong" for each in said),
    )


def _record(case: Case, scenario: Scenario) -> SyntheticRecord:
    return generate(scenario, case.stream * 1_000_000 + case.seed)


def _small_null(search: Search) -> CombNull:
    return tabulate(SEARCH_PERIODS, SEARCH_DRAWS, 0, search)


def _found_by(searches: Sequence[Search], nulls: Sequence[CombNull], case: Case) -> list[bool]:
    scenario = drawn(case)
    signal = _record(case, scenario).signal
    envelope = record_envelope(signal.samples, signal.rate_hz)
    return [
        _named(envelope, signal, scenario, search, null) is case.fault
        for search, null in zip(searches, nulls, strict=True)
    ]


def _beside_mesh(case: Case) -> list[tuple[bool, bool]]:
    """For each share that fades, whether the record is impulsive, and whether its fault is named."""
    scenario = replace(drawn(case), snr_db=MESH_SNR_DB)
    signal = _record(case, scenario).signal
    envelopes = [record_envelope(signal.samples, signal.rate_hz, share) for share in EDGE_SHARES]
    return [
        (
            bool(ics2(each.squared) > impulsive_from(len(each.squared))),
            _named(each, signal, scenario, SEARCH, comb_null.comb_null()) is case.fault,
        )
        for each in envelopes
    ]


def _named(envelope: Envelope, signal: Signal, scenario: Scenario, search: Search, null: CombNull) -> Fault | None:
    """The fault with the highest excess, where noise seldom has it: the comb alone, without decoys and impulsiveness."""
    shaft_hz, resolution_hz = (signal.rpm or 0.0) / 60, envelope.resolution_hz
    left = unexplained(modulation_spectrum(envelope.squared), resolution_hz, shaft_hz, MAINS_HZ)
    orders = fault_fundamentals(scenario.orders)
    combs = {fault: best_comb(left, resolution_hz, orders[fault] * shaft_hz, search) for fault in RACES}
    best = max(combs, key=lambda fault: null.excess(combs[fault].score, combs[fault].periods))
    p_value = min(null.p_value(comb.score, comb.periods) for comb in combs.values())
    return best if 1 - (1 - p_value) ** len(combs) < SIGNIFICANCE else None


PARTS: Mapping[str, Callable[[], None]] = {
    "--search": print_search,
    "--mesh": print_mesh,
    "--sweep": print_sweep,
    "--set": print_set,
    "--cage": print_cage,
    "--null": print_null,
    "--table": print_comparison_of_tables,
    "--mfpt": print_mfpt,
}


if __name__ == "__main__":
    main(sys.argv[1:])
