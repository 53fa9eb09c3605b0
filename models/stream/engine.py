"""From blocks of thousands of sensors to results and alerts, in bounded memory. One thread, no clock of its own, no I/O."""

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from andon.models.alerts.case import Alert, AlertPolicy, AssetState, Observation
from andon.models.alerts.rules import (
    NewId,
    Step,
    acknowledge,
    decide,
    decide_silence,
    expect,
    forget_sensor,
    note_arrivals,
    resolve,
    restart_clock,
)
from andon.models.stream.assembler import Assembler, Item, refusal
from andon.models.stream.windows import (
    Analyse,
    Counters,
    EngineState,
    Head,
    Snapshot,
    Snapshots,
    StreamEvent,
    StreamEventKind,
    StreamOptions,
    WindowResult,
)
from andon.models.types.identifiers import new_id as unique_id
from andon.models.types.moments import unix_us
from andon.models.types.vibration import Signal, SignalSource, Unit

Event = WindowResult | Alert | StreamEvent

_TIMES = 5
"""Blocks whose median end is the stream's time: two wrong clocks among them do not move it."""


class _Batch:
    """Snapshots of one rate and unit, copied into one array as they come, so that no block is kept for them."""

    def __init__(self, rate_hz: float, unit: Unit, size: int, window: int) -> None:
        self._rate_hz, self._unit = rate_hz, unit
        self._samples = np.empty((size, window))
        self._heads: list[Head] = []

    @property
    def full(self) -> bool:
        """Whether it has no room."""
        return len(self._heads) == len(self._samples)

    def add(self, snapshot: Snapshot) -> None:
        """Copy a snapshot."""
        self._samples[len(self._heads)] = snapshot.samples
        self._heads.append(snapshot.head)

    def snapshots(self) -> Snapshots:
        """What is in it."""
        return Snapshots(self._samples[: len(self._heads)], self._rate_hz, self._unit, tuple(self._heads))


