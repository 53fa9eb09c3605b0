from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.motors import write_record

from andon.datasets.vibration.folders import record_paths
from andon.datasets.vibration.hints import NOTHING
from andon.hardware.monitoring.survey import Survey, survey
from andon.models.types.errors import RecordError
from andon.models.types.vibration import Signal, Unit

START = datetime(2026, 3, 1, tzinfo=UTC)


def record(samples: int, rate_hz: float = 100.0) -> Signal:
    return Signal(np.sin(np.arange(samples)), rate_hz, Unit.G)


@pytest.fixture
def reported() -> list[tuple[str, str]]:
    return []


def surveyed(folder: Path, reported: list[tuple[str, str]]) -> Survey:
    def report(path: Path, error: RecordError) -> None:
        reported.append((path.name, error.code))

    return survey(record_paths(folder), NOTHING, report)


def test_the_shortest_that_is_long_enough_says_how_long_a_snapshot_is(
    tmp_path: Path, reported: list[tuple[str, str]]
) -> None:
    for name, length in (("1", 2500), ("2", 1200), ("3", 2400), ("4", 1100)):
        write_record(tmp_path, name, record(length, rate_hz=50.0 if name == "2" else 100.0))
    found = surveyed(tmp_path, reported)
    assert [path.stem for path in found.paths] == ["1", "2", "3", "4"]
    assert (found.samples, found.rate_hz, found.interval_s) == (1100, 100.0, 0.0)
    assert reported == []


def test_one_short_record_is_left_out_and_told(tmp_path: Path, reported: list[tuple[str, str]]) -> None:
    for name, length in (("1", 2500), ("2", 1249), ("3", 2500)):
        write_record(tmp_path, name, record(length))
    found = surveyed(tmp_path, reported)
    assert [path.stem for path in found.paths] == ["1", "3"]
    assert found.samples == 2500
    assert reported == [("2.npy", "monitor.short")]


def test_a_record_that_cannot_be_read_is_told_once(tmp_path: Path, reported: list[tuple[str, str]]) -> None:
    write_record(tmp_path, "1", record(500))
    (tmp_path / "2.npy").write_bytes(b"")
    assert [path.stem for path in surveyed(tmp_path, reported).paths] == ["1"]
    assert reported == [("2.npy", "record.empty")]


def test_nothing_that_can_be_read(tmp_path: Path, reported: list[tuple[str, str]]) -> None:
    (tmp_path / "2.npy").write_bytes(b"")
    assert surveyed(tmp_path, reported) == Survey()


def test_the_interval_is_that_of_each_sensor(tmp_path: Path, reported: list[tuple[str, str]]) -> None:
    for number, hours in enumerate((0, 6, 12, 18)):
        for place in ("a", "b"):
            taken = (START + timedelta(hours=hours)).isoformat()
            write_record(tmp_path, f"{place}{number}", record(300), sensor=place, time=taken)
    assert surveyed(tmp_path, reported).interval_s == 6 * 3600
