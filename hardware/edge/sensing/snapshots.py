"""Cut what a source delivers into the snapshots that are judged, in bounded memory."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from andon.datasets.vibration.diagnosed import READ_S
from andon.hardware.acquisition.schedule import ScheduleSettings, SnapshotSchedule
from andon.hardware.acquisition.snapshots import ScheduledSensors
from andon.hardware.edge.config.plans import SnapshotPlan
from andon.models.stream.assembler import Assembler, Item, refusal
from andon.models.stream.windows import EVENT_CODES, Counters, Snapshot, StreamEvent, StreamEventKind, StreamOptions
from andon.models.types.errors import RecordError
from andon.models.types.vibration import Signal, SignalSource
from andon.models.vibration.indicators import MIN_SAMPLES

Cut = Callable[[Signal], Iterator[Signal]]
"""Takes a block, and gives the snapshots that it completes. Raises ``RecordError`` where nothing can be made of it."""

Channel = tuple[str, str]
"""Asset and sensor."""

MOST_CHANNELS = 1_000
"""Sensors that a source may deliver: whoever invents names fills neither memory nor disk with them."""

MOST_SAMPLES = 1 << 23
"""Samples that wait for their snapshot to be whole, of all sensors of a source: 64 MiB."""

LONGEST_NAME = 200

_SEAMLESS_S = StreamOptions().tolerance_s

logger = logging.getLogger(__name__)


def scheduled(source: SignalSource, plan: SnapshotPlan | None) -> SignalSource:
    """Let go what comes between two snapshots."""
    if plan is None or plan.every_s is None:
        return source
    return ScheduledSensors(source, SnapshotSchedule(ScheduleSettings(every_s=plan.every_s)), plan.duration_s)


def cutter(plan: SnapshotPlan | None) -> Cut:
    """Choose how blocks become snapshots."""
    return Admitted(Whole() if plan is None else Windows(plan))


class Admitted:
    """Lets blocks through whose sensor and time can be known, of ``MOST_CHANNELS`` at most; those come first that are heard first."""

    def __init__(self, cut: Cut) -> None:
        self._cut = cut
        self._known: set[Channel] = set()

    def __call__(self, block: Signal) -> Iterator[Signal]:
        """Cut a block."""
        self._check(block)
        yield from self._cut(block)

    def _check(self, block: Signal) -> None:
        subject = f"{block.asset}/{block.sensor}"[:LONGEST_NAME]
        for name in (block.asset, block.sensor):
            if len(name) > LONGEST_NAME or not name.isprintable():
                raise RecordError("edge.sensor_name", repr(subject), expected=LONGEST_NAME)
        if len(self._known) >= MOST_CHANNELS and (block.asset, block.sensor) not in self._known:
            raise RecordError("edge.sensors_many", subject, expected=MOST_CHANNELS)
        if refusal(block):
            raise _no_snapshot(block, len(block.samples))
        self._known.add((block.asset, block.sensor))


@dataclass(frozen=True, slots=True)
class _Before:
    """How the last block of a sensor ended."""

    end: datetime
    duration_s: float


class Whole:
    """Each block is a snapshot, as far as it is diagnosed.

    What continues a block without a gap and is shorter than half of it is the rest of a long record, and says too little by itself.
    """

    def __init__(self) -> None:
        self._before: dict[Channel, _Before] = {}

    def __call__(self, block: Signal) -> Iterator[Signal]:
        """Give the block."""
        if block.time is None or len(block.samples) < MIN_SAMPLES:
            raise _no_snapshot(block, len(block.samples))
        if not self._is_rest(block, block.time):
            most = min(READ_S * block.rate_hz, len(block.samples))
            yield replace(block, samples=block.samples[: int(most)])

    def _is_rest(self, block: Signal, time: datetime) -> bool:
        before = self._before.get((block.asset, block.sensor))
        end = time + timedelta(seconds=block.duration_s)
        self._before[block.asset, block.sensor] = _Before(end, block.duration_s)
        if before is None or block.duration_s >= before.duration_s / 2:
            return False
        # Times are whole microseconds, and samples lie between them.
        return abs((time - before.end).total_seconds()) <= _SEAMLESS_S


class Windows:
    """Snapshots of equal length out of blocks of any, by the assembler of the stream engine, one for each sensor."""

    def __init__(self, plan: SnapshotPlan) -> None:
        self._plan = plan
        self._counters = Counters()
        self._assemblers: OrderedDict[Channel, tuple[float, Assembler]] = OrderedDict()

    def __call__(self, block: Signal) -> Iterator[Signal]:
        """Give the snapshots that the block completes."""
        assembler = self._assembler(block)
        for item in assembler.push(block):
            yield from self._handled(item)
        self._make_room()

    def _assembler(self, block: Signal) -> Assembler:
        """Find the sensor's; one of another rate cuts windows of another length."""
        name = (block.asset, block.sensor)
        rate_hz, assembler = self._assemblers.get(name, (0.0, None))
        if assembler is None or rate_hz != block.rate_hz:
            assembler = Assembler(*name, self._options(block), self._counters)
            self._assemblers[name] = block.rate_hz, assembler
        self._assemblers.move_to_end(name)
        return assembler

    def _options(self, block: Signal) -> StreamOptions:
        every_s = self._plan.every_s
        wanted = self._plan.duration_s * block.rate_hz
        if not MIN_SAMPLES <= wanted <= MOST_SAMPLES:
            raise _no_snapshot(block, wanted)
        window = round(wanted)
        hop = window if every_s is None else max(window, round(every_s * block.rate_hz))
        # What is scheduled comes with gaps in which nothing is late.
        usual = StreamOptions()
        lateness_s = usual.lateness_s if every_s is None else 0.0
        return StreamOptions(window, hop, lateness_s, max_samples=max(usual.max_samples, 2 * window))

    def _handled(self, item: Item) -> Iterator[Signal]:
        if isinstance(item, StreamEvent):
            self._note(item)
            return
        yield _signal(item)

    def _note(self, event: StreamEvent) -> None:
        if event.kind is StreamEventKind.GAP and self._plan.every_s is not None:
            return
        said = {"code": EVENT_CODES[event.kind], "asset": event.asset, "sensor": event.sensor, **event.params}
        logger.warning("stream", extra={"fields": said})

    def _make_room(self) -> None:
        """Give up the samples of those that were heard least recently."""
        kept = sum(assembler.samples_kept for _, assembler in self._assemblers.values())
        while kept > MOST_SAMPLES and len(self._assemblers) > 1:
            (asset, sensor), (_, assembler) = self._assemblers.popitem(last=False)
            dropped = assembler.drop()
            kept -= dropped
            self._note(StreamEvent(StreamEventKind.EVICTED, asset, sensor, None, {"samples": dropped}))


def _signal(snapshot: Snapshot) -> Signal:
    head = snapshot.head
    return Signal(snapshot.samples, head.rate_hz, head.unit, head.sensor, head.asset, head.time, head.rpm, head.orders)


def _no_snapshot(block: Signal, samples: float) -> RecordError:
    time = "-" if block.time is None else block.time.isoformat()
    found = {"found": f"{samples:.12g}", "rate": f"{block.rate_hz:.6g}", "time": time}
    return RecordError("edge.no_snapshot", f"{block.asset}/{block.sensor}", expected=MIN_SAMPLES, **found)
