"""Conversion to the units that everything is computed in."""

import numpy as np
import pytest

from andon.models.types.vibration import Unit
from andon.models.vibration.units import QUANTITIES, WORKING_UNITS, Quantity, quantity_of, to_working_unit


def test_every_unit_has_a_quantity_with_a_working_unit_of_that_quantity() -> None:
    assert set(QUANTITIES) == set(Unit)
    assert {quantity_of(unit): unit for unit in WORKING_UNITS.values()} == WORKING_UNITS


def test_a_g_is_the_standard_one() -> None:
    np.testing.assert_allclose(to_working_unit(np.array([1.0, -2.0]), Unit.G), [9.80665, -19.6133])


@pytest.mark.parametrize("unit", [Unit.M_S2, Unit.MM_S, Unit.UM])
def test_working_units_stay_as_they_are(unit: Unit) -> None:
    samples = np.array([1.0, -2.0])
    assert to_working_unit(samples, unit) is samples


def test_a_quantity_counts_integrations() -> None:
    assert Quantity.DISPLACEMENT - Quantity.ACCELERATION == 2
    assert Quantity.ACCELERATION - Quantity.VELOCITY == -1
