"""Process values of devices that are asked for them, at equal distances."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from threading import Event
from types import TracebackType
from typing import Protocol, Self

from andon.hardware.acquisition.schedule import Ticks
from andon.hardware.acquisition.standing import Report, StandingFaults
from andon.models.types.errors import ResourceError
from andon.models.types.vibration import TimedRow


class Readout(Protocol):
    """Values of one device that make a row."""

    @property
    def address(self) -> str:
        """The device's name in messages."""

    @property
    def link(self) -> AbstractContextManager[object]:
        """What they are read over."""

    def read(self, now: datetime, faults: StandingFaults) -> Mapping[str, float | None]:
        """Read all of them: by the name of the measure, None where one cannot be had or believed, which is noted.

        Raises
        ------
        ResourceError
            The device is away.
        """


class PolledRows:
    """A ``RowSource`` of a readout, taken ``every_s``. A device that is away gives no row, and is reported once for as long as that lasts.

    Parameters
    ----------
    report
        Told of what cannot be read, believed or reached.
    stop
        Ends ``rows`` once it is set, within the time that the device is waited for.
    """

    def __init__(self, readout: Readout, *, asset: str, every_s: float, report: Report, stop: Event) -> None:
        self._readout, self._asset, self._stop = readout, asset, stop
        self._ticks = Ticks(every_s)
        self._faults = StandingFaults(report)

    def __enter__(self) -> Self:
        self._readout.link.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._readout.link.__exit__(kind, error, trace)

    @property
    def missed(self) -> int:
        """Rows that were due while the one before was being read."""
        return self._ticks.missed

    def rows(self) -> Iterator[TimedRow]:
        """Deliver rows until ``stop`` is set."""
        while self._ticks.wait(self._stop):
            time = datetime.now(UTC)
            try:
                measures = self._readout.read(time, self._faults)
            except ResourceError as error:
                self._faults.note(error)
                continue
            self._faults.clear(self._readout.address)
            yield TimedRow(self._asset, time, measures)
