"""Every kind of source from the configuration to what is kept and told, on the real thing."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from tests.hardware.acquisition.devices import ModbusSensor, OpcUaSensor
from tests.hardware.edge.sensing.boxes import Ears, fill, rows, sensing_box, signal_times
from tests.motors import ASSETS, START, motor_signal
from tests.pumps import pump_rows, taught_health
from tests.serving.notify.receivers import Broker, broker, eventually

from andon.models.bundle.storage import write_bundle
from andon.models.types.vibration import Signal

MOTOR = ASSETS[0]
PUMP = "pump 1"
NAMES = ("rpm", "flow", "pressure", "ripple")


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Broker]:
    settings = ("allow_anonymous true", "persistence true", f"persistence_location {tmp_path}/", "autosave_interval 1")
    with broker(tmp_path / "mosquitto", *settings) as server:
        yield server


@pytest.fixture
def ears() -> Ears:
    return Ears()


def folder_tables(bundle: Path | None = None, more: str = "") -> str:
    judged = f'[[assets]]\nname = "{MOTOR}"\nbundle = "{bundle}"\n' if bundle else ""
    return (
        '[[sensors]]\nname = "gateway"\nkind = "watched-folder"\nfolder = "records"\nstill_s = 0\nevery_s = 0.05\n'
        f"{more}{judged}"
    )


def published(port: int, signals: list[Signal], with_time: bool = True) -> None:
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for signal in signals:
        said: dict[str, Any] = {"samples": signal.samples.tolist(), "rate_hz": signal.rate_hz}
        said["unit"] = signal.unit.value
        if with_time:
            said["time"] = str(signal.time)
        client.publish(f"plant/{signal.asset}/DE", json.dumps(said), 1).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


def mqtt_tables(port: int) -> str:
    return (
        f'[[sensors]]\nname = "plant"\nkind = "mqtt"\nhost = "127.0.0.1"\nport = {port}\n'
        'topic = "plant/{asset}/{sensor}"\n'
    )


def test_records_of_a_folder_are_judged_by_the_bundle_and_a_fault_is_told_once(
    tmp_path: Path, motors_dir: Path, ears: Ears
) -> None:
    fill(tmp_path / "records", range(12), broken_from=6)
    with sensing_box(tmp_path, folder_tables(motors_dir), ears) as (sensing, _):
        eventually(lambda: len(ears.indicators) == 12)
        (asset,) = sensing.assets()
        figures = sensing.sources[0].figures
    assert [each.document["event"] for each in ears.alerts] == ["raised"]
    assert (ears.alerts[0].asset, ears.alerts[0].document["fault"]) == (MOTOR, "outer_race")
    assert asset.alert == ears.alerts[0].document["id"]
    assert (figures.blocks, figures.failure, list(figures.heard)) == (12, None, [MOTOR])
    assert [each.time for each in ears.indicators] == [START + timedelta(hours=turn) for turn in range(12)]
    assert ears.indicators[0].values["rms_m_s2"] is not None


def test_a_box_that_starts_anew_judges_no_record_and_tells_no_alert_again(
    tmp_path: Path, motors_dir: Path, ears: Ears
) -> None:
    fill(tmp_path / "records", range(12), broken_from=6)
    with sensing_box(tmp_path, folder_tables(motors_dir), ears):
        eventually(lambda: len(ears.indicators) == 12)
    later = Ears()
    (tmp_path / "home" / "edge" / "sensors" / "gateway.journal").unlink()  # as if nothing had been noted before a kill
    with sensing_box(tmp_path, folder_tables(motors_dir), later) as (sensing, _):
        eventually(lambda: sensing.sources[0].figures.blocks == 12)
        eventually(lambda: len((tmp_path / "home/edge/sensors/gateway.journal").read_bytes().splitlines()) == 12)
        assert sensing.sources[0].figures.failure is None
    assert len(signal_times(tmp_path / "home")) == 12
    assert later.alerts == []
    # The newest of each sensor is told again, under its id: nobody knows whether it was told before.
    assert [each.id for each in later.indicators] == [ears.indicators[-1].id]


def test_samples_of_a_broker_are_kept_and_a_broker_that_was_away_is_found_again(
    tmp_path: Path, mosquitto: Broker, ears: Ears
) -> None:
    with sensing_box(tmp_path, mqtt_tables(mosquitto.port), ears) as (sensing, _):
        figures = sensing.sources[0].figures
        turn = publish_until_heard(mosquitto.port, ears, 0)
        mosquitto.kill()
        eventually(lambda: figures.failure is not None)
        assert ears.lost == [MOTOR]
        mosquitto.start()
        publish_until_heard(mosquitto.port, ears, turn)
        eventually(lambda: figures.failure is None)
    assert ears.indicators[-1].asset == MOTOR
    assert signal_times(tmp_path / "home")[-1][:2] == (MOTOR, "DE")


def publish_until_heard(port: int, ears: Ears, first: int) -> int:
    """Publish signals one after the other until one comes through: before the session is there, nothing is kept for it."""
    for turn in range(first, first + 30):
        before = len(ears.indicators)
        published(port, [motor_signal(turn)])
        if came(lambda: len(ears.indicators) > before):  # noqa: B023
            return turn + 1
    raise AssertionError("nothing came through")


def came(met: Callable[[], bool]) -> bool:
    with suppress(AssertionError):
        eventually(met, 1.0)
    return met()


def test_a_message_without_a_time_that_comes_again_after_a_start_is_known_by_its_samples(
    tmp_path: Path, mosquitto: Broker, ears: Ears
) -> None:
    with sensing_box(tmp_path, mqtt_tables(mosquitto.port), ears) as (sensing, _):
        publish_until_heard(mosquitto.port, ears, 0)
        before = len(ears.indicators)
        published(mosquitto.port, [motor_signal(50)], with_time=False)
        eventually(lambda: len(ears.indicators) == before + 1)
    kept = len(signal_times(tmp_path / "home"))
    published(mosquitto.port, [motor_signal(50), motor_signal(51)], with_time=False)  # the broker keeps them meanwhile
    with sensing_box(tmp_path, mqtt_tables(mosquitto.port), ears) as (sensing, _):
        eventually(lambda: sensing.sources[0].figures.blocks == 2)
        eventually(lambda: len(signal_times(tmp_path / "home")) == kept + 1)


def pump_bundle(folder: Path) -> Path:
    write_bundle(taught_health(), folder / "pumps")
    return folder / "pumps"


def words(values: Mapping[str, float | None]) -> list[int]:
    """What a sensor has in its registers: float32, the high word first."""
    numbers = np.array([values[name] for name in NAMES], ">f4")
    return [int(word) for word in np.frombuffer(numbers.tobytes(), ">u2")]


def test_registers_are_judged_as_rows_and_told(tmp_path: Path, modbus: ModbusSensor, ears: Ears) -> None:
    modbus.put(0, words(pump_rows(PUMP, 1)[0]))
    registers = "".join(
        f'[[sensors.registers]]\nname = "{name}"\naddress = {2 * place}\nkind = "float32"\n'
        for place, name in enumerate(NAMES)
    )
    tables = (
        f'[[sensors]]\nname = "box"\nkind = "modbus"\nhost = "127.0.0.1"\nport = {modbus.port}\nasset = "{PUMP}"\n'
        f'every_s = 0.05\n{registers}[[assets]]\nname = "{PUMP}"\nbundle = "{pump_bundle(tmp_path)}"\n'
    )
    with sensing_box(tmp_path, tables, ears) as (sensing, _):
        eventually(lambda: len(ears.indicators) > 3)
        figures = sensing.sources[0].figures
        modbus.stop()
        eventually(lambda: figures.failure is not None and figures.failure.code == "acquisition.away")
        assert ears.lost == [PUMP]
        modbus.start()
        seen = len(ears.indicators)
        eventually(lambda: len(ears.indicators) > seen and figures.failure is None)
        (asset,) = sensing.assets()
    assert (asset.name, asset.alert) == (PUMP, None)
    assert ears.indicators[-1].values["rpm"] == 1500.0
    assert rows(tmp_path / "home", "SELECT sensor FROM health") == [(PUMP,)]


def test_a_buffer_of_samples_is_a_snapshot(tmp_path: Path, modbus: ModbusSensor, ears: Ears) -> None:
    samples = np.round(1000 * motor_signal(0).samples[:4096]).astype(np.int16)
    modbus.put(10, samples.astype(np.uint16).tolist())
    modbus.put(1, [1])
    tables = (
        f'[[sensors]]\nname = "box"\nkind = "modbus-waveform"\nhost = "127.0.0.1"\nport = {modbus.port}\n'
        'asset = "fan"\nsensor = "DE"\nevery_s = 0.05\n[sensors.buffer]\nready_address = 1\naddress = 10\n'
        'samples = 4096\nrate_hz = 25600.0\nunit = "m/s2"\nscale = 0.001\nrelease = 0\n'
    )
    with sensing_box(tmp_path, tables, ears):
        eventually(lambda: len(ears.indicators) == 1 and modbus.holding[1] == 0)
    modbus.put(1, [1])  # as after a kill before the buffer was released
    with sensing_box(tmp_path, tables, ears):
        eventually(lambda: modbus.holding[1] == 0)
    assert [row[:2] for row in signal_times(tmp_path / "home")] == [("fan", "DE")]


def test_nodes_are_told_as_rows_and_arrays_are_snapshots(tmp_path: Path, opcua: OpcUaSensor, ears: Ears) -> None:
    taken = datetime(2026, 3, 1, 12, tzinfo=UTC)
    tables = (
        f'[[sensors]]\nname = "values"\nkind = "opcua"\nurl = "{opcua.url}"\nasset = "fan"\nevery_s = 0.1\n'
        '[[sensors.values]]\nname = "speed_rpm"\nnode = "ns=2;s=speed"\n'
        f'[[sensors]]\nname = "arrays"\nkind = "opcua-waveform"\nurl = "{opcua.url}"\nasset = "fan"\nevery_s = 0.1\n'
        '[[sensors.arrays]]\nnode = "ns=2;s=waveform"\nsensor = "DE"\nrate_hz = 25600.0\nunit = "m/s2"\n'
    )
    opcua.write("speed", 1480.0)
    opcua.write("waveform", motor_signal(0).samples[:8192].tolist(), SourceTimestamp=taken.replace(tzinfo=None))
    for _ in range(2):  # after a start the array that is there comes again
        with sensing_box(tmp_path, tables, ears):
            eventually(lambda: any(each.sensor == "DE" for each in ears.indicators))
            eventually(lambda: any(each.sensor == "" for each in ears.indicators))
    values = next(each.values for each in ears.indicators if not each.sensor)
    assert values == {"speed_rpm": 1480.0}
    assert len(signal_times(tmp_path / "home")) == 1


def test_simulated_sensors_deliver_as_time_passes(tmp_path: Path, ears: Ears) -> None:
    tables = (
        '[[sensors]]\nname = "drawn"\nkind = "simulated"\nassets = ["P-1", "P-2"]\nevery_s = 0.5\nduration_s = 0.25\n'
    )
    with sensing_box(tmp_path, tables, ears):
        eventually(lambda: len(ears.indicators) >= 4)
    assert {each.asset for each in ears.indicators} == {"P-1", "P-2"}
    assert all(each.time <= datetime.now(UTC) for each in ears.indicators)


def test_of_a_sensor_that_never_stops_snapshots_are_taken(tmp_path: Path, ears: Ears) -> None:
    tables = (
        '[[sensors]]\nname = "drawn"\nkind = "simulated"\nassets = ["P-1"]\nevery_s = 0.25\nduration_s = 0.25\n'
        "[sensors.snapshots]\nevery_s = 1.0\nduration_s = 0.5\n"
    )
    with sensing_box(tmp_path, tables, ears) as (sensing, _):
        eventually(lambda: len(ears.indicators) >= 2)
        blocks = sensing.sources[0].figures.blocks
    found = signal_times(tmp_path / "home")
    assert len(found) <= blocks / 2
    assert {row[0] for row in rows(tmp_path / "home", "SELECT duration_s FROM signals")} == {0.5}
