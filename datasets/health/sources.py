"""What a health model is taught from and judged on, by the text that a user gives for it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from andon.datasets.vibration.folders import folder_name
from andon.datasets.vibration.skab import COLUMNS, FIT_ROWS, SkabRun, skab_card, skab_runs
from andon.datasets.vibration.sources import open_records
from andon.models.health.operating import Row, measure
from andon.models.health.settings import SNAPSHOTS, FeatureContract, HealthSettings, Source, Transform
from andon.models.monitoring.features import DEFAULT_FEATURES, feature_rows
from andon.models.monitoring.watch import watched_name
from andon.models.types.errors import DataError, OptionError, RecordError
from andon.models.types.progress import Progress, silent
from andon.models.types.vibration import HEALTHY, RecordSample, RecordSet, Signal, Unit
from andon.models.types.vision import DataCard, Split
from andon.models.vibration.units import Quantity, quantity_of

SKAB = "skab:"
TEMPERATURES = ("Temperature", "Thermocouple")
"""Left out: they follow the weather and how long the rig has run."""

MIN_WINDOW, MAX_WINDOW = 512, 16_384
"""Powers of two, for the transforms: 20 ms and 0.64 s at 25.6 kHz."""


@dataclass(frozen=True, slots=True, eq=False)
class JudgedRun:
    """Rows of one machine in the order of time, with the truth about each.

    Parameters
    ----------
    name
        What it is called in the data set.
    asset
        Whose baseline it is judged by.
    truth
        ``[n]``, bool: anomalous or not.
    first_row
        Number of the first row in its file, for predictions.
    counts
        Whether its rows count among the figures; the run that is known to be free of anomalies is reported beside them.
    """

    name: str
    asset: str
    rows: Sequence[Row]
    truth: NDArray[np.bool_]
    first_row: int = 0
    counts: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class HealthData:
    """Rows of healthy machines to learn from, by asset, and runs to judge."""

    contract: FeatureContract
    settings: HealthSettings
    card: DataCard
    rows: Mapping[str, Sequence[Row]]
    runs: Sequence[JudgedRun]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a user asks of the features; None where the data decide.

    ``window`` is in samples, a power of two; ``rate_hz`` is the rate that faster records are brought down to.
    """

    window: int | None = None
    rate_hz: float | None = None


Report = Callable[[RecordError], None]
"""Told of each record that cannot be used; the others are."""


def refuse(error: RecordError) -> None:
    """Let one record that cannot be used stop the work."""
    raise error


def open_health_data(
    source: str, wishes: Wishes, seed: int, home: Path, progress: Progress = silent, report: Report = refuse
) -> HealthData:
    """Read ``skab:DIR``, or records: a folder, ``synthetic:bearing`` or ``mfpt``.

    Parameters
    ----------
    home
        Where fetched data sets are kept.
    report
        Told of each record that cannot be read, or is of no acceleration.

    Raises
    ------
    DataError
        There is no such set, or no healthy record to learn from.
    OptionError
        The window is no power of two in its range.
    """
    if source.startswith(SKAB):
        return _of_skab(Path(source.removeprefix(SKAB)))
    return _of_records(source, open_records(source, seed, home=home), wishes, progress, report)


def runs_for(
    contract: FeatureContract,
    source: str,
    seed: int,
    home: Path,
    progress: Progress = silent,
    report: Report = refuse,
) -> list[JudgedRun]:
    """Read the runs that a model with ``contract`` is judged on.

    Raises
    ------
    DataError
        The set offers other measures than the model takes, or no labelled record of it is for the test.
    """
    check_source(contract, source)
    if contract.source is Source.COLUMNS:
        return _skab_judged(skab_runs(Path(source.removeprefix(SKAB))))
    tests = _parts(open_records(source, seed, home=home))[1]
    if not tests:
        raise DataError("health.no_test", source)
    return _judged_runs(tests, _name_of(source), contract, progress, report)


def check_source(contract: FeatureContract, source: str) -> None:
    """Refuse a source that offers other measures than a model with ``contract`` takes.

    Raises
    ------
    DataError
        It does.
    """
    if (contract.source is Source.COLUMNS) is not source.startswith(SKAB):
        raise DataError("health.other_source", source, expected=contract.source.value)


def _of_skab(folder: Path) -> HealthData:
    names = tuple(name for name in COLUMNS if name not in TEMPERATURES)
    contract = FeatureContract(Source.COLUMNS, names, (Transform.IDENTITY,) * len(names))
    runs = skab_runs(folder)
    rows = {run.name: _skab_rows(run, slice(FIT_ROWS)) for run in runs}
    return HealthData(contract, HealthSettings(), skab_card(folder), rows, _skab_judged(runs))


def _skab_judged(runs: Sequence[SkabRun]) -> list[JudgedRun]:
    after = slice(FIT_ROWS, None)
    return [
        JudgedRun(run.name, run.name, _skab_rows(run, after), run.anomaly[after], FIT_ROWS, not run.is_free)
        for run in runs
    ]


def _skab_rows(run: SkabRun, which: slice) -> list[Row]:
    return [dict(zip(run.columns, values, strict=True)) for values in run.values[which].tolist()]


