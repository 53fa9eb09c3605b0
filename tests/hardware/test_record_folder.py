"""Records in files, as a source of blocks."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.motors import PLACE, RATE_HZ, motor_signal, write_record

from andon.datasets.vibration.folders import record_paths
from andon.datasets.vibration.hints import RecordHints
from andon.hardware.acquisition.record_folder import UNTIMED, RecordFiles
from andon.models.types.errors import RecordError
from andon.models.types.vibration import Signal, Unit

TEN_MINUTES = timedelta(minutes=10)
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Reported(list[tuple[Path, RecordError]]):
    """Whoever is told of records that cannot be read."""

    def __call__(self, path: Path, error: RecordError) -> None:
        self.append((path, error))


def slow(n_samples: int, rate_hz: float = 100.0) -> Signal:
    return Signal(np.arange(n_samples, dtype=np.float64), rate_hz, Unit.G)


def blocks(folder: Path, **said: object) -> list[Signal]:
    return list(RecordFiles(record_paths(folder), TEN_MINUTES, Reported(), **said).blocks())  # type: ignore[arg-type]


def test_records_without_a_time_follow_at_the_interval_by_sensor(tmp_path: Path) -> None:
    for name in ("1", "2", "10"):
        write_record(tmp_path, f"front {name}", slow(100), sensor="front")
        write_record(tmp_path, f"rear {name}", slow(100), sensor="rear")
    found = blocks(tmp_path, asset="pump")
    expected = [(sensor, UNTIMED + turn * TEN_MINUTES) for sensor in ("front", "rear") for turn in range(3)]
    assert [(block.sensor, block.time) for block in found] == expected
    assert {block.asset for block in found} == {"pump"}
    assert [block.time for block in blocks(tmp_path, start=NOON)][:2] == [NOON, NOON + TEN_MINUTES]


def test_a_record_with_a_time_keeps_it(tmp_path: Path) -> None:
    write_record(tmp_path, "1", slow(100), asset="a")
    write_record(tmp_path, "2", slow(100), asset="a", time="2026-05-01T20:00:00+08:00")
    write_record(tmp_path, "3", slow(100), asset="a")
    assert [block.time for block in blocks(tmp_path)] == [UNTIMED, NOON, UNTIMED + 2 * TEN_MINUTES]


def test_a_long_record_comes_in_blocks_that_follow_one_another(tmp_path: Path) -> None:
    signal = slow(2500)
    write_record(tmp_path, "long", signal, time=str(NOON))
    found = blocks(tmp_path)
    assert [(block.time, len(block.samples)) for block in found] == [
        (NOON, 1000),
        (NOON + timedelta(seconds=10), 1000),
        (NOON + timedelta(seconds=20), 500),
    ]
    np.testing.assert_array_equal(np.concatenate([block.samples for block in found]), signal.samples)


def test_what_cannot_be_read_is_reported_and_the_rest_delivered(tmp_path: Path) -> None:
    write_record(tmp_path, "1", slow(100))
    write_record(tmp_path, "3", slow(100))
    (tmp_path / "2.npy").write_bytes(b"\x93NUMPY broken")
    (tmp_path / "4.wav").write_bytes(b"")
    reported = Reported()
    found = list(RecordFiles(record_paths(tmp_path), TEN_MINUTES, reported).blocks())
    assert [block.time for block in found] == [UNTIMED, UNTIMED + TEN_MINUTES]
    assert [path.name for path, _ in reported] == ["2.npy", "4.wav"]


def test_what_is_known_of_a_record_comes_with_it(tmp_path: Path) -> None:
    signal = motor_signal(0)
    write_record(tmp_path, "1", signal)
    (block,) = blocks(tmp_path)
    assert (block.rate_hz, block.unit, block.rpm, block.orders, block.sensor) == (
        RATE_HZ,
        Unit.G,
        signal.rpm,
        signal.orders,
        PLACE,
    )


def test_the_machine_is_the_asset_or_the_physical_unit_or_the_folder(tmp_path: Path) -> None:
    write_record(tmp_path, "1", slow(10), asset="pump", unit_id="u")
    write_record(tmp_path, "2", slow(10), unit_id="u", bearing="b")
    write_record(tmp_path, "3", slow(10))
    assert [block.asset for block in blocks(tmp_path, asset="folder")] == ["pump", "u", "folder"]
    hinted = blocks(tmp_path, asset="folder", hints=RecordHints(asset="rig"))
    assert {block.asset for block in hinted} == {"rig"}, "the caller knows best"


def test_what_an_earlier_run_took_is_left_out(tmp_path: Path) -> None:
    for turn in range(3):
        for sensor in ("a", "b"):
            write_record(
                tmp_path, f"{turn}{sensor}", slow(100), asset="p", sensor=sensor, time=str(NOON + turn * TEN_MINUTES)
            )
    until = {("p", "a"): NOON + TEN_MINUTES + timedelta(seconds=1)}
    found = [(block.sensor, block.time) for block in blocks(tmp_path, taken_until=until, start=NOON + 9 * TEN_MINUTES)]
    assert found == [
        ("b", NOON),
        ("b", NOON + TEN_MINUTES),
        ("a", NOON + 2 * TEN_MINUTES),
        ("b", NOON + 2 * TEN_MINUTES),
    ]
    half = {("p", "a"): NOON + timedelta(seconds=0.5)}
    assert ("a", NOON) in [(block.sensor, block.time) for block in blocks(tmp_path, taken_until=half)], "half is left"


@pytest.mark.parametrize("opened", [1, 2])
def test_times_start_anew_each_time_it_is_opened(tmp_path: Path, opened: int) -> None:
    write_record(tmp_path, "1", slow(100))
    source = RecordFiles(record_paths(tmp_path), TEN_MINUTES, Reported())
    for _ in range(opened):
        with source:
            assert [block.time for block in source.blocks()] == [UNTIMED]
