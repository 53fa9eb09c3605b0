"""Channels that say when the samples were taken, and the rate that follows from them."""

import re
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from andon.datasets.vibration.containers import Channel, Channels
from andon.models.types.errors import RecordError
from andon.models.types.vibration import Samples

_CLOCK = re.compile(
    r"(?:time|t|timestamp|date_?time|elapsed|seconds|时间)(?:[\s_]*[\[(（]?\s*(?P<unit>s|sec|seconds|秒|ms|us|[µμ]s)\s*[\])）]?)?",
    re.IGNORECASE,
)
_TICKS_PER_S = {"ms": 1e3, "us": 1e6, "µs": 1e6, "μs": 1e6}

MAX_STEP = 1.5
"""Longest and, as its complement to 2, shortest step between samples, in sampling periods. One missing sample makes a step of
two periods; times that are rounded to half a period still pass."""


def with_clocks(channels: Channels) -> Channels:
    """Mark as clocks the channels that are named like one: ``time``, ``t``, ``timestamp``, ``Time (ms)``, ``时间`` ..."""
    return {name: _marked(name, channel) for name, channel in channels.items()}


def rate_from_clock(chunks: Iterable[Samples], ticks_per_s: float, subject: str) -> float | None:
    """Return samples a second by the times at which they were taken; None for less than two.

    Raises
    ------
    RecordError
        If the clock jumps backwards, or the times are not equally spaced. The message names the sample, counted from 1.
    """
    times = _Times(subject)
    for chunk in chunks:
        times.add(chunk)
    return None if times.count < 2 else times.rate() * ticks_per_s


class _Times:
    """Goes once through a clock, keeping its ends and its longest and shortest step."""

    def __init__(self, subject: str) -> None:
        self.count = 0
        self._subject = subject
        self._first = self._last = np.nan
        self._longest, self._shortest = (-np.inf, 0), (np.inf, 0)

    def add(self, times: Samples) -> None:
        if not len(times):
            return
        if not self.count:
            self._first = self._last = times[0]
        steps = np.diff(times, prepend=self._last)[0 if self.count else 1 :]
        self._note(steps, self.count + (0 if self.count else 1))
        self.count += len(times)
        self._last = times[-1]

    def rate(self) -> float:
        period = (self._last - self._first) / (self.count - 1)
        for (step, at), fits in (
            (self._longest, self._longest[0] <= MAX_STEP * period),
            (self._shortest, self._shortest[0] >= (2 - MAX_STEP) * period > 0),
        ):
            if not fits:
                raise RecordError(
                    "record.uneven", self._subject, at=at + 1, found=f"{step:.6g}", period=f"{period:.6g}"
                )
        # Nine digits: what is beyond is the rounding of the times, not the clock of the recorder.
        return float(f"{1 / period:.9g}")

    def _note(self, steps: Samples, first: int) -> None:
        if not len(steps):
            return
        if (wrong := np.flatnonzero(~(steps >= 0))).size:
            at, step = first + int(wrong[0]) + 1, steps[wrong[0]]
            raise RecordError("record.clock_back", self._subject, at=at, found=f"{step:.6g}")
        longest, shortest = int(steps.argmax()), int(steps.argmin())
        self._longest = max(self._longest, (float(steps[longest]), first + longest), key=lambda noted: noted[0])
        self._shortest = min(self._shortest, (float(steps[shortest]), first + shortest), key=lambda noted: noted[0])


def _marked(name: str, channel: Channel) -> Channel:
    named = _CLOCK.fullmatch(re.split(r"[./]", name)[-1].strip())
    if channel.ticks_per_s is not None or named is None:
        return channel
    return replace(channel, ticks_per_s=_TICKS_PER_S.get((named["unit"] or "s").lower(), 1.0))
