"""Bundles of motors and of the pump rig, and folders of records, each made once and only read; and sensors that answer."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.hardware.acquisition.devices import ModbusSensor, OpcUaSensor, modbus_sensor, opcua_sensor
from tests.motors import ASSETS, motor_signal, taught_motors, write_record
from tests.rigs import write_rig

from andon.datasets.health.sources import Wishes, open_health_data
from andon.models.bundle.health_teaching import HealthLesson, teach_health
from andon.models.bundle.runtime import make_health_model
from andon.models.bundle.storage import write_bundle
from andon.models.health.watching import HealthModel

LIFE = (*((turn, None) for turn in range(6)), *((turn, turn - 10.0) for turn in range(6, 12)))
"""Twelve hours of a motor, an hour apart: six healthy, then six in which a fault of its bearing grows."""


@pytest.fixture(scope="session")
def motors_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of two motors."""
    path = tmp_path_factory.mktemp("bundles") / "motors"
    write_bundle(taught_motors(), path)
    return path


@pytest.fixture(scope="session")
def motors() -> HealthModel:
    """The model in it."""
    return make_health_model(taught_motors())


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as SKAB's."""
    return write_rig(tmp_path_factory.mktemp("rig"))


@pytest.fixture(scope="session")
def rig_dir(rig: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle taught from it."""
    data = open_health_data(f"skab:{rig}", Wishes(), 0, rig)
    bundle, _ = teach_health(HealthLesson(data.rows, data.contract, data.settings, data.card))
    path = tmp_path_factory.mktemp("bundles") / "rig"
    write_bundle(bundle, path)
    return path


@pytest.fixture(scope="session")
def life(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The records of a motor that breaks, each with its time."""
    folder = tmp_path_factory.mktemp("life 记录")
    for turn, snr_db in LIFE:
        signal = motor_signal(turn, snr_db=snr_db)
        write_record(folder, f"{turn}", signal, asset=signal.asset, time=str(signal.time))
    return folder


@pytest.fixture(scope="session")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four healthy records without a time, of a motor that they name."""
    folder = tmp_path_factory.mktemp("calm")
    for turn in range(4):
        write_record(folder, f"{turn}", motor_signal(turn), asset=ASSETS[0])
    return folder


@pytest.fixture
def modbus() -> Iterator[ModbusSensor]:
    """A sensor behind Modbus TCP."""
    with modbus_sensor() as sensor:
        yield sensor


@pytest.fixture
def opcua() -> Iterator[OpcUaSensor]:
    """A sensor behind an OPC UA server."""
    with opcua_sensor() as sensor:
        yield sensor
