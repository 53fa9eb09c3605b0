"""A health model of two motors, learned once."""

import pytest
from tests.motors import taught_motors

from andon.models.bundle.runtime import make_health_model
from andon.models.health.watching import HealthModel


@pytest.fixture(scope="session")
def motors() -> HealthModel:
    return make_health_model(taught_motors())
