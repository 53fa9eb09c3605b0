"""What every ``SignalSource`` must do, for each that ships."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.motors import write_record

from andon.datasets.synthetic.bearings.generator import generate
from andon.datasets.synthetic.bearings.scenario import Scenario
from andon.datasets.vibration.folders import record_paths
from andon.hardware.acquisition.record_folder import RecordFiles
from andon.hardware.sim.disturbances import Disturbances, disturb
from andon.hardware.sim.simulated_sensors import (
    Onset,
    ReplaySensors,
    SimulatedMachine,
    SimulatedSensors,
    simulated_machines,
)
from andon.models.types.errors import RecordError
from andon.models.types.vibration import Fault, Signal, SignalSource, Unit

START = datetime(2025, 3, 1, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)


def recorded(sensor: str, length: int, rate_hz: float = 1000.0) -> Signal:
    return Signal(np.arange(length, dtype=np.float64), rate_hz, Unit.MM_S, sensor, "pump")


def simulated(**changes: object) -> SimulatedSensors:
    return replace(SimulatedSensors(simulated_machines(3, 0, 0.1), START, HOUR, 4), **changes)  # type: ignore[arg-type]


def complain(path: Path, error: RecordError) -> None:
    raise AssertionError(path) from error


def record_files(folder: Path) -> RecordFiles:
    for number in range(3):
        write_record(folder, str(number), recorded("a", 2500, 100.0), asset="pump")
    return RecordFiles(record_paths(folder), HOUR, complain)


SOURCES: dict[str, Callable[[Path], SignalSource]] = {
    "simulated": lambda _: simulated(),
    "disturbed": lambda _: simulated(disturbances=Disturbances(0.2, 0.2, 0.2, 0.2)),
    "replay": lambda _: ReplaySensors([recorded("a", 2500), recorded("b", 1000)], START, 0.4),
    "files": record_files,
}


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_it_delivers_timed_blocks_while_open(make: Callable[[Path], SignalSource], tmp_path: Path) -> None:
    with make(tmp_path) as source:
        blocks = list(source.blocks())
    assert len(blocks) > 2
    for block in blocks:
        assert block.samples.dtype == np.float64
        assert block.samples.ndim == 1
        assert len(block.samples) > 0
        assert block.rate_hz > 0
        assert block.asset
        assert block.sensor
        assert block.time is not None
        assert block.time.utcoffset() == timedelta(0)


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_it_delivers_the_same_each_time_it_is_made(make: Callable[[Path], SignalSource], tmp_path: Path) -> None:
    first, second = (
        [(block.time, block.sensor, block.samples.tobytes()) for block in make(tmp_path).blocks()] for _ in "ab"
    )
    assert first == second


def test_every_sensor_delivers_a_block_each_interval() -> None:
    machines = [SimulatedMachine(asset, Scenario(duration_s=0.1), ("front", "rear")) for asset in ("fan", "pump")]
    blocks = list(SimulatedSensors(machines, START, HOUR, 3).blocks())
    assert [(block.time, block.asset, block.sensor) for block in blocks] == [
        (START + turn * HOUR, asset, sensor)
        for turn in range(3)
        for asset in ("fan", "pump")
        for sensor in ("front", "rear")
    ]
    assert len({block.samples.tobytes() for block in blocks}) == len(blocks)
    assert {block.duration_s for block in blocks} == {0.1}


def growths(fault: Fault, **strength: float) -> list[float]:
    """Power that the fault adds to each hour's block, in dB over the healthy power; -inf where it adds nothing."""
    machines = [SimulatedMachine(asset, Scenario(duration_s=1.0, shaft_mm_s=())) for asset in ("fan", "pump")]
    healthy = SimulatedSensors(machines, START, HOUR, 6)
    onset = Onset("pump", fault, START + 2 * HOUR, growth_db_h=2.0, **strength)
    added = [
        (sick.asset, sick.samples - sound.samples, sound.samples)
        for sick, sound in zip(replace(healthy, onsets=[onset]).blocks(), healthy.blocks(), strict=True)
    ]
    assert not any(change.any() for asset, change, _ in added if asset == "fan")
    with np.errstate(divide="ignore"):
        return [float(10 * np.log10(np.mean(c**2) / np.mean(s**2))) for asset, c, s in added if asset == "pump"]


def test_a_bearing_fault_starts_on_its_asset_when_told_and_grows() -> None:
    levels = growths(Fault.OUTER_RACE, snr_db=-10.0)
    assert levels[:2] == [-np.inf] * 2
    assert levels[2:] == pytest.approx([-10, -8, -6, -4], abs=0.01)


def test_a_shaft_fault_grows_likewise() -> None:
    levels = growths(Fault.UNBALANCE, severity_mm_s=2.0)
    assert levels[:2] == [-np.inf] * 2
    assert np.diff(levels[2:]) == pytest.approx([2, 2, 2], abs=0.01)


