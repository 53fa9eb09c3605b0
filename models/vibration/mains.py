"""Where the frequency of the mains shows in a vibration that has another cause."""

from collections.abc import Sequence

from andon.models.types.vibration import Machine

MAINS_HZ = (50.0, 60.0)
MAINS_WIDTH = 0.004
"""Half-width of the mains' lines as a share of their frequency: GB/T 15945 allows 0.2 Hz at 50 Hz."""


def mains_hz_of(machine: Machine) -> Sequence[float]:
    """Return the frequencies that a machine's mains may have: its own, or all there are where nobody knows.

    >>> mains_hz_of(Machine(line_hz=60.0))
    (60.0,)
    >>> mains_hz_of(Machine())
    (50.0, 60.0)
    """
    return (machine.line_hz,) if machine.line_hz else MAINS_HZ
