"""Runs of a pump rig that the tests make up, in the format of SKAB."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from andon.datasets.vibration.skab import ANOMALY, COLUMNS, FIT_ROWS, FREE, TIME

JUDGED_ROWS = 120
ANOMALOUS = slice(60, 100)
"""Of the rows that are judged."""

RUNS = ("valve1/0.csv", "valve1/1.csv")
START = datetime(2020, 3, 9, 10)


def write_rig(folder: Path) -> Path:
    """Two runs in which the flow falls for a while, and one that is free of anomalies."""
    for seed, name in enumerate((*RUNS, f"{FREE}/{FREE}.csv")):
        write_run(folder / name, seed, is_free=name.startswith(FREE))
    return folder


def write_run(path: Path, seed: int, is_free: bool) -> None:
    """One run: eight measures that scatter around a level of their own."""
    generator = np.random.default_rng(seed)
    values = generator.normal(np.arange(1.0, 9.0) * 10, 0.5, (FIT_ROWS + JUDGED_ROWS, len(COLUMNS)))
    truth = np.zeros(len(values), np.bool_)
    if not is_free:
        truth[FIT_ROWS:][ANOMALOUS] = True
        values[truth, -1] -= 8.0
    header = [TIME, *COLUMNS, *([] if is_free else [ANOMALY, "changepoint"])]
    rows = [
        [str(START + timedelta(seconds=second)), *map(repr, row), *([] if is_free else [str(float(flag)), "0.0"])]
        for second, (row, flag) in enumerate(zip(values.tolist(), truth, strict=True))
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(";".join(row) for row in [header, *rows]) + "\n")
