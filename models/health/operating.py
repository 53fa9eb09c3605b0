"""Whether a machine runs, in which operating state, and whether it has settled there."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from andon.models.health.settings import GateSettings, OperatingAxis

RUNNING = "running"
STOPPED = "stopped"
TRANSIENT = "transient"
UNKNOWN = "unknown"
NOT_JUDGED = frozenset({STOPPED, TRANSIENT, UNKNOWN})
"""States without a baseline, in which nothing is alarmed."""

Row = Mapping[str, float | None]
"""Measures by name; None or not a number where there is none."""


@dataclass(frozen=True, slots=True)
class Operating:
    """The bin of operation that the last row lay in, for how many rows it has been steady, and the measures then.

    ``name`` is empty before the first row.
    """

    name: str = ""
    steady_rows: int = 0
    values: tuple[float, ...] = ()


def operate(gate: GateSettings, before: Operating, row: Row) -> Operating:
    """Take one row into account.

    Examples
    --------
    >>> from andon.models.health.settings import GateSettings, OperatingAxis
    >>> gate = GateSettings((OperatingAxis("rpm", edges=(2000,), stopped_below=50),))
    >>> operate(gate, Operating(), {"rpm": 2950}).name
    'running/rpm:1'
    """
    values = tuple(measure(row, axis.name) for axis in gate.axes)
    name = _bin(gate.axes, values)
    steady = name == before.name and not _jumped(gate.axes, before.values, values)
    return Operating(name, before.steady_rows + 1 if steady else 1, values)


def state_name(gate: GateSettings, operating: Operating) -> str:
    """Name the state a row is judged in: that of its bin once the machine has settled there."""
    settled = operating.steady_rows > gate.settle_rows or operating.name in NOT_JUDGED
    return operating.name if settled else TRANSIENT


def measure(row: Row, name: str) -> float:
    """Return a measure, not a number where the row has none."""
    value = row.get(name)
    return np.nan if value is None else float(value)


def _bin(axes: tuple[OperatingAxis, ...], values: tuple[float, ...]) -> str:
    if not np.isfinite(values).all():
        return UNKNOWN
    pairs = list(zip(axes, values, strict=True))
    if any(axis.stopped_below is not None and value < axis.stopped_below for axis, value in pairs):
        return STOPPED
    bins = (f"{axis.name}:{np.searchsorted(axis.edges, value, 'right')}" for axis, value in pairs if axis.edges)
    return "/".join((RUNNING, *bins))


def _jumped(axes: tuple[OperatingAxis, ...], before: tuple[float, ...], values: tuple[float, ...]) -> bool:
    steps = zip(axes, before, values, strict=True)
    return any(axis.max_step is not None and abs(now - then) > axis.max_step for axis, then, now in steps)
