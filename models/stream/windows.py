"""What the stream engine takes and gives: options, snapshots, events, counters, and the state that outlives a restart."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from andon.models.alerts.case import AssetState, Observation
from andon.models.messages.catalogue import Catalogue
from andon.models.types.errors import OptionError, Param
from andon.models.types.vibration import BearingOrders, Samples, Unit


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """How windows are cut and how much is waited for and kept.

    Parameters
    ----------
    window
        Samples of a snapshot: 16,384, a power of two for the transforms, and 0.64 s at 25.6 kHz.
    hop
        Samples from the start of one snapshot to the next; no overlap by default, since analysis costs the most.
    lateness_s
        How long a block waits for one that is missing before it: one second, since networks reorder within fractions
        of it.
    tolerance_s
        Blocks whose times fit this closely are seamless: 1 ms, which clocks keep that a local network sets. Never more
        than half a block.
    restart_after
        After so many late blocks in a row that ascend in time, the sensor's clock was set back and its time starts
        anew. Eight in a row is no disorder that a network makes.
    max_samples
        Samples kept for a sensor, at least a window: four of them, so 512 KiB, or 5 GiB for 10,000 sensors.
    batch
        Snapshots analysed in one call: 64 spread the call's cost thin and hold 8 MiB.
    max_sensors
        Sensors, and as many assets, that are remembered; whoever was heard least recently goes first.
    max_batches
        Batches of different rate or unit that are filled at one time; the oldest is analysed early.

    Raises
    ------
    OptionError
        Where a number is out of its range.
    """

    window: int = 16_384
    hop: int = 16_384
    lateness_s: float = 1.0
    tolerance_s: float = 0.001
    restart_after: int = 8
    max_samples: int = 65_536
    batch: int = 64
    max_sensors: int = 10_000
    max_batches: int = 16

    def __post_init__(self) -> None:
        for name in ("window", "hop", "restart_after", "batch", "max_sensors", "max_batches"):
            if getattr(self, name) < 1:
                raise OptionError("stream.too_small", name, found=getattr(self, name), limit=1)
        for name in ("lateness_s", "tolerance_s"):
            if not getattr(self, name) >= 0:
                raise OptionError("stream.too_small", name, found=getattr(self, name), limit=0)
        if self.max_samples < self.window:
            raise OptionError("stream.too_small", "max_samples", found=self.max_samples, limit=self.window)


@dataclass(frozen=True, slots=True)
class Head:
    """Whose a snapshot is and when it was taken; ``time`` is that of its first sample, in UTC."""

    asset: str
    sensor: str
    time: datetime
    rate_hz: float
    unit: Unit
    rpm: float | None = None
    orders: BearingOrders | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """Exactly one window of samples that follow each other without a gap.

    Parameters
    ----------
    samples
        ``[window]``; may be a view of the block it came in: to be read only.
    """

    head: Head
    samples: Samples


@dataclass(frozen=True, slots=True, eq=False)
class Snapshots:
    """Snapshots of many sensors, all of one rate and unit, to be analysed in one call.

    Parameters
    ----------
    samples
        ``[b, window]``, float64, in ``unit``.
    heads
        ``[b]``, in the same order.
    """

    samples: NDArray[np.float64]
    rate_hz: float
    unit: Unit
    heads: tuple[Head, ...]


Analyse = Callable[[Snapshots], Sequence[Observation]]
"""Says of each snapshot what its checks say: none, one or several observations, each with the head's asset, sensor, time."""


class StreamEventKind(StrEnum):
    """What can happen to a stream that is no measurement."""

    GAP = "gap"
    LATE = "late"
    CLOCK = "clock"
    FORMAT = "format"
    MOVED = "moved"
    OVERFLOW = "overflow"
    EVICTED = "evicted"
    REFUSED = "refused"


EVENT_CODES: Mapping[StreamEventKind, str] = {
    StreamEventKind.GAP: "stream.gap",
    StreamEventKind.LATE: "stream.late",
    StreamEventKind.CLOCK: "stream.clock",
    StreamEventKind.FORMAT: "stream.format",
    StreamEventKind.MOVED: "stream.moved",
    StreamEventKind.OVERFLOW: "stream.overflow",
    StreamEventKind.EVICTED: "stream.evicted",
    StreamEventKind.REFUSED: "stream.refused",
}


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """Something that befell a sensor's stream. ``time`` is that of the block it showed on; None where it has none."""

    kind: StreamEventKind
    asset: str
    sensor: str
    time: datetime | None
    params: Mapping[str, Param] = field(default_factory=dict)

    def text(self, catalogue: Catalogue) -> str:
        """Say it in one line."""
        return catalogue.text(EVENT_CODES[self.kind], asset=self.asset, sensor=self.sensor, **self.params)


@dataclass(frozen=True, slots=True)
class WindowResult:
    """What the analysis says of one snapshot."""

    head: Head
    observations: tuple[Observation, ...]


@dataclass(slots=True)
class Counters:
    """What went through.

    Parameters
    ----------
    duplicates
        Blocks that had been there before, with the same samples.
    late
        Blocks whose place in time had passed.
    gaps
        Times at which samples were missing between two blocks.
    dropped
        Samples that were taken but will be in no window, because a gap, a restart or an eviction cut it off.
    refused
        Blocks without a time, a rate or samples.
    """

    blocks: int = 0
    snapshots: int = 0
    duplicates: int = 0
    late: int = 0
    gaps: int = 0
    clocks: int = 0
    dropped: int = 0
    overflows: int = 0
    evicted: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a block is known by when it comes again: its start, length and a checksum of samples spread over it."""

    start_us: int
    n: int
    checksum: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """How far a sensor has been cut into windows.

    Parameters
    ----------
    resume_us
        Start of the next window, in microseconds since 1970: a source that repeats the samples from here on gets the
        same windows as without the interruption.
    recent
        The last blocks, by which those that come again are known.
    """

    asset: str
    sensor: str
    rate_hz: float
    unit: Unit
    resume_us: int
    recent: tuple[Fingerprint, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineState:
    """What outlives a restart: plain values that ``msgspec`` writes and reads."""

    assets: tuple[AssetState, ...] = ()
    timelines: tuple[Timeline, ...] = ()
