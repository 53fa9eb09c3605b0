from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serving.notify.receivers import Broker, broker


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Broker]:
    """A broker that anybody may use."""
    with broker(tmp_path / "mosquitto") as server:
        yield server
