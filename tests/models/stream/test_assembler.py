"""Whatever a network does to blocks, windows are what the sensor measured, and what is missing is said."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andon.models.messages.catalogue import LANGUAGES, catalogue
from andon.models.stream.assembler import Assembler, Item
from andon.models.stream.windows import (
    EVENT_CODES,
    Counters,
    Snapshot,
    StreamEvent,
    StreamEventKind,
    StreamOptions,
)
from andon.models.types.errors import OptionError
from andon.models.types.vibration import Signal, Unit

START = datetime(2026, 3, 1, tzinfo=UTC)
CutBlocks = Callable[..., list[Signal]]
OPTIONS = StreamOptions(window=8, hop=8, lateness_s=0.05, tolerance_s=0.0001, max_samples=10_000)
PATIENT = replace(OPTIONS, lateness_s=1e6)

LENGTHS = st.lists(st.integers(1, 20), min_size=1, max_size=25)


def assembler(options: StreamOptions = OPTIONS) -> tuple[Assembler, Counters]:
    counters = Counters()
    return Assembler("pump-7", "DE", options, counters), counters


def pour(blocks: Iterable[Signal], options: StreamOptions = OPTIONS) -> tuple[list[Item], Counters]:
    each, counters = assembler(options)
    items = [item for block in blocks for item in each.push(block)]
    return items + each.finish(), counters


def starts(items: Iterable[Item]) -> list[int]:
    """The number of each window's first sample, after a check that the others follow it and that its time is true."""
    found = []
    for item in items:
        if isinstance(item, Snapshot):
            first = int(item.samples[0])
            np.testing.assert_array_equal(item.samples, np.arange(first, first + len(item.samples)))
            assert item.head.time == START + timedelta(milliseconds=first)
            found.append(first)
    return found


def kinds(items: Iterable[Item]) -> list[StreamEventKind]:
    return [item.kind for item in items if isinstance(item, StreamEvent)]


def expected_starts(blocks: Iterable[Signal], window: int, hop: int) -> list[int]:
    """The definition: windows from the start of every unbroken run of samples that came, ``hop`` apart."""
    came = sorted({int(sample) for block in blocks for sample in block.samples})
    found: list[int] = []
    run: list[int] = []
    for sample in came:
        if run and sample != run[-1] + 1:
            run = []
        run.append(sample)
        offset = len(run) - window
        if offset >= 0 and offset % hop == 0:
            found.append(sample - window + 1)
    return found


@settings(max_examples=150, deadline=None)
@given(lengths=LENGTHS, window=st.integers(1, 30), hop=st.integers(1, 40), data=st.data())
def test_any_order_and_repetition_gives_the_windows_of_the_stream_in_order(
    cut_blocks: CutBlocks, lengths: list[int], window: int, hop: int, data: st.DataObject
) -> None:
    blocks = cut_blocks(lengths)
    kept = data.draw(st.lists(st.sampled_from(range(len(blocks))), min_size=1, max_size=2 * len(blocks)))
    options = replace(PATIENT, window=window, hop=hop)
    items, counters = pour([blocks[index] for index in kept], options)
    survivors = [blocks[index] for index in sorted(set(kept))]
    assert starts(items) == expected_starts(survivors, window, hop)
    assert counters.duplicates == len(kept) - len(survivors)
    assert counters.late == 0
    missing = sum(after.samples[0] != before.samples[-1] + 1 for before, after in pairwise(survivors))
    assert counters.gaps == missing == kinds(items).count(StreamEventKind.GAP)


