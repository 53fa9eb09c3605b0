"""Simulated sensors as a configuration names them: they deliver as time passes, without an end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Event
from types import TracebackType
from typing import Annotated, Self

from msgspec import Meta

from andon.hardware.acquisition.kinds import Place
from andon.hardware.sim.simulated_sensors import Onset, SimulatedMachine, SimulatedSensors, simulated_machines
from andon.models.types.errors import OptionError
from andon.models.types.vibration import Fault, Signal, SignalSource

ENDLESS = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedPlan:
    """Machines of one sensor each that deliver a block every ``every_s``.

    Parameters
    ----------
    duration_s
        Length of a block.
    fault
        What all of them have from ``fault_after_s`` after the start on.
    snr_db, severity_mm_s, growth_db_h
        Its strength, as ``Onset`` has them.
    """

    assets: tuple[str, ...]
    every_s: float = 10.0
    duration_s: float = 2.0
    seed: Annotated[int, Meta(ge=0)] = 0
    fault: Fault = Fault.NONE
    fault_after_s: float = 0.0
    snr_db: float = -12.0
    severity_mm_s: float = 1.0
    growth_db_h: float = 1.0

    def __post_init__(self) -> None:
        for name in ("every_s", "duration_s"):
            if not getattr(self, name) > 0:
                raise OptionError("acquisition.not_positive", name, found=getattr(self, name))
        if not self.assets:
            raise OptionError("acquisition.empty", "assets")

    def source(self, place: Place) -> "PacedSensors":
        """Begin now."""
        start = datetime.now(UTC)
        interval = timedelta(seconds=self.every_s)
        return PacedSensors(
            SimulatedSensors(self._machines(), start, interval, ENDLESS, self._onsets(start), seed=self.seed),
            place.stop,
        )

    def _machines(self) -> list[SimulatedMachine]:
        drawn = simulated_machines(len(self.assets), self.seed, self.duration_s)
        return [replace(machine, asset=asset) for machine, asset in zip(drawn, self.assets, strict=True)]

    def _onsets(self, start: datetime) -> Sequence[Onset]:
        if self.fault is Fault.NONE:
            return ()
        begins = start + timedelta(seconds=self.fault_after_s)
        strength = (self.snr_db, self.severity_mm_s, self.growth_db_h)
        return [Onset(asset, self.fault, begins, *strength) for asset in self.assets]


class PacedSensors:
    """A ``SignalSource`` that holds each block of another one back until its time has come."""

    def __init__(self, source: SignalSource, stop: Event) -> None:
        self._source = source
        self._stop = stop

    def __enter__(self) -> Self:
        self._source.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.__exit__(kind, error, trace)

    def blocks(self) -> Iterator[Signal]:
        """Deliver the blocks, each once its last sample was taken, until ``stop`` is set."""
        for block in self._source.blocks():
            if self._stop.wait(_left_s(block)):
                return
            yield block


def _left_s(block: Signal) -> float:
    taken = (block.time or datetime.now(UTC)) + timedelta(seconds=block.duration_s)
    return max((taken - datetime.now(UTC)).total_seconds(), 0.0)
