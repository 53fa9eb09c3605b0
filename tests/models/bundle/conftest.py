"""A bundle of another kind than the one that all tests share."""

from pathlib import Path

import pytest
from tests.pumps import taught_health

from andon.models.bundle.bundle import HealthBundle
from andon.models.bundle.storage import write_bundle


@pytest.fixture(scope="session")
def health_bundle() -> HealthBundle:
    """A health model of two pumps, in memory."""
    return taught_health()


@pytest.fixture
def health_dir(health_bundle: HealthBundle, tmp_path: Path) -> Path:
    """The same, written to a folder of the test's own."""
    path = tmp_path / "pumps"
    write_bundle(health_bundle, path)
    return path