def test_of_two_faults_the_later_is_shown() -> None:
    machine = SimulatedMachine("fan", Scenario(duration_s=0.5, interval_spread=0.0))
    onsets = [Onset("fan", fault, START + hours * HOUR) for fault, hours in ((Fault.CAGE, 2), (Fault.UNBALANCE, 1))]
    both, late = (list(SimulatedSensors([machine], START, HOUR, 3, shown).blocks()) for shown in (onsets, onsets[:1]))
    assert not np.array_equal(both[1].samples, late[1].samples)
    np.testing.assert_array_equal(both[2].samples, late[2].samples)


def test_replay_gives_every_sample_once_with_times_that_follow_one_another() -> None:
    signals = [recorded("a", 2500), recorded("b", 900, 500.0), recorded("a", 700)]
    blocks = list(ReplaySensors(signals, START, 1.0).blocks())
    times = [block.time for block in blocks if block.time]
    assert times == sorted(times)
    for sensor, of in (("a", [signals[0], signals[2]]), ("b", [signals[1]])):
        channel = [block for block in blocks if block.sensor == sensor]
        np.testing.assert_array_equal(
            np.concatenate([block.samples for block in channel]), np.concatenate([signal.samples for signal in of])
        )
        for block, following in pairwise(channel):
            assert block.time is not None
            assert following.time == block.time + timedelta(seconds=block.duration_s)


def test_replay_keeps_what_is_known_of_the_signal() -> None:
    signal = replace(generate(Scenario(Fault.CAGE), 0).signal, asset="fan", sensor="front")
    block = next(ReplaySensors([signal], START, 0.5).blocks())
    assert (block.unit, block.rate_hz, block.rpm, block.orders) == (Unit.G, 25_600, signal.rpm, signal.orders)
    assert len(block.samples) == 12_800


def numbered(count: int) -> list[Signal]:
    return [recorded(f"s{number % 4}", number + 1) for number in range(count)]


def delivered(count: int, disturbances: Disturbances) -> list[int]:
    return [len(block.samples) - 1 for block in disturb(numbered(count), disturbances)]


def passed_by(order: list[int]) -> list[int]:
    """How much younger the youngest block before each one is; negative where it comes in its turn."""
    return [max(order[:place], default=-1) - number for place, number in enumerate(order)]


def test_without_disturbances_nothing_changes() -> None:
    assert delivered(20, Disturbances()) == list(range(20))


def test_each_disturbance_does_what_it_says() -> None:
    assert delivered(5, Disturbances(drop=1.0)) == []
    assert delivered(4, Disturbances(duplicate=1.0)) == [0, 1, 0, 2, 1, 3, 2, 3]
    assert delivered(4, Disturbances(delay=1.0, delay_blocks=2)) == [0, 1, 2, 3]
    reordered = delivered(400, Disturbances(reorder=0.1, seed=2))
    assert sorted(reordered) == list(range(400)) != reordered
    assert {by for by in passed_by(reordered) if by >= 0} == {1}


def test_a_delayed_block_comes_so_many_blocks_late() -> None:
    order = delivered(400, Disturbances(delay=0.05, delay_blocks=7, seed=1))
    late = [by for by in passed_by(order) if by >= 0]
    assert 8 <= len(late) <= 40
    # The seventh after it comes when it does, and behind it.
    assert set(late) <= {4, 5, 6}
    assert 6 in late


@given(st.floats(0.05, 0.5), st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_blocks_are_lost_and_doubled_as_often_as_asked(probability: float, seed: int) -> None:
    count = 400
    kept = len(delivered(count, Disturbances(drop=probability, seed=seed)))
    doubled = len(delivered(count, Disturbances(duplicate=probability, seed=seed)))
    allowed = 6 * (count * probability * (1 - probability)) ** 0.5
    assert count - kept == pytest.approx(count * probability, abs=allowed)
    assert doubled - count == pytest.approx(count * probability, abs=allowed)


def test_swapped_cables_exchange_the_names_of_two_channels_alone() -> None:
    swap = Disturbances(swapped=(("pump", "s0"), ("pump", "s2")))
    assert [block.sensor for block in disturb(numbered(5), swap)] == ["s2", "s1", "s0", "s3", "s2"]
    assert delivered(5, swap) == list(range(5))


def test_a_late_block_carries_the_time_at_which_it_was_taken() -> None:
    disturbed = simulated(disturbances=Disturbances(delay=0.3, reorder=0.2, seed=3))
    plain = {block.samples.tobytes(): block.time for block in simulated().blocks()}
    blocks = list(disturbed.blocks())
    times = [block.time for block in blocks if block.time]
    assert times != sorted(times)
    assert all(plain[block.samples.tobytes()] == block.time for block in blocks)
