"""Runs of a water-pump rig with eight sensors at 1 Hz: the Skoltech Anomaly Benchmark, read where it lies.

The protocol: in each of 34 files the first ``FIT_ROWS`` rows fit, the rest is judged, and the judged rows of all files are
pooled; the one run that is free of anomalies is not judged. The rows that fit are not all normal by their labels (296 of 13,600
are not), and rows are not equally spaced (some seconds are missing).
"""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from andon.datasets.cards.digests import digest_of_rows, file_digest
from andon.datasets.cards.provenance import Provenance
from andon.datasets.vibration.folders import natural_key
from andon.models.types.errors import DataError
from andon.models.types.vision import DataCard

FIT_ROWS = 400
"""Rows of each file that fit, by the benchmark's protocol."""

COLUMNS = (
    "Accelerometer1RMS",
    "Accelerometer2RMS",
    "Current",
    "Pressure",
    "Temperature",
    "Thermocouple",
    "Voltage",
    "Volume Flow RateRMS",
)
TIME, ANOMALY = "datetime", "anomaly"
FREE = "anomaly-free"
"""The folder whose one file has no labels, since nothing in it is anomalous."""

PROVENANCE = Provenance(
    name="skab",
    source="https://github.com/waico/SKAB; cite Katser and Kozitsin, Skoltech Anomaly Benchmark, 2020, doi:10.34740/KAGGLE/DSV/1693952",
    licence="GPL-3.0",
    non_commercial=False,
    grade="public",
)
SPLIT = (
    f"In each file the first {FIT_ROWS} rows fit, whatever their labels, and the rest is judged; the anomaly-free run is not "
    "judged. All files are runs of one rig: what is fitted has seen the machine that it is judged on."
)


@dataclass(frozen=True, slots=True, eq=False)
class SkabRun:
    """A run of the rig.

    Parameters
    ----------
    name
        Its file below the folder of the set, such as ``valve1/0.csv``: the physical run.
    times
        ``[n]``, datetime64[s], in the rig's local time.
    values
        ``[n, 8]``, float64, in the order of ``columns``.
    anomaly
        ``[n]``, bool; False throughout in the run that is free of anomalies.
    """

    name: str
    times: NDArray[np.datetime64]
    values: NDArray[np.float64]
    columns: tuple[str, ...]
    anomaly: NDArray[np.bool_]

    @property
    def is_free(self) -> bool:
        """Whether it is the run that is free of anomalies, which the benchmark does not judge."""
        return self.name.startswith(f"{FREE}/")


def skab_runs(folder: Path) -> list[SkabRun]:
    """Read all runs below ``folder``, in natural order.

    Raises
    ------
    DataError
        If there is no such folder or no file in it, or a file lacks a column, a row or a number.
    """
    return [_run(path, folder) for path in _paths(folder)]


def skab_card(folder: Path) -> DataCard:
    """Return source, licence, checksum and counts of rows; reads every file.

    Raises
    ------
    DataError
        As ``skab_runs``.
    """
    rows: Counter[str] = Counter()
    for run in skab_runs(folder):
        fitted = len(run.values) if run.is_free else FIT_ROWS
        judged = run.anomaly[fitted:]
        rows["anomaly-free/none" if run.is_free else "train/"] += len(run.anomaly[:fitted])
        rows["test/anomaly"] += int(judged.sum())
        rows["test/none"] += int((~judged).sum())
    digests = ([path.relative_to(folder).as_posix(), file_digest(path)] for path in _paths(folder))
    return PROVENANCE.card(checksum=digest_of_rows(digests), split=SPLIT, counts=rows)


def _paths(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError("record.folder_missing", str(folder))
    found = sorted(folder.glob("*/*.csv"), key=lambda path: natural_key(path.relative_to(folder).as_posix()))
    if not found:
        raise DataError("record.no_run", str(folder))
    return found


def _run(path: Path, folder: Path) -> SkabRun:
    rows = _rows(path)
    name = path.relative_to(folder).as_posix()
    needed = [TIME, *COLUMNS, *([] if path.parent.name == FREE else [ANOMALY])]
    if missing := [column for column in needed if not rows or column not in rows[0]]:
        raise DataError("record.columns_missing", str(path), found=", ".join(missing))
    try:
        return SkabRun(
            name=name,
            times=np.array([datetime.fromisoformat(row[TIME]) for row in rows], dtype="datetime64[s]"),
            values=np.array([[float(row[column]) for column in COLUMNS] for row in rows]),
            columns=COLUMNS,
            anomaly=np.array([float(row.get(ANOMALY) or 0) != 0 for row in rows]),
        )
    except (TypeError, ValueError) as error:  # a short row holds None
        raise DataError("record.run_damaged", str(path), reason=str(error)) from error


def _rows(path: Path) -> Sequence[Mapping[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file, delimiter=";"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError("record.run_damaged", str(path), reason=str(error)) from error
