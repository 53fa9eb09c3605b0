"""Blocks become snapshots, in bounded memory whatever a source sends."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from andon.hardware.edge.config.plans import SnapshotPlan
from andon.hardware.edge.sensing import snapshots
from andon.hardware.edge.sensing.snapshots import Windows, cutter
from andon.models.messages.catalogue import catalogue
from andon.models.types.errors import OptionError, RecordError
from andon.models.types.vibration import Signal, Unit

START = datetime(2026, 1, 1, tzinfo=UTC)
RATE_HZ = 1000.0


def block(
    start_s: float, duration_s: float, sensor: str = "DE", rate_hz: float = RATE_HZ, asset: str = "P-1"
) -> Signal:
    first = round(start_s * rate_hz)
    samples = np.arange(first, first + round(duration_s * rate_hz), dtype=np.float64)
    return Signal(samples, rate_hz, Unit.G, sensor, asset, START + timedelta(seconds=start_s))


def starts(found: list[Signal]) -> list[float]:
    return [(each.time - START).total_seconds() for each in found if each.time]


def test_without_a_plan_each_block_is_a_snapshot_but_the_short_rest_of_a_record() -> None:
    cut = cutter(None)
    found = [each for part in (block(0, 10), block(10, 2), block(20, 2), block(22, 2)) for each in cut(part)]
    assert [(each.duration_s, start) for each, start in zip(found, starts(found), strict=True)] == [
        (10, 0), (2, 20), (2, 22),
    ]  # fmt: skip


def test_the_rest_of_a_record_is_known_at_a_rate_whose_blocks_end_between_two_microseconds() -> None:
    rate_hz = 51_200 / 3  # as analogue inputs have that divide their clock
    whole = round(10 * rate_hz)
    first, second, rest = (
        Signal(np.ones(count), rate_hz, Unit.G, "DE", "P-1", START + timedelta(seconds=begin / rate_hz))
        for begin, count in ((0, whole), (whole, whole), (2 * whole, whole // 4))
    )
    cut = cutter(None)
    assert [len(list(cut(part))) for part in (first, second, rest)] == [1, 1, 0]


def test_a_block_is_kept_as_far_as_it_is_diagnosed() -> None:
    (found,) = cutter(None)(block(0, 100))
    assert found.duration_s == 31


@pytest.mark.parametrize("broken", [replace(block(0, 1), time=None), block(0, 0.015)])
def test_what_says_no_time_or_nothing_is_refused(broken: Signal) -> None:
    with pytest.raises(RecordError) as refused:
        list(cutter(None)(broken))
    assert refused.value.code == "edge.no_snapshot"


@pytest.mark.parametrize("plan", [None, SnapshotPlan(duration_s=0.5)])
@pytest.mark.parametrize("year", [1601, 9999])
def test_a_time_that_stands_for_none_is_refused(plan: SnapshotPlan | None, year: int) -> None:
    never = datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)  # as OPC UA and gateways send them
    with pytest.raises(RecordError) as refused:
        list(cutter(plan)(replace(block(0, 2), time=never)))
    assert refused.value.code == "edge.no_snapshot"
    assert str(year) in catalogue("en").error(refused.value)


def test_a_rate_beyond_all_that_can_be_counted_ends_nothing() -> None:
    absurd = replace(block(0, 1), rate_hz=1.7e308)
    assert list(cutter(None)(absurd))
    with pytest.raises(RecordError) as refused:
        list(cutter(SnapshotPlan(duration_s=30.0))(absurd))
    assert refused.value.code == "edge.no_snapshot"


def test_snapshots_follow_one_another_across_blocks() -> None:
    cut = cutter(SnapshotPlan(duration_s=0.5))
    found = [each for part in range(4) for each in cut(block(0.3 * part, 0.3))]
    assert starts(found) == [0, 0.5]
    np.testing.assert_array_equal(found[1].samples, np.arange(500, 1000))


@pytest.mark.parametrize("count", [3, 8])
def test_of_a_scheduled_source_one_snapshot_is_taken_at_a_time(count: int) -> None:
    cut = cutter(SnapshotPlan(duration_s=0.5, every_s=10))
    parts = [block(start + 0.2 * part, 0.2) for start in (0, 10.1) for part in range(count)]
    assert starts([each for part in parts for each in cut(part)]) == [0, 10.1]


def test_a_sensor_of_another_rate_gets_snapshots_as_long() -> None:
    cut = cutter(SnapshotPlan(duration_s=0.5))
    (first, _), (second, _) = cut(block(0, 1)), cut(block(10, 1, rate_hz=4000))
    assert (first.duration_s, second.duration_s, len(second.samples)) == (0.5, 0.5, 2000)


@pytest.mark.parametrize("rate_hz", [10.0, 1e9])
def test_a_rate_at_which_no_snapshot_fits_is_refused(rate_hz: float) -> None:
    with pytest.raises(RecordError) as refused:
        list(cutter(SnapshotPlan(duration_s=1.0))(replace(block(0, 1), rate_hz=rate_hz)))
    assert refused.value.code == "edge.no_snapshot"


@pytest.mark.parametrize("name", ["x" * 201, "two\nlines"])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    for broken in (block(0, 1, sensor=name), block(0, 1, asset=name)):
        with pytest.raises(RecordError) as refused:
            list(cutter(None)(broken))
        assert refused.value.code == "edge.sensor_name"


def test_no_more_sensors_are_taken_than_a_source_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "MOST_CHANNELS", 3)
    cut = cutter(None)
    for number in range(3):
        assert list(cut(block(0, 1, sensor=f"s{number}")))
    with pytest.raises(RecordError) as refused:
        list(cut(block(0, 1, sensor="s3")))
    assert refused.value.code == "edge.sensors_many"
    assert list(cut(block(5, 1, sensor="s0")))


def test_samples_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "MOST_SAMPLES", 1000)
    cut = Windows(SnapshotPlan(duration_s=1.0))
    for sensor in ("a", "b", "c"):
        assert not list(cut(block(0, 0.4, sensor=sensor)))
    # That of the first was given up for the others.
    assert starts(list(cut(block(0.4, 0.6, sensor="b")))) == [0]
    assert not list(cut(block(0.4, 0.6, sensor="a")))


def test_snapshots_that_would_overlap_are_refused() -> None:
    with pytest.raises(OptionError) as refused:
        SnapshotPlan(duration_s=2.0, every_s=1.0)
    assert refused.value.code == "edge.snapshots"
