"""A release over a fleet: a box first, then more in waves, each only once the one before has been well for long enough. Pure.

Which box belongs to which wave is laid down by the order of the boxes; each takes its bundle under the alias of its wave, so that starting a wave is giving
that alias to a version.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil

Plan = tuple[tuple[str, ...], ...]
"""The boxes of each wave."""


class Standing(StrEnum):
    """How a box stands to a release."""

    WAITING = "waiting"
    TRYING = "trying"
    WELL = "well"
    FAILED = "failed"
    AWAY = "away"


class Advice(StrEnum):
    """What is to be done about a fleet."""

    START = "start"
    WAIT = "wait"
    STOP = "stop"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveRule:
    """How a release spreads.

    Parameters
    ----------
    first_boxes
        In the first wave.
    shares
        Of the fleet, that have the release by the end of each wave after it; the last one is 1.
    healthy_s
        How long every box of a wave must have been well with it before the next wave starts.
    allowed_failures
        Boxes of all waves so far that may have refused it, rolled it back or be in fault; more than that, and it stops.
    """

    first_boxes: int = 1
    shares: tuple[float, ...] = (0.1, 0.5, 1.0)
    healthy_s: float = 4 * 3600.0
    allowed_failures: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """How a box stands to the release, and since when it is well with it."""

    standing: Standing
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done, and because of which boxes.

    Parameters
    ----------
    wave
        The number of the wave that is to start, or that is waited for, from 1.
    """

    advice: Advice
    wave: int
    boxes: tuple[str, ...] = ()


def plan_waves(boxes: Sequence[str], rule: WaveRule) -> Plan:
    """Lay the waves down; those that would be empty are left out.

    >>> [len(wave) for wave in plan_waves([f"box-{n}" for n in range(40)], WaveRule())]
    [1, 3, 16, 20]
    """
    ends = [rule.first_boxes, *(ceil(share * len(boxes)) for share in rule.shares), len(boxes)]
    waves, begin = [], 0
    for end in ends:
        if end > begin and begin < len(boxes):
            waves.append(tuple(boxes[begin:end]))
            begin = end
    return tuple(waves)


def decide(plan: Plan, started: int, reports: Mapping[str, Report], rule: WaveRule, now: datetime) -> Decision:
    """Say what is to be done.

    Parameters
    ----------
    started
        Waves that have been started.
    reports
        By box; one without a report is away.
    """
    begun = [box for wave in plan[:started] for box in wave]
    failed = _standing(begun, reports, {Standing.FAILED})
    if len(failed) > rule.allowed_failures:
        return Decision(Advice.STOP, started, failed)
    waited_for = tuple(box for box in begun if box not in failed and not _has_proved(reports.get(box), rule, now))
    if waited_for:
        return Decision(Advice.WAIT, started, waited_for)
    if started < len(plan):
        return Decision(Advice.START, started + 1, plan[started])
    return Decision(Advice.DONE, started)


def _standing(boxes: Iterable[str], reports: Mapping[str, Report], standings: set[Standing]) -> tuple[str, ...]:
    return tuple(box for box in boxes if box in reports and reports[box].standing in standings)


def _has_proved(report: Report | None, rule: WaveRule, now: datetime) -> bool:
    if report is None or report.standing is not Standing.WELL or report.since is None:
        return False
    return now - report.since >= timedelta(seconds=rule.healthy_s)
