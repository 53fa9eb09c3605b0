"""A recording cut into blocks, as sensors deliver them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from andon.models.types.vibration import Signal, Unit

START = datetime(2026, 3, 1, tzinfo=UTC)
RATE_HZ = 1000.0


def cut(lengths: list[int], sensor: str = "DE", asset: str = "pump-7", first: int = 0) -> list[Signal]:
    """Consecutive blocks of a recording in which every sample is its own number."""
    blocks, position = [], first
    for length in lengths:
        samples = np.arange(position, position + length, dtype=np.float64)
        time = START + timedelta(seconds=position / RATE_HZ)
        blocks.append(Signal(samples, RATE_HZ, Unit.G, sensor, asset, time, rpm=1500.0))
        position += length
    return blocks


@pytest.fixture(scope="session")
def cut_blocks() -> Callable[..., list[Signal]]:
    """Cut a recording: ``cut_blocks(lengths, sensor="DE", asset="pump-7", first=0)``."""
    return cut