@settings(max_examples=100, deadline=None)
@given(count=st.integers(1, 30), drops=st.sets(st.integers(0, 29)))
def test_a_lost_block_costs_only_the_windows_it_was_in(cut_blocks: CutBlocks, count: int, drops: set[int]) -> None:
    """Blocks of half a window that are lost in pairs: all other windows stand where they stood."""
    blocks = cut_blocks([4] * 2 * count)
    kept = [block for index, block in enumerate(blocks) if index // 2 not in drops]
    whole, _ = pour(blocks)
    lost = {8 * index for index in drops}
    assert starts(pour(kept)[0]) == [first for first in starts(whole) if first not in lost]


@settings(max_examples=100, deadline=None)
@given(lengths=st.lists(st.integers(1, 5), min_size=2, max_size=40), data=st.data())
def test_disorder_within_the_lateness_is_no_disorder(
    cut_blocks: CutBlocks, lengths: list[int], data: st.DataObject
) -> None:
    """A block that is sent up to 40 ms later than its turn waits for none and is waited for."""
    blocks = cut_blocks(lengths)
    delays = data.draw(st.lists(st.integers(0, 40), min_size=len(blocks), max_size=len(blocks)))
    end_ms = np.cumsum(lengths)
    shuffled = [blocks[index] for index in np.argsort(end_ms + np.array(delays), kind="stable")]
    items, counters = pour(shuffled)
    assert starts(items) == starts(pour(blocks)[0])
    assert (counters.late, counters.gaps) == (0, 0)


@settings(max_examples=100, deadline=None)
@given(lengths=LENGTHS, data=st.data())
def test_overlaps_are_trimmed(cut_blocks: CutBlocks, lengths: list[int], data: st.DataObject) -> None:
    """Each block begins with up to five samples that came before."""
    blocks = cut_blocks(lengths)
    whole = np.arange(sum(lengths), dtype=np.float64)
    overlapping = []
    for block in blocks:
        first = int(block.samples[0])
        back = data.draw(st.integers(0, min(first, 5)))
        overlapping += [
            replace(
                block,
                samples=whole[first - back : first + len(block.samples)],
                time=START + timedelta(milliseconds=first - back),
            )
        ]
    assert starts(pour(overlapping)[0]) == starts(pour(blocks)[0])


@settings(max_examples=100, deadline=None)
@given(lengths=LENGTHS, kept=st.lists(st.integers(0, 24), max_size=50), limit=st.integers(8, 60))
def test_never_keeps_more_than_its_limit(
    cut_blocks: CutBlocks, lengths: list[int], kept: list[int], limit: int
) -> None:
    blocks = cut_blocks(lengths)
    each, counters = assembler(replace(PATIENT, max_samples=limit))
    snapshots = 0
    for index in kept:
        items = each.push(blocks[index % len(blocks)])
        snapshots += len(starts(items))
        assert each.samples_kept <= limit
    assert counters.snapshots == snapshots


def test_keeps_no_large_block_alive_for_its_rest() -> None:
    each, _ = assembler()
    each.push(Signal(np.arange(100_003.0), 1000.0, Unit.G, time=START))
    assert each.samples_kept == 3
    kept = each._run[0].samples
    assert kept.base is None, "a view would keep all 100,003 samples"


def test_what_waits_too_long_is_given_up(cut_blocks: CutBlocks) -> None:
    blocks = cut_blocks([8] * 20)
    each, counters = assembler()
    for block in (blocks[0], *blocks[2:9]):
        each.push(block)
    assert counters.gaps == 1
    items = each.push(blocks[1])
    assert kinds(items) == [StreamEventKind.LATE]
    assert (counters.late, counters.duplicates) == (1, 0)
    assert starts(items) == []


def test_time_alone_ends_the_wait(cut_blocks: CutBlocks) -> None:
    each, _ = assembler()
    assert each.push(cut_blocks([8])[0]) == []
    now_us = round(START.timestamp() * 1e6)
    assert each.advance(now_us + 49_999) == []
    assert starts(each.advance(now_us + 50_000)) == [0]


def test_a_gap_is_said_with_its_length(cut_blocks: CutBlocks) -> None:
    blocks = cut_blocks([10, 6, 8])
    items, counters = pour([blocks[0], blocks[2]])
    (gap,) = [item for item in items if isinstance(item, StreamEvent)]
    assert (gap.kind, gap.params["seconds"]) == (StreamEventKind.GAP, 0.006)
    assert starts(items) == [0, 16]
    assert counters.dropped == 2, "the two samples before the gap that fill no window"


def test_a_clock_that_is_set_back_starts_a_new_time(cut_blocks: CutBlocks) -> None:
    blocks = cut_blocks([8] * 12, first=5_000_000)
    back = cut_blocks([8] * 12)
    items, counters = pour(blocks + back)
    assert kinds(items) == [StreamEventKind.LATE] * 7 + [StreamEventKind.CLOCK]
    assert counters.clocks == 1
    assert starts(items) == [5_000_000 + 8 * n for n in range(12)] + [8 * n for n in range(7, 12)]
    assert [item.params["seconds"] for item in items if isinstance(item, StreamEvent)][-1] == 5_000.04


@pytest.mark.parametrize(("lateness_s", "lost"), [(0.05, 0), (0.0, 7)])
def test_a_single_block_from_the_future_costs_few_windows(cut_blocks: CutBlocks, lateness_s: float, lost: int) -> None:
    """One that is shorter than the lateness waits and does no harm; else the clock is believed, and then set back."""
    wild = replace(cut_blocks([8])[0], time=START + timedelta(days=20_000))
    blocks = [*cut_blocks([8] * 5), wild, *cut_blocks([8] * 20, first=40)]
    items, counters = pour(blocks, replace(OPTIONS, lateness_s=lateness_s))
    usual = [item for item in items if isinstance(item, Snapshot) and item.head.time.year == 2026]
    assert len(usual) == 25 - lost
    assert counters.late == lost


def test_a_backlog_sent_again_is_no_clock_set_back(cut_blocks: CutBlocks) -> None:
    blocks = cut_blocks([8] * 40)
    items, counters = pour([*blocks[:30], *blocks[:30], *blocks[30:]])
    assert kinds(items) == []
    assert counters.duplicates == 30
    assert starts(items) == [8 * n for n in range(40)]


def test_late_blocks_among_others_never_set_the_clock_back(cut_blocks: CutBlocks) -> None:
    old, new = cut_blocks([8] * 40), cut_blocks([8] * 40, first=5_000_000)
    mixed = [block for pair in zip(new[10:], old[10:], strict=True) for block in pair]
    _, counters = pour(new[:10] + mixed)
    assert (counters.clocks, counters.late) == (0, 30)


def test_late_blocks_that_do_not_ascend_never_set_the_clock_back(cut_blocks: CutBlocks) -> None:
    old, new = cut_blocks([8] * 40), cut_blocks([8] * 10, first=5_000_000)
    _, counters = pour(new + old[::-1])
    assert (counters.clocks, counters.late) == (0, 40)


def test_a_lost_block_shorter_than_the_tolerance_is_missed_all_the_same(cut_blocks: CutBlocks) -> None:
    blocks = cut_blocks([4] * 6)
    items, counters = pour([*blocks[:2], *blocks[3:]], replace(OPTIONS, tolerance_s=0.01))
    assert counters.gaps == 1
    assert starts(items) == [0, 12]


@pytest.mark.parametrize("changes", [{"rate_hz": 500.0}, {"unit": Unit.M_S2}])
def test_another_rate_or_unit_starts_anew_and_is_said(cut_blocks: CutBlocks, changes: dict[str, object]) -> None:
    before, after = cut_blocks([12])[0], replace(cut_blocks([20], first=12)[0], **changes)  # type: ignore[arg-type]
    items, counters = pour([before, after])
    assert kinds(items) == [StreamEventKind.FORMAT]
    snapshots = [item for item in items if isinstance(item, Snapshot)]
    assert [(item.head.rate_hz, item.head.unit, item.samples[0]) for item in snapshots] == [
        (1000.0, Unit.G, 0.0),
        (after.rate_hz, after.unit, 12.0),
        (after.rate_hz, after.unit, 20.0),
    ]
    assert counters.dropped == 4


def test_clocks_that_wander_less_than_the_tolerance_break_nothing(cut_blocks: CutBlocks) -> None:
    generator = np.random.default_rng(0)
    options = replace(OPTIONS, tolerance_s=0.002, window=64, hop=64)
    shaken = [
        replace(block, time=block.time + timedelta(seconds=float(generator.uniform(-0.001, 0.001))))
        for block in cut_blocks([32] * 20)
        if block.time
    ]
    items, counters = pour(shaken, options)
    assert counters.gaps == 0
    assert [item.samples[0] for item in items if isinstance(item, Snapshot)] == [64.0 * n for n in range(10)]


def test_a_sensor_whose_rate_is_a_little_off_is_followed(cut_blocks: CutBlocks) -> None:
    """A crystal that is 100 ppm off for three hours: 1.1 s, of which no two blocks see more than 0.1 ms."""
    options = replace(OPTIONS, window=1000, hop=1000, tolerance_s=0.001)
    each, counters = assembler(options)
    samples = np.zeros(1000)
    for index in range(10_800):
        time = START + timedelta(seconds=index * 1.0001)
        each.push(Signal(samples, 1000.0, Unit.G, time=time))
    assert (counters.gaps, counters.duplicates, counters.late) == (0, 0, 0)
    assert counters.snapshots >= 10_799


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"time": None}, "time"),
        ({"time": datetime(2026, 1, 1)}, "time"),
        ({"time": datetime.max.replace(tzinfo=UTC)}, "time"),
        ({"rate_hz": 0.0}, "rate_hz"),
        ({"rate_hz": float("nan")}, "rate_hz"),
        ({"rate_hz": float("inf")}, "rate_hz"),
        ({"rate_hz": 1e-300}, "rate_hz"),
        ({"samples": np.empty(0)}, "samples"),
        ({"samples": np.zeros((2, 4))}, "samples"),
    ],
)
def test_blocks_that_cannot_be_placed_are_refused_by_name(
    cut_blocks: CutBlocks, changes: dict[str, object], reason: str
) -> None:
    good = cut_blocks([8])[0]
    items, counters = pour([good, replace(good, **changes)])  # type: ignore[arg-type]
    (event,) = [item for item in items if isinstance(item, StreamEvent)]
    assert (event.kind, event.params["reason"], counters.refused) == (StreamEventKind.REFUSED, reason, 1)
    assert starts(items) == [0]


