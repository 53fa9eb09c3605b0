"""What a unit measures, and the units Andon computes in: m/s2, mm/s and um."""

from collections.abc import Mapping
from enum import IntEnum

from andon.models.types.vibration import Samples, Unit

STANDARD_GRAVITY_M_S2 = 9.80665
"""One g: exact by definition (3rd CGPM, 1901; ISO 80000-3)."""


class Quantity(IntEnum):
    """What vibrates. The value says how many integrations over time lead there from acceleration."""

    ACCELERATION = 0
    VELOCITY = 1
    DISPLACEMENT = 2


QUANTITIES: Mapping[Unit, Quantity] = {
    Unit.G: Quantity.ACCELERATION,
    Unit.M_S2: Quantity.ACCELERATION,
    Unit.MM_S: Quantity.VELOCITY,
    Unit.UM: Quantity.DISPLACEMENT,
}
WORKING_UNITS: Mapping[Quantity, Unit] = {
    Quantity.ACCELERATION: Unit.M_S2,
    Quantity.VELOCITY: Unit.MM_S,
    Quantity.DISPLACEMENT: Unit.UM,
}


def quantity_of(unit: Unit) -> Quantity:
    """Return what ``unit`` measures.

    >>> quantity_of(Unit.MM_S).name
    'VELOCITY'
    """
    return QUANTITIES[unit]


def to_working_unit(samples: Samples, unit: Unit) -> Samples:
    """Convert samples to the working unit of what they measure.

    Parameters
    ----------
    samples
        ``[...]``, in ``unit``.

    Returns
    -------
    numpy.ndarray
        ``[...]`` in m/s2, mm/s or um; the same array where it already is.
    """
    return samples * STANDARD_GRAVITY_M_S2 if unit is Unit.G else samples
