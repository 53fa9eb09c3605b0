from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serving.notify.receivers import MOSQUITTO, Broker, broker


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Broker]:
    """A broker that anybody may use."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed (apt-get install mosquitto)")
    with broker(tmp_path / "mosquitto") as server:
        yield server
