"""Thousands of sensors through one engine: batches, alerts, bounded memory, and a state that outlives a restart."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate, count
from types import TracebackType
from typing import Self

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andon.models.alerts.case import Alert, AlertEvent, AlertKind, AlertPolicy, Observation
from andon.models.messages.catalogue import LANGUAGES, catalogue
from andon.models.stream.engine import Event, StreamEngine, run
from andon.models.stream.windows import (
    EngineState,
    Snapshots,
    StreamEvent,
    StreamEventKind,
    StreamOptions,
    WindowResult,
)
from andon.models.types.vibration import Fault, Severity, Signal, Unit

START = datetime(2026, 3, 1, tzinfo=UTC)
CutBlocks = Callable[..., list[Signal]]
OPTIONS = StreamOptions(window=8, hop=8, lateness_s=0.0, tolerance_s=0.0001, max_samples=1000, batch=4)
POLICY = AlertPolicy(k=2, n=3, min_duration_s=0.0, clear_m=2, silence_s=60.0)


def faulty_above(limit: float) -> Callable[[Snapshots], list[Observation]]:
    """An analysis that finds a fault where a window's first sample is above ``limit``."""

    def analyse(batch: Snapshots) -> list[Observation]:
        return [
            Observation(
                head.asset,
                head.sensor,
                head.time,
                True,
                bool(samples[0] > limit),
                AlertKind.FAULT,
                Fault.OUTER_RACE,
                Severity.WATCH,
            )
            for head, samples in zip(batch.heads, batch.samples, strict=True)
        ]

    return analyse


