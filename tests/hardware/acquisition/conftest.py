"""What many tests of acquisition ask for."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from tests.hardware.acquisition.devices import Reported
from tests.serving.notify.receivers import Broker, broker


@pytest.fixture
def stop() -> Event:
    return Event()


@pytest.fixture
def reported() -> Reported:
    return Reported()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Broker]:
    settings = (
        "allow_anonymous true",
        "persistence true",
        f"persistence_location {tmp_path}/",
        "max_queued_messages 100000",
        "autosave_interval 1",
    )
    with broker(tmp_path / "mosquitto", *settings) as server:
        yield server
