"""When to look: at equal distances, or when a machine runs at the right speed, or when somebody asks."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from time import monotonic

from andon.models.types.errors import OptionError

Clock = Callable[[], float]
"""Seconds that never jump, from any beginning."""


class Ticks:
    """Moments that lie ``every_s`` apart however long the work between them takes; the first is at once.

    The distance is kept from the beginning, so delays do not add up. What was missed is counted and not caught up.

    Parameters
    ----------
    every_s
        In seconds, above 0.
    """

    def __init__(self, every_s: float, clock: Clock = monotonic) -> None:
        if not every_s > 0:
            raise OptionError("acquisition.not_positive", "every_s", found=every_s)
        self._every_s = every_s
        self._clock = clock
        self._start_s: float | None = None
        self._turn = -1
        self.missed = 0

    def wait(self, stop: Event) -> bool:
        """Wait for the next moment; false where ``stop`` was set."""
        now_s = self._clock()
        if self._start_s is None:
            self._start_s = now_s
        turn = max(self._turn + 1, int((now_s - self._start_s) / self._every_s))
        self.missed += turn - self._turn - 1
        self._turn = turn
        return not stop.wait(max(self._start_s + turn * self._every_s - now_s, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSettings:
    """When a snapshot is to be taken.

    Parameters
    ----------
    every_s
        From one snapshot to the next, in seconds; None where only ``SnapshotSchedule.request`` asks.
    min_rpm, max_rpm
        Speeds within which a snapshot may begin; one that is due waits for them until the next is due.
    max_age_s
        A speed that was read longer ago is not known, and an unknown one is in no band.
    """

    every_s: float | None = None
    min_rpm: float | None = None
    max_rpm: float | None = None
    max_age_s: float = 60.0

    def __post_init__(self) -> None:
        for name in ("every_s", "max_age_s"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise OptionError("acquisition.not_positive", name, found=value)
        if self.min_rpm is not None and self.max_rpm is not None and self.min_rpm > self.max_rpm:
            raise OptionError("acquisition.empty_band", "min_rpm", found=self.min_rpm, limit=self.max_rpm)

    @property
    def is_gated(self) -> bool:
        """Whether the speed matters."""
        return self.min_rpm is not None or self.max_rpm is not None


class SnapshotSchedule:
    """Says when a snapshot is to begin; the first is due at once. ``note_rpm`` and ``request`` may be called by any thread.

    ``missed`` counts snapshots that never began before the next was due: nobody looked, or the speed was not in the band.
    """

    def __init__(self, settings: ScheduleSettings, clock: Clock = monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._start_s: float | None = None
        self._taken = -1
        self._speed: tuple[float, float] | None = None
        self._requested = Event()
        self.missed = 0

    def note_rpm(self, rpm: float | None) -> None:
        """Take the measured speed of the shaft, None where it could not be had."""
        self._speed = None if rpm is None else (self._clock(), rpm)

    def request(self) -> None:
        """Ask for a snapshot now, whatever the speed is."""
        self._requested.set()

    def take(self) -> bool:
        """Whether a snapshot is to begin now; it counts as begun where so."""
        turn = self._turn()
        is_due = turn > self._taken and self._is_in_band()
        if is_due:
            self.missed += turn - self._taken - 1
            self._taken = turn
        if self._requested.is_set():
            self._requested.clear()
            return True
        return is_due

    def _turn(self) -> int:
        """Number of the snapshot that is due, or was last."""
        now_s = self._clock()
        if self._start_s is None:
            self._start_s = now_s
        every_s = self._settings.every_s
        return -1 if every_s is None else int((now_s - self._start_s) / every_s)

    def _is_in_band(self) -> bool:
        settings, speed = self._settings, self._speed
        if not settings.is_gated:
            return True
        if speed is None or self._clock() - speed[0] > settings.max_age_s:
            return False
        return (settings.min_rpm or 0.0) <= speed[1] <= (float("inf") if settings.max_rpm is None else settings.max_rpm)