@settings(max_examples=60, deadline=None)
@given(lengths=LENGTHS, window=st.integers(1, 30), hop=st.integers(1, 40), cut=st.integers(0, 24))
def test_a_restart_changes_no_window_where_the_source_repeats(
    cut_blocks: CutBlocks, lengths: list[int], window: int, hop: int, cut: int
) -> None:
    options = replace(OPTIONS, lateness_s=0.0, window=window, hop=hop)
    blocks = cut_blocks(lengths)
    first, _ = assembler(options)
    before = [item for block in blocks[:cut] for item in first.push(block)]
    second, counters = assembler(options)
    saved = first.timeline()
    if saved:
        second.resume(saved)
    after = [item for block in blocks for item in second.push(block)]
    assert starts(before) + starts(after) == starts(pour(blocks, options)[0])
    assert counters.gaps == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_event_can_be_said(cut_blocks: CutBlocks, language: str) -> None:
    blocks = cut_blocks([8] * 30, first=1000)
    late_and_back = [*blocks[:2], *blocks[3:12], blocks[2], *cut_blocks([8] * 10)]
    items, _ = pour([*late_and_back, replace(blocks[12], unit=Unit.UM), replace(blocks[13], time=None)])
    tight, _ = pour([blocks[0], blocks[2], blocks[4]], replace(PATIENT, max_samples=8))
    said = {item.kind: item.text(catalogue(language)) for item in [*items, *tight] if isinstance(item, StreamEvent)}
    assert said.keys() == set(EVENT_CODES) - {StreamEventKind.MOVED, StreamEventKind.EVICTED}
    assert all("pump-7" in text and "DE" in text for text in said.values())


@pytest.mark.parametrize(
    "changes", [{"window": 0}, {"hop": 0}, {"lateness_s": -1.0}, {"max_samples": 7}, {"tolerance_s": float("nan")}]
)
def test_options_out_of_range_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(OptionError, match=next(iter(changes))):
        replace(OPTIONS, **changes)  # type: ignore[arg-type]
