"""What every source of blocks or rows that waits for a device must do."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from paho.mqtt.publish import single
from tests.hardware.acquisition.devices import Reported, drawn, modbus_sensor, opcua_sensor
from tests.motors import write_record
from tests.serving.notify.receivers import broker, eventually

from andon.hardware.acquisition.modbus import ModbusDevice, ModbusReadout, ModbusWaveform, WaveformBuffer
from andon.hardware.acquisition.mqtt import MqttSensors, MqttSensorSettings
from andon.hardware.acquisition.opcua import OpcUaArray, OpcUaReadout, OpcUaServer, OpcUaValue, OpcUaWaveforms
from andon.hardware.acquisition.payloads import Payload
from andon.hardware.acquisition.polled_rows import PolledRows
from andon.hardware.acquisition.registers import Kind, Register
from andon.hardware.acquisition.schedule import ScheduleSettings, SnapshotSchedule
from andon.hardware.acquisition.snapshots import ScheduledSensors
from andon.hardware.acquisition.watched_folder import WatchedFolder, WatchedFolderSettings
from andon.hardware.sim.simulated_rows import SimulatedMeasure, SimulatedRows
from andon.models.types.vibration import RowSource, Signal, SignalSource, Unit

RATE_HZ = 1000.0
Feed = Callable[[], object]
Made = AbstractContextManager[tuple[Any, Feed]]


def record(samples: int = 500) -> Signal:
    return Signal(np.arange(samples, dtype=np.float64), RATE_HZ, Unit.G, "drive end", "pump")


@contextmanager
def watched_folder(tmp_path: Path, stop: Event, reported: Reported) -> Iterator[tuple[SignalSource, Feed]]:
    (tmp_path / "drop").mkdir()
    settings = WatchedFolderSettings(
        folder=tmp_path / "drop", journal=tmp_path / "taken", every_s=0.05, still_s=0.1, asset="pump"
    )
    numbers = iter(range(1000))
    yield (
        WatchedFolder(settings, reported, stop),
        lambda: write_record(tmp_path / "drop", f"{next(numbers)}", record(), asset="pump"),
    )


@contextmanager
def scheduled(tmp_path: Path, stop: Event, reported: Reported) -> Iterator[tuple[SignalSource, Feed]]:
    with watched_folder(tmp_path, stop, reported) as (source, feed):
        yield ScheduledSensors(source, SnapshotSchedule(ScheduleSettings(every_s=0.1)), 0.1), feed


@contextmanager
def mqtt(tmp_path: Path, stop: Event, reported: Reported) -> Iterator[tuple[SignalSource, Feed]]:
    with broker(tmp_path / "mosquitto") as server:
        settings = MqttSensorSettings(
            host="127.0.0.1",
            port=server.port,
            topic="plant/{asset}/{sensor}",
            client_id="box",
            payload=Payload.FLOAT32,
            rate_hz=RATE_HZ,
            unit="g",
        )
        body = record().samples.astype("<f4").tobytes()
        yield (
            MqttSensors(settings, reported, stop),
            lambda: single("plant/pump/drive end", body, 1, hostname="127.0.0.1", port=server.port),
        )


@contextmanager
def modbus_waveform(tmp_path: Path, stop: Event, reported: Reported) -> Iterator[tuple[SignalSource, Feed]]:
    with modbus_sensor() as sensor:
        sensor.put(100, range(300))
        source = ModbusWaveform(
            device=ModbusDevice(host="127.0.0.1", port=sensor.port),
            asset="pump",
            sensor="drive end",
            every_s=0.02,
            buffer=WaveformBuffer(
                ready_address=0, address=100, samples=300, rate_hz=RATE_HZ, unit=Unit.G, scale=0.001, release=0
            ),
            report=reported,
            stop=stop,
        )
        yield source, lambda: sensor.put(0, [1])


@contextmanager
def opcua_waveform(tmp_path: Path, stop: Event, reported: Reported) -> Iterator[tuple[SignalSource, Feed]]:
    with opcua_sensor() as sensor:
        array = OpcUaArray(node="ns=2;s=waveform", sensor="drive end", rate_hz=RATE_HZ, unit=Unit.G)
        source = OpcUaWaveforms(
            server=OpcUaServer(url=sensor.url),
            asset="pump",
            every_s=0.02,
            arrays=(array,),
            report=reported,
            stop=stop,
        )
        yield source, lambda: sensor.write("waveform", [1.0, 2.0, 3.0], SourceTimestamp=datetime.now(UTC))


@contextmanager
def modbus_rows(tmp_path: Path, stop: Event, reported: Reported) -> Iterator[tuple[RowSource, Feed]]:
    with modbus_sensor() as sensor:
        register = Register(name="velocity_rms_mm_s", address=7, kind=Kind.UINT16, scale=0.01)
        readout = ModbusReadout(ModbusDevice(host="127.0.0.1", port=sensor.port), (register,))
        yield PolledRows(readout, asset="pump", every_s=0.02, report=reported, stop=stop), lambda: None


@contextmanager
def opcua_rows(tmp_path: Path, stop: Event, reported: Reported) -> Iterator[tuple[RowSource, Feed]]:
    with opcua_sensor() as sensor:
        readout = OpcUaReadout(OpcUaServer(url=sensor.url), (OpcUaValue(name="speed_rpm", node="ns=2;s=speed"),))
        yield PolledRows(readout, asset="pump", every_s=0.02, report=reported, stop=stop), lambda: None


@contextmanager
def simulated_rows(tmp_path: Path, stop: Event, reported: Reported) -> Iterator[tuple[RowSource, Feed]]:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    yield (
        SimulatedRows(["pump"], {"velocity_rms_mm_s": SimulatedMeasure(2.0, 0.1)}, start, timedelta(minutes=1), 5),
        lambda: None,
    )


BLOCKS = (watched_folder, scheduled, mqtt, modbus_waveform, opcua_waveform)
ROWS = (modbus_rows, opcua_rows, simulated_rows)


@pytest.mark.parametrize("make", BLOCKS)
def test_it_delivers_timed_blocks_until_it_is_stopped(
    make: Callable[..., Made], tmp_path: Path, stop: Event, reported: Reported
) -> None:
    with make(tmp_path, stop, reported) as (source, feed), source, drawn(source.blocks(), stop) as blocks:
        for count in (1, 2):
            eventually(partial(fed, feed, blocks, count))
    for block in blocks:
        assert block.samples.dtype == np.float64
        assert block.samples.ndim == 1
        assert len(block.samples) > 0
        assert block.rate_hz == RATE_HZ
        assert (block.asset, block.sensor, block.unit) == ("pump", "drive end", Unit.G)
        assert block.time
        assert block.time.utcoffset() == timedelta(0)
        assert abs(datetime.now(UTC) - block.time) < timedelta(minutes=1)
    assert reported.codes == []


def fed(feed: Feed, blocks: list[Signal], count: int) -> bool:
    """Whether so many blocks came; a feed may be lost before a source listens, so it is repeated."""
    if len(blocks) < count:
        with suppress(ConnectionError):
            feed()
    return len(blocks) >= count


@pytest.mark.parametrize("make", BLOCKS)
def test_a_source_of_blocks_that_waits_ends_at_once(
    make: Callable[..., Made], tmp_path: Path, stop: Event, reported: Reported
) -> None:
    with make(tmp_path, stop, reported) as (source, _), source, drawn(source.blocks(), stop):
        Event().wait(0.2)
    assert reported.codes == []


@pytest.mark.parametrize("make", ROWS)
def test_it_delivers_timed_rows_until_it_is_stopped(
    make: Callable[..., Made], tmp_path: Path, stop: Event, reported: Reported
) -> None:
    with make(tmp_path, stop, reported) as (source, _), source, drawn(source.rows(), stop) as rows:
        eventually(lambda: len(rows) >= 3)
    times = [row.time for row in rows]
    assert times == sorted(times)
    for row in rows:
        assert row.asset == "pump"
        assert row.measures
        assert all(isinstance(value, float) for value in row.measures.values())
        assert row.time.utcoffset() == timedelta(0)
    assert reported.codes == []