class Spy:
    """An analysis that finds nothing and keeps the shapes it was given."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.forms: list[tuple[float, Unit]] = []

    def __call__(self, batch: Snapshots) -> Sequence[Observation]:
        assert batch.samples.dtype == np.float64
        assert len(batch.heads) == len(batch.samples)
        assert all((head.rate_hz, head.unit) == (batch.rate_hz, batch.unit) for head in batch.heads)
        self.shapes.append(batch.samples.shape)
        self.forms.append((batch.rate_hz, batch.unit))
        return []


class Blocks:
    """A source of given blocks that knows whether it was closed."""

    def __init__(self, blocks: Sequence[Signal]) -> None:
        self._blocks = blocks
        self.closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed = True

    def blocks(self) -> Iterator[Signal]:
        return iter(self._blocks)


def engine(analyse: Callable[[Snapshots], Sequence[Observation]], options: StreamOptions = OPTIONS) -> StreamEngine:
    numbers = count(1)
    return StreamEngine(analyse, POLICY, options, lambda: f"case-{next(numbers)}")


def push_all(each: StreamEngine, blocks: Sequence[Signal]) -> list[Event]:
    return [event for block in blocks for event in each.push(block)]


def alerts(events: Sequence[Event]) -> list[tuple[AlertEvent, str]]:
    return [(event.event, event.case.asset) for event in events if isinstance(event, Alert)]


def kinds(events: Sequence[Event]) -> list[StreamEventKind]:
    return [event.kind for event in events if isinstance(event, StreamEvent)]


def test_snapshots_of_many_sensors_are_analysed_together(cut_blocks: CutBlocks) -> None:
    spy = Spy()
    blocks = [block for n in range(6) for block in cut_blocks([8], sensor=f"s{n}")]
    events = list(run(engine(spy), Blocks(blocks), tick_s=1e6))
    assert spy.shapes[:2] == [(1, 8), (4, 8)], "the first tick analyses what is there"
    assert sum(shape[0] for shape in spy.shapes) == 6
    assert [event.head.sensor for event in events if isinstance(event, WindowResult)] == [f"s{n}" for n in range(6)]


def test_rates_and_units_never_share_a_batch(cut_blocks: CutBlocks) -> None:
    spy = Spy()
    each = engine(spy)
    for n in range(40):
        unit = Unit.G if n % 2 else Unit.MM_S
        block = replace(cut_blocks([8], sensor=f"s{n}")[0], rate_hz=1000.0 + n % 3, unit=unit)
        each.push(block)
    each.finish()
    assert len(set(spy.forms)) == 6
    assert each.counters.snapshots == sum(shape[0] for shape in spy.shapes) == 40


def test_batches_of_many_forms_do_not_pile_up(cut_blocks: CutBlocks) -> None:
    spy = Spy()
    each = engine(spy, replace(OPTIONS, max_batches=3))
    for n in range(10):
        each.push(replace(cut_blocks([8], sensor=f"s{n}")[0], rate_hz=1000.0 + n))
        assert n + 1 - len(spy.shapes) <= 3


def test_a_batch_is_not_written_to_once_it_was_given(cut_blocks: CutBlocks) -> None:
    given: list[Snapshots] = []
    each = engine(lambda batch: given.append(batch) or [])  # type: ignore[func-returns-value]
    push_all(each, cut_blocks([8] * 12))
    np.testing.assert_array_equal(np.concatenate([batch.samples for batch in given]).ravel(), np.arange(96.0))


def test_results_carry_their_observations_and_lead_to_alerts(cut_blocks: CutBlocks) -> None:
    events = list(run(engine(faulty_above(30)), Blocks(cut_blocks([8] * 8))))
    results = [event for event in events if isinstance(event, WindowResult)]
    assert [result.observations[0].abnormal for result in results] == [False] * 4 + [True] * 4
    assert alerts(events) == [(AlertEvent.RAISED, "pump-7")]
    (alert,) = [event for event in events if isinstance(event, Alert)]
    assert alert.case.since == START + timedelta(milliseconds=32)
    assert alert.observation is results[5].observations[0]


def test_one_case_for_all_sensors_of_an_asset(cut_blocks: CutBlocks) -> None:
    streams = [cut_blocks([8] * 6, sensor=sensor, asset=asset) for asset in ("a", "b") for sensor in ("a1", "a2")]
    blocks = [block for together in zip(*streams, strict=True) for block in together]
    events = list(run(engine(faulty_above(-1)), Blocks(blocks)))
    assert sorted(alerts(events)) == [(AlertEvent.RAISED, "a"), (AlertEvent.RAISED, "b")]


def test_a_sensor_that_stops_is_silent_while_others_go_on(cut_blocks: CutBlocks) -> None:
    """By the time in the data: 70 s of two sensors, one of which stops after 5 s."""
    steady = cut_blocks([1000] * 70, sensor="DE", asset="a")
    stops = cut_blocks([1000] * 5, sensor="DE", asset="b")
    blocks = sorted(steady + stops, key=lambda block: block.time or START)
    options = replace(OPTIONS, window=1000, hop=1000)
    events = list(run(engine(faulty_above(1e9), options), Blocks(blocks)))
    assert alerts(events) == [(AlertEvent.RAISED, "b")]
    (alert,) = [event for event in events if isinstance(event, Alert)]
    assert alert.case.kind is AlertKind.SILENCE
    assert abs(alert.case.since - (START + timedelta(seconds=5))) <= timedelta(seconds=3)


def test_a_sensor_that_never_comes_is_silent_where_it_is_expected(cut_blocks: CutBlocks) -> None:
    each = engine(faulty_above(1e9))
    each.expect("b", "DE", START)
    push_all(each, cut_blocks([8]))
    assert alerts(each.tick(START + timedelta(seconds=59))) == []
    assert (AlertEvent.RAISED, "b") in alerts(each.tick(START + timedelta(seconds=60)))
    other = engine(faulty_above(1e9))
    other.expect("b", "DE", START)
    other.forget("b", "DE")
    assert alerts(other.tick(START + timedelta(days=1))) == []


def test_a_sensor_with_a_wrong_clock_is_not_silent(cut_blocks: CutBlocks) -> None:
    each = engine(faulty_above(1e9))
    for n in range(10):
        push_all(each, cut_blocks([8], first=8 * n))
        assert alerts(each.tick(START + timedelta(days=900, seconds=50 * n))) == []


def test_a_clock_set_back_reaches_the_alert_rules(cut_blocks: CutBlocks) -> None:
    late, early = cut_blocks([8] * 6, first=5_000_000), cut_blocks([8] * 20)
    each = engine(faulty_above(1e6))
    events = push_all(each, [*late, *early]) + each.finish()
    assert StreamEventKind.CLOCK in kinds(events)
    assert alerts(events) == [(AlertEvent.RAISED, "pump-7"), (AlertEvent.CLEARED, "pump-7")]
    assert each.asset("pump-7").late == 0


def test_sensors_that_swap_places_are_said_and_not_mixed(cut_blocks: CutBlocks) -> None:
    spy = Spy()
    each = engine(spy)
    before = [*cut_blocks([12], sensor="s1", asset="a"), *cut_blocks([12], sensor="s2", asset="b")]
    after = [
        *cut_blocks([12], sensor="s1", asset="b", first=12),
        *cut_blocks([12], sensor="s2", asset="a", first=12),
    ]
    events = push_all(each, before + after) + each.finish()
    moved = [event for event in events if isinstance(event, StreamEvent)]
    assert [(event.kind, event.sensor, event.asset, event.params["before"]) for event in moved] == [
        (StreamEventKind.MOVED, "s1", "b", "a"),
        (StreamEventKind.MOVED, "s2", "a", "b"),
    ]
    places = [
        (event.head.sensor, event.head.asset, event.head.time) for event in events if isinstance(event, WindowResult)
    ]
    assert sorted(places) == [
        ("s1", "a", START),
        ("s1", "b", START + timedelta(milliseconds=12)),
        ("s2", "a", START + timedelta(milliseconds=12)),
        ("s2", "b", START),
    ]


def test_two_sensors_of_one_name_are_no_move(cut_blocks: CutBlocks) -> None:
    streams = [cut_blocks([8] * 6, sensor="DE", asset=asset) for asset in ("a", "b")]
    each = engine(Spy())
    events = push_all(each, [block for pair in zip(*streams, strict=True) for block in pair])
    assert kinds(events) == []
    assert each.counters.snapshots == 12


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_is_heard_least_recently_is_forgotten_and_that_is_said(cut_blocks: CutBlocks, language: str) -> None:
    each = engine(faulty_above(-1), replace(OPTIONS, max_sensors=3))
    push_all(each, [block for n in (0, 1, 2, 0) for block in cut_blocks([5], sensor=f"s{n}", asset=f"a{n}")])
    (event,) = each.push(cut_blocks([5], sensor="s3", asset="a3")[0])
    assert isinstance(event, StreamEvent)
    assert (event.kind, event.sensor, event.params["samples"]) == (StreamEventKind.EVICTED, "s1", 5)
    assert "s1" in event.text(catalogue(language))
    assert each.counters.evicted == 1


def test_sensors_that_come_and_go_at_one_asset_leave_nothing(cut_blocks: CutBlocks) -> None:
    each = engine(faulty_above(1e9), replace(OPTIONS, max_sensors=2, batch=64))
    push_all(each, [block for n in range(30) for block in cut_blocks([8], sensor=f"s{n}", asset="a")])
    state, _ = each.save()
    assert [heard.sensor for heard in state.assets[0].heard] == ["s28", "s29"]
    assert len(state.assets[0].tracks) == 2


def test_assets_are_forgotten_too_but_not_before_their_case_is_closed(cut_blocks: CutBlocks) -> None:
    each = engine(faulty_above(-1), replace(OPTIONS, max_sensors=3, batch=1))
    push_all(each, cut_blocks([8] * 3, sensor="s0", asset="a0"))
    assert each.asset("a0").case
    for n in range(1, 9):
        push_all(each, cut_blocks([8], sensor=f"s{n}", asset=f"a{n}"))
    assert each.asset("a0").case
    assert not each.asset("a1").heard
    assert len(each.save()[0].assets) == 3


@settings(max_examples=30, deadline=None)
@given(
    pushed=st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 5), st.integers(0, 40), st.integers(1, 30)), max_size=60
    )
)
def test_memory_is_bounded_whatever_comes(cut_blocks: CutBlocks, pushed: list[tuple[int, int, int, int]]) -> None:
    options = replace(OPTIONS, lateness_s=1e6, max_samples=20, max_sensors=4)
    each = engine(faulty_above(1e9), options)
    for sensor, asset, place, length in pushed:
        (block,) = cut_blocks([length], sensor=f"s{sensor}", asset=f"a{asset}", first=10 * place)
        each.push(block)
        assert each.samples_kept <= 20 * 4
    state, _ = each.save()
    assert len(state.assets) <= 4
    assert len(state.timelines) <= 4
    assert sum(len(asset.heard) for asset in state.assets) <= 4
    assert len(each._homes) <= 4, "names are forgotten with their sensors"


@settings(max_examples=30, deadline=None)
@given(limits=st.lists(st.sampled_from([0.0, 1e9]), min_size=1, max_size=24), cut=st.integers(0, 24))
def test_a_restart_changes_no_alert(cut_blocks: CutBlocks, limits: list[float], cut: int) -> None:
    """The saved state goes through JSON; the source repeats nothing, and windows are whole blocks."""
    blocks = [
        replace(block, samples=block.samples + limit)
        for limit, block in zip(limits, cut_blocks([8] * len(limits)), strict=True)
    ]
    whole = engine(faulty_above(1e6))
    expected = push_all(whole, blocks) + whole.finish()
    first, second = engine(faulty_above(1e6)), engine(faulty_above(1e6))
    events = push_all(first, blocks[:cut])
    state, last = first.save()
    second.restore(msgspec.json.decode(msgspec.json.encode(state), type=EngineState))
    events += last + push_all(second, blocks[cut:]) + second.finish()
    assert alerts(events) == alerts(expected)
    assert [event.head.time for event in events if isinstance(event, WindowResult)] == [
        event.head.time for event in expected if isinstance(event, WindowResult)
    ]


def test_after_a_restart_silence_counts_from_the_first_look(cut_blocks: CutBlocks) -> None:
    first, second = engine(faulty_above(1e9)), engine(faulty_above(1e9))
    push_all(first, cut_blocks([8] * 3))
    second.restore(first.save()[0])
    morning = START + timedelta(hours=8)
    assert alerts(second.tick(morning)) == []
    assert alerts(second.tick(morning + timedelta(seconds=60))) == [(AlertEvent.RAISED, "pump-7")]


def test_people_acknowledge_and_resolve(cut_blocks: CutBlocks) -> None:
    each = engine(faulty_above(-1))
    push_all(each, cut_blocks([8] * 4))
    each.acknowledge("pump-7")
    case = each.asset("pump-7").case
    assert case
    assert case.state == "acknowledged"
    assert alerts(each.resolve("pump-7", START)) == [(AlertEvent.CLEARED, "pump-7")]
    assert each.resolve("pump-7", START) == []


def test_the_time_of_a_stream_is_not_moved_by_one_wrong_clock(cut_blocks: CutBlocks) -> None:
    each = engine(Spy())
    push_all(each, cut_blocks([8] * 5))
    before = each.stream_time
    each.push(replace(cut_blocks([8], sensor="x")[0], time=START + timedelta(days=9_000)))
    assert before
    assert each.stream_time
    assert each.stream_time - before < timedelta(seconds=1)


def test_before_the_first_block_there_is_no_time() -> None:
    assert engine(Spy()).stream_time is None
    assert engine(Spy()).finish() == []


def test_a_source_is_closed_also_when_nobody_listens_any_more(cut_blocks: CutBlocks) -> None:
    source = Blocks(cut_blocks([8] * 10))
    running = run(engine(Spy()), source)
    next(running)
    running.close()
    assert source.closed


def test_the_wall_clock_can_be_used_instead(cut_blocks: CutBlocks) -> None:
    minutes = count()
    events = list(
        run(
            engine(faulty_above(1e9)),
            Blocks([*cut_blocks([8]), *cut_blocks([4] * 5, sensor="part", first=8)]),
            clock=lambda: START + timedelta(minutes=2 * next(minutes)),
        )
    )
    assert (AlertEvent.RAISED, "pump-7") in alerts(events)


def test_after_each_block_all_that_came_of_it_was_taken(cut_blocks: CutBlocks) -> None:
    """Also where a block gives several events: what is saved in between knows of no more than what was said."""
    at_settled: list[int] = []
    each = engine(faulty_above(-1e9), replace(OPTIONS, batch=1))
    alone = engine(faulty_above(-1e9), replace(OPTIONS, batch=1))
    blocks = cut_blocks([8] * 5)
    taken = Counter[type]()
    for event in run(each, Blocks(blocks), settled=lambda: at_settled.append(taken.total())):
        taken[type(event)] += 1
    counts = [len(alone.push(block)) for block in blocks]
    assert max(counts) > 1
    assert at_settled == list(accumulate(counts))