def _of_records(source: str, records: RecordSet, wishes: Wishes, progress: Progress, report: Report) -> HealthData:
    healthy, tests = _parts(records)
    if not healthy:
        raise DataError("health.no_healthy", source)
    name = _name_of(source)
    signals = _read(healthy, name, progress, report)
    if not signals:
        raise DataError("health.no_healthy", source)
    contract = _contract(signals, wishes)
    rows = _rows_by_asset(signals, contract)
    runs = _judged_runs(tests, name, contract, progress, report)
    return HealthData(contract, SNAPSHOTS, records.card, rows, runs)


def _name_of(source: str) -> str:
    """The machine of records that name none."""
    return folder_name(Path(source))


def _parts(records: RecordSet) -> tuple[list[RecordSample], list[RecordSample]]:
    """Records to learn from and labelled ones to judge; without a label they are learned from, as whoever gives them means.

    A set that is all for the test still has its healthy records to begin with, as a new machine has; they are not judged.
    """
    test = [sample for sample in records.samples(Split.TEST) if sample.label]
    healthy = [sample for sample in records.samples(Split.TRAIN) if sample.label in (HEALTHY, "")]
    if healthy:
        return healthy, test
    return [each for each in test if each.label == HEALTHY], [each for each in test if each.label != HEALTHY]


def _read(samples: Sequence[RecordSample], unnamed: str, progress: Progress, report: Report) -> dict[str, list[Signal]]:
    """Signals by whose baseline they belong to, in the set's order."""
    signals: dict[str, list[Signal]] = {}
    for _, signal in _usable(samples, partial(progress, "health.reading"), report):
        signals.setdefault(_baseline_of(signal, unnamed), []).append(signal)
    return signals


def _usable(
    samples: Sequence[RecordSample], advance: Callable[[int, int], None], report: Report
) -> Iterator[tuple[RecordSample, Signal]]:
    """Read one record after the other, and leave out those that cannot be used."""
    for done, sample in enumerate(samples, start=1):
        try:
            signal = sample.signal()
            if quantity_of(signal.unit) is not Quantity.ACCELERATION:
                raise RecordError("health.no_acceleration", sample.name, found=signal.unit.value)
        except RecordError as error:
            report(error)
        else:
            yield sample, signal
        advance(done, len(samples))


def _baseline_of(signal: Signal, unnamed: str) -> str:
    return watched_name(signal.asset or unnamed, signal.sensor)


def _contract(signals: Mapping[str, Sequence[Signal]], wishes: Wishes) -> FeatureContract:
    listed = [signal for group in signals.values() for signal in group]
    rate_hz = wishes.rate_hz or min(signal.rate_hz for signal in listed)
    window = _window(signals, rate_hz) if wishes.window is None else _checked(wishes.window)
    probe = np.random.default_rng(0).standard_normal((1, window))
    names = tuple(name for name in DEFAULT_FEATURES if _is_measured(name, probe, rate_hz))
    return FeatureContract(Source.INDICATORS, names, (Transform.LOG,) * len(names), window, rate_hz)


def _checked(window: int) -> int:
    if not MIN_WINDOW <= window <= MAX_WINDOW or window & (window - 1):
        raise OptionError("health.window", "--window", found=window, low=MIN_WINDOW, high=MAX_WINDOW)
    return window


def _window(signals: Mapping[str, Sequence[Signal]], rate_hz: float) -> int:
    """The longest window of which every machine has enough; the shortest where none is short enough."""
    shortest = min(sum(signal.duration_s for signal in group) for group in signals.values())
    longest = max(1, int(shortest * rate_hz / SNAPSHOTS.commissioning_rows))
    return max(MIN_WINDOW, min(MAX_WINDOW, 1 << (longest.bit_length() - 1)))


def _is_measured(name: str, probe: NDArray[np.float64], rate_hz: float) -> bool:
    """Whether a window of this length at this rate allows the indicator."""
    contract = FeatureContract(Source.INDICATORS, (name,), (Transform.LOG,), probe.shape[1], rate_hz)
    ((row,),) = feature_rows(probe, rate_hz, Unit.M_S2, None, contract)
    return bool(np.isfinite(measure(row, name)))


def _rows_by_asset(signals: Mapping[str, Sequence[Signal]], contract: FeatureContract) -> dict[str, list[Row]]:
    return {asset: [row for signal in group for row in rows_of(signal, contract)] for asset, group in signals.items()}


def rows_of(signal: Signal, contract: FeatureContract) -> list[Row]:
    """Rows of one record: a row for each window of it."""
    return feature_rows(signal.samples[None], signal.rate_hz, signal.unit, signal.rpm, contract)[0]


def _judged_runs(
    samples: Sequence[RecordSample], unnamed: str, contract: FeatureContract, progress: Progress, report: Report
) -> list[JudgedRun]:
    """One run for each record, in the set's order."""
    runs = []
    for sample, signal in _usable(samples, partial(progress, "health.measuring"), report):
        rows = rows_of(signal, contract)
        truth = np.full(len(rows), sample.label != HEALTHY)
        runs.append(JudgedRun(sample.name, _baseline_of(signal, unnamed), rows, truth))
    return runs
