"""A folder of records of two motors, and a rig in SKAB's format, each made once and only read."""

from pathlib import Path

import pytest
from tests.motors import ASSETS, motor_signal, write_record
from tests.rigs import write_rig


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rig(tmp_path_factory.mktemp("rig"))


@pytest.fixture(scope="session")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen healthy and eight damaged records of two motors; each was taken on a day of its own, which is its unit."""
    root = tmp_path_factory.mktemp("记录")
    for asset in ASSETS:
        for day in range(12):
            is_faulty = day >= 8
            signal = motor_signal(day, asset, 3.0 if is_faulty else None)
            label = "outer_race" if is_faulty else "none"
            write_record(root / asset, f"{day}", signal, asset=asset, unit_id=f"{asset} {day}", label=label)
    return root