class StreamEngine:
    """Assembles, analyses in batches and decides.

    A sensor is known by its asset and its name, so windows never mix two places. A name that comes from another asset
    than before is stated as moved, unless both places deliver at the same time: then two sensors share the name.

    Parameters
    ----------
    analyse
        Called with batches of snapshots; its observations go to the alert rules in its order.
    policy
        For all assets.
    new_id
        Names new cases.
    """

    def __init__(
        self,
        analyse: Analyse,
        policy: AlertPolicy,
        options: StreamOptions | None = None,
        new_id: NewId = unique_id,
    ) -> None:
        self._analyse = analyse
        self._policy = policy
        self._options = options or StreamOptions()
        self._new_id = new_id
        self._counters = Counters()
        self._assemblers: OrderedDict[tuple[str, str], Assembler] = OrderedDict()
        self._assets: OrderedDict[str, AssetState] = OrderedDict()
        self._batches: OrderedDict[tuple[float, Unit], _Batch] = OrderedDict()
        self._homes: dict[str, tuple[str, datetime] | None] = {}
        self._ends: deque[datetime] = deque(maxlen=_TIMES)
        self._arrived: defaultdict[str, set[str]] = defaultdict(set)

    @property
    def counters(self) -> Counters:
        """What has gone through so far: a copy."""
        return replace(self._counters)

    @property
    def samples_kept(self) -> int:
        """Samples that the assemblers hold; batches hold up to ``max_batches * batch * window`` more."""
        return sum(assembler.samples_kept for assembler in self._assemblers.values())

    @property
    def stream_time(self) -> datetime | None:
        """The median end of the last five blocks: for recorded data, the time it is in them."""
        return sorted(self._ends)[len(self._ends) // 2] if self._ends else None

    def asset(self, asset: str) -> AssetState:
        """Return what the alert rules remember of an asset."""
        return self._assets.get(asset) or AssetState(asset)

    def push(self, block: Signal) -> list[Event]:
        """Take a block of any sensor, and return all that follows from it."""
        self._counters.blocks += 1
        events: list[Event] = []
        if block.time is not None and not refusal(block):
            events += self._note_place(block, block.time)
        assembler, evicted = self._assembler(block.asset, block.sensor)
        events += evicted
        for item in assembler.push(block):
            events += self._handle(item)
        return events

    def tick(self, now: datetime) -> list[Event]:
        """Let time pass: give up waiting for blocks, analyse what is there, look for silence and reminders due.

        To be called about once a second of ``now``, which is on the clock of the blocks' times.
        """
        now_us = unix_us(now)
        events: list[Event] = []
        for assembler in self._assemblers.values():
            for item in assembler.advance(now_us):
                events += self._handle(item)
        events += self.flush()
        arrived, self._arrived = self._arrived, defaultdict(set)
        for asset, state in list(self._assets.items()):
            current = note_arrivals(state, arrived[asset], now) if asset in arrived else state
            events += self._step(decide_silence(self._policy, current, now, self._new_id))
        return events

    def flush(self) -> list[Event]:
        """Analyse the snapshots that wait for their batch to fill."""
        events: list[Event] = []
        while self._batches:
            events += self._analyse_batch(next(iter(self._batches)))
        return events

    def finish(self) -> list[Event]:
        """End the stream: nothing is waited for any more."""
        events: list[Event] = []
        for assembler in self._assemblers.values():
            for item in assembler.finish():
                events += self._handle(item)
        events += self.flush()
        return events + (self.tick(self.stream_time) if self.stream_time else [])

    def expect(self, asset: str, sensor: str, time: datetime) -> list[Event]:
        """Expect snapshots of a sensor from ``time`` on, also of one that never gives any."""
        state, events = self._state(asset)
        self._assets[asset] = expect(state, sensor, time)
        return events

    def forget(self, asset: str, sensor: str) -> None:
        """Stop expecting a sensor that was taken off an asset, and give up its samples."""
        if asset in self._assets:
            self._assets[asset] = forget_sensor(self._assets[asset], sensor)
        if asset in self._arrived:
            self._arrived[asset].discard(sensor)
        self._homes.pop(sensor, None)
        assembler = self._assemblers.pop((asset, sensor), None)
        if assembler:
            assembler.drop()

    def acknowledge(self, asset: str) -> None:
        """Note that somebody has taken the asset's case on."""
        self._assets[asset] = acknowledge(self.asset(asset))

    def resolve(self, asset: str, time: datetime) -> list[Event]:
        """Close the asset's case because somebody says so."""
        return self._step(resolve(self.asset(asset), time))

    def save(self) -> tuple[EngineState, list[Event]]:
        """Return what outlives a restart, and what had to be analysed before it could be taken.

        Samples are not kept. A source that repeats what was not acknowledged gets the same windows as without the
        restart; one that does not has a gap.
        """
        events = self.flush()
        timelines = (assembler.timeline() for assembler in self._assemblers.values())
        return EngineState(tuple(self._assets.values()), tuple(each for each in timelines if each)), events

    def restore(self, state: EngineState) -> None:
        """Go on from a saved state; to be called before the first block.

        Silence is counted from the first ``tick`` on: nobody has listened since the state was saved.
        """
        for asset in state.assets:
            self._assets[asset.asset] = asset
            self._arrived[asset.asset] = {each.sensor for each in asset.heard}
        for timeline in state.timelines:
            assembler = Assembler(timeline.asset, timeline.sensor, self._options, self._counters)
            assembler.resume(timeline)
            self._assemblers[timeline.asset, timeline.sensor] = assembler

    def _note_place(self, block: Signal, time: datetime) -> Iterator[Event]:
        end = time + timedelta(seconds=block.duration_s)
        self._ends.append(end)
        home = self._homes.get(block.sensor, (block.asset, end))
        if home is None:
            return
        before, last_end = home
        shared = before != block.asset and time < last_end
        self._homes[block.sensor] = None if shared else (block.asset, end)
        if before != block.asset and not shared:
            yield StreamEvent(StreamEventKind.MOVED, block.asset, block.sensor, time, {"before": before})

    def _assembler(self, asset: str, sensor: str) -> tuple[Assembler, list[Event]]:
        key = asset, sensor
        found = self._assemblers.get(key)
        if found:
            self._assemblers.move_to_end(key)
            return found, []
        events = self._evict_sensor() if len(self._assemblers) >= self._options.max_sensors else []
        self._assemblers[key] = Assembler(asset, sensor, self._options, self._counters)
        return self._assemblers[key], events

    def _evict_sensor(self) -> list[Event]:
        # Its snapshots are decided first, or they would have it remembered again.
        events = self.flush()
        asset, sensor = next(iter(self._assemblers))
        dropped = self._assemblers[asset, sensor].samples_kept
        self.forget(asset, sensor)
        self._counters.evicted += 1
        limit = self._options.max_sensors
        evicted = StreamEvent(StreamEventKind.EVICTED, asset, sensor, None, {"samples": dropped, "limit": limit})
        return [*events, evicted]

    def _handle(self, item: Item) -> list[Event]:
        if isinstance(item, Snapshot):
            return self._collect(item)
        events: list[Event] = []
        if item.kind in (StreamEventKind.CLOCK, StreamEventKind.FORMAT):
            # What came before is to be decided before what comes after.
            events += self.flush()
        if item.kind is StreamEventKind.CLOCK and item.time:
            self._assets[item.asset] = restart_clock(self.asset(item.asset), item.sensor, item.time)
        return [*events, item]

    def _collect(self, snapshot: Snapshot) -> list[Event]:
        key = snapshot.head.rate_hz, snapshot.head.unit
        events: list[Event] = []
        if key not in self._batches:
            if len(self._batches) >= self._options.max_batches:
                events += self._analyse_batch(next(iter(self._batches)))
            self._batches[key] = _Batch(*key, self._options.batch, self._options.window)
        self._batches[key].add(snapshot)
        return events + (self._analyse_batch(key) if self._batches[key].full else [])

    def _analyse_batch(self, key: tuple[float, Unit]) -> list[Event]:
        snapshots = self._batches.pop(key).snapshots()
        observations = self._analyse(snapshots)
        by_head: defaultdict[tuple[str, str, datetime], list[Observation]] = defaultdict(list)
        for each in observations:
            by_head[each.asset, each.sensor, each.time].append(each)
        events: list[Event] = [
            WindowResult(head, tuple(by_head.get((head.asset, head.sensor, head.time), ()))) for head in snapshots.heads
        ]
        for each in observations:
            events += self._decide(each)
        return events

    def _decide(self, observation: Observation) -> list[Event]:
        self._arrived[observation.asset].add(observation.sensor)
        state, events = self._state(observation.asset)
        return events + self._step(decide(self._policy, state, observation, self._new_id))

    def _step(self, step: Step) -> list[Event]:
        state, alerts = step
        self._assets[state.asset] = state
        return list(alerts)

    def _state(self, asset: str) -> tuple[AssetState, list[Event]]:
        """The asset's state, with room for it made."""
        state = self._assets.get(asset)
        if state:
            self._assets.move_to_end(asset)
            return state, []
        return AssetState(asset), self._evict_asset() if len(self._assets) >= self._options.max_sensors else []

    def _evict_asset(self) -> list[Event]:
        """Forget the asset heard least recently, one without an open case if there is any."""
        quiet = (asset for asset, state in self._assets.items() if state.case is None)
        asset = next(quiet, next(iter(self._assets)))
        del self._assets[asset]
        self._counters.evicted += 1
        return [
            StreamEvent(StreamEventKind.EVICTED, asset, "", None, {"samples": 0, "limit": self._options.max_sensors})
        ]


def run(
    engine: StreamEngine,
    source: SignalSource,
    clock: Callable[[], datetime | None] | None = None,
    tick_s: float = 1.0,
    settled: Callable[[], None] = lambda: None,
) -> Generator[Event, None, None]:
    """Run a source to its end and yield what comes of it, in order.

    Parameters
    ----------
    clock
        Tells the time in UTC: the wall clock for sensors that deliver now. By default the time in the data themselves,
        which is what recorded data need.
    tick_s
        How often the engine looks at the time; a result waits at most this long for its batch.
    settled
        Called after each block once all that came of it has been taken: what is saved then never runs ahead of what was said.
    """
    now_of = clock or (lambda: engine.stream_time)
    with source:
        yield from _pump(engine, source.blocks(), now_of, timedelta(seconds=tick_s), settled)
    yield from engine.finish()


def _pump(
    engine: StreamEngine,
    blocks: Iterable[Signal],
    now_of: Callable[[], datetime | None],
    every: timedelta,
    settled: Callable[[], None],
) -> Iterator[Event]:
    ticked: datetime | None = None
    for block in blocks:
        yield from engine.push(block)
        now = now_of()
        if now is not None and (ticked is None or abs(now - ticked) >= every):
            ticked = now
            yield from engine.tick(now)
        settled()
