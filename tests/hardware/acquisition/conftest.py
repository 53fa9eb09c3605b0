"""Devices that many tests of acquisition read."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from tests.hardware.acquisition.devices import (
    ModbusSensor,
    OpcUaSensor,
    Reported,
    modbus_sensor,
    opcua_sensor,
)
from tests.serving.notify.receivers import MOSQUITTO, Broker, broker


@pytest.fixture
def stop() -> Event:
    return Event()


@pytest.fixture
def reported() -> Reported:
    return Reported()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Broker]:
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed (apt-get install mosquitto)")
    settings = (
        "allow_anonymous true",
        "persistence true",
        f"persistence_location {tmp_path}/",
        "max_queued_messages 100000",
        "autosave_interval 1",
    )
    with broker(tmp_path / "mosquitto", *settings) as server:
        yield server


@pytest.fixture
def modbus() -> Iterator[ModbusSensor]:
    with modbus_sensor() as sensor:
        yield sensor


@pytest.fixture
def opcua() -> Iterator[OpcUaSensor]:
    with opcua_sensor() as sensor:
        yield sensor
