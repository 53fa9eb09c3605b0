"""The agent with sensors as users run it: told by MQTT and Sparkplug B, killed, without room, with nothing else to do."""

import json
import os
import random
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conftest import Andon
from tests.hardware.acquisition.devices import modbus_sensor
from tests.hardware.edge.lines import running
from tests.hardware.edge.sensing.boxes import BOX, STATUS, fill, rows, signal_times
from tests.hardware.messaging.subscribers import subscriber
from tests.hardware.messaging.test_sparkplug_decoder import INTERPRETER, ask_host
from tests.motors import ASSETS
from tests.serving.notify.receivers import broker, eventually

from andon.hardware.messaging.edge_node import Outgoing

pytest.importorskip("pymodbus", reason="the extra edge is not installed")

KILLS = 50 if os.environ.get("ANDON_SOAK") else 3
START_S = 60.0
SOURCE = '[[sensors]]\nname = "gateway"\nkind = "watched-folder"\nfolder = "records"\nstill_s = 0\nevery_s = 0.05\n'
MOTOR = ASSETS[0]


@pytest.fixture
def config(tmp_path: Path, motors_dir: Path) -> Path:
    """A box that watches a folder, in which a motor breaks."""
    fill(tmp_path / "records", range(12), broken_from=6)
    path = tmp_path / "line.toml"
    path.write_text(f'{BOX}{SOURCE}[[assets]]\nname = "{MOTOR}"\nbundle = "{motors_dir}"\n{STATUS}', encoding="utf-8")
    return path


def home(config: Path) -> Path:
    return config.parent / "home"


def status(url: str) -> Any:
    return httpx.get(f"{url}/status", timeout=START_S).json()


def test_a_box_of_sensors_alone_says_how_they_are(config: Path) -> None:
    with running(config) as (process, url):
        eventually(lambda: status(url)["sensors"][0]["blocks"] == 12, START_S)
        eventually(lambda: len(signal_times(home(config))) == 12)
        said, page, metrics = status(url), httpx.get(url).text, httpx.get(f"{url}/metrics").text
        process.terminate()
        assert process.wait(START_S) == 0
    (sensor,), (asset,) = said["sensors"], said["assets"]
    assert said["stations"] == []
    assert (sensor["name"], sensor["kind"], sensor["failure"]) == ("gateway", "watched-folder", None)
    assert sensor["last_block_time"] == "2026-03-01T11:00:00.000Z"
    assert (asset["name"], asset["severity"]) == (MOTOR, "watch")
    assert rows(home(config), "SELECT id FROM alerts") == [(asset["open_case"].replace("-", ""),)]
    assert asset["last_signal_time"]
    assert "gateway" in page
    assert MOTOR in page
    assert 'andon_edge_sensor_blocks_total{sensor="gateway"} 12.0' in metrics
    assert f'andon_edge_asset_open_case{{asset="{MOTOR}"}} 1.0' in metrics


@pytest.mark.soak
def test_no_record_is_lost_or_judged_twice_by_any_kill(config: Path) -> None:
    draw, turns = random.Random(0), 12
    fill(config.parent / "records", range(12, 12 + 4 * KILLS))
    turns += 4 * KILLS
    for _ in range(KILLS):
        with running(config) as (process, _url):
            timer = threading.Timer(draw.uniform(0.05, 1.0), process.kill)
            timer.start()
            process.wait(START_S)
    with running(config):
        eventually(lambda: len(signal_times(home(config))) == turns, START_S * 4)
        journal = home(config) / "edge" / "sensors" / "gateway.journal"
        eventually(lambda: len(journal.read_bytes().splitlines()) == turns)
    times = signal_times(home(config))
    assert len(set(times)) == len(times) == turns
    raised = rows(home(config), "SELECT alert FROM alert_events WHERE event = 'raised'")
    assert len(raised) == len(set(raised)) == 1


def test_a_full_disk_is_said_and_what_lies_in_the_folder_is_taken_once_there_is_room(config: Path) -> None:
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("reserve_mib = 0", "reserve_mib = 1000000000"), encoding="utf-8")
    with running(config) as (process, url):
        eventually(lambda: "MiB free; expected at least" in (status(url)["sensors"][0]["failure"] or ""), START_S)
        assert signal_times(home(config)) == []
        process.terminate()
        assert process.wait(START_S) == 0
    config.write_text(text, encoding="utf-8")
    with running(config) as (process, url):
        eventually(lambda: len(signal_times(home(config))) == 12, START_S)
        eventually(lambda: status(url)["sensors"][0]["failure"] is None)
    assert (config.parent / "log").read_text().count('"code": "store.no_room"') == 1


def test_a_broker_and_a_sparkplug_host_hear_each_snapshot_and_the_alert_once_by_its_id(
    config: Path, tmp_path: Path
) -> None:
    with broker(tmp_path / "mosquitto") as server, subscriber(server.port, "#") as (heard, _):
        more = f'\n[broker]\nhost = "127.0.0.1"\nport = {server.port}\n[mqtt]\nsite = "plant"\n[sparkplug]\ngroup = "plant"\n'
        config.write_text(config.read_text(encoding="utf-8") + more, encoding="utf-8")
        for turns in (12, 14):
            with running(config) as (process, url):
                eventually(lambda: len(documents(heard.messages, "indicators")) == turns, START_S)  # noqa: B023
                eventually(lambda: status(url)["brokers"] == {"mqtt": None, "sparkplug": None})
                eventually(lambda: len(data(heard.messages, "DDATA", "DBIRTH")) > turns)  # noqa: B023
                process.terminate()
                assert process.wait(START_S) == 0
            fill(config.parent / "records", range(12, 14), broken_from=6)
    alerts = documents(heard.messages, "alerts")
    assert [each["event"] for each in alerts.values()] == ["raised", "escalated"]
    assert "andon/plant/motor_1/alerts" in dict(heard.messages)
    assert rows(home(config), "SELECT state, attempts FROM outbox") == [("sent", 1)] * 2
    check_sparkplug([each for each in heard.messages if each[0].startswith("spBv1.0/")], alerts)


def test_a_device_that_is_away_is_dead_to_a_sparkplug_host_until_it_answers(tmp_path: Path) -> None:
    with (
        broker(tmp_path / "mosquitto") as server,
        subscriber(server.port, "spBv1.0/#") as (heard, _),
        modbus_sensor() as modbus,
    ):
        path = tmp_path / "line.toml"
        source = (
            f'[[sensors]]\nname = "plc"\nkind = "modbus"\nhost = "127.0.0.1"\nport = {modbus.port}\nasset = "fan"\n'
        )
        registers = 'every_s = 0.2\n[[sensors.registers]]\nname = "speed_rpm"\naddress = 0\n'
        told = f'[broker]\nhost = "127.0.0.1"\nport = {server.port}\n[sparkplug]\ngroup = "plant"\n'
        path.write_text(f"{BOX}{source}{registers}{told}{STATUS}", encoding="utf-8")
        with running(path):
            eventually(lambda: len(data(heard.messages, "DDATA")) > 2, START_S)
            modbus.stop()
            eventually(lambda: data(heard.messages, "DDEATH") == ["spBv1.0/plant/DDEATH/line-1/fan"])
            born = len(data(heard.messages, "DBIRTH"))
            modbus.start()
            eventually(lambda: len(data(heard.messages, "DBIRTH")) == born + 1)


def documents(messages: list[tuple[str, bytes]], what: str) -> dict[str, dict[str, Any]]:
    """What was told of one sort, by its id."""
    said = [json.loads(payload) for topic, payload in messages if topic.endswith(f"/{what}")]
    return {each["event_id"]: each for each in said}


def data(messages: list[tuple[str, bytes]], *verbs: str) -> list[str]:
    return [topic for topic, _ in messages if topic.startswith("spBv1.0/") and topic.split("/")[2] in verbs]


def check_sparkplug(messages: list[tuple[str, bytes]], alerts: dict[str, dict[str, Any]]) -> None:
    """Have the other implementation read them: the asset is born with the node, and its alert is told once."""
    if not INTERPRETER.is_file():
        pytest.skip(f"no {INTERPRETER} with pysparkplug: make sparkplug, or name one with ANDON_SPARKPLUG_PYTHON")
    read = ask_host(tuple(Outgoing(topic, payload) for topic, payload in messages))["messages"]
    assert [(each["type"], each["device"]) for each in read[:2]] == [("NBIRTH", None), ("DBIRTH", MOTOR)]
    told = [{name: value for name, _, value, *_ in each["metrics"]} for each in read if each["type"] == "DDATA"]
    of_alerts = [each for each in told if "Alert/Id" in each]
    assert [each["Alert/Id"] for each in of_alerts] == list(alerts)
    assert of_alerts[0]["Alert/Fault"] == "outer_race"
    assert any("Signal/drive end/rms_m_s2" in each for each in told)


def test_a_check_says_what_fits_and_names_mistakes_with_their_lines(config: Path, andon: Andon) -> None:
    checked = andon("edge", "check", config, "--json")
    assert checked.code == 0, checked.err
    sensor, asset = map(json.loads, checked.out.splitlines())
    assert (sensor["sensor"], sensor["kind"], asset["asset"], len(asset["bundle"])) == (
        "gateway",
        "watched-folder",
        MOTOR,
        64,
    )
    config.write_text(config.read_text(encoding="utf-8").replace("still_s", "still_ms"), encoding="utf-8")
    refused = andon("edge", "check", config)
    assert refused.code == 2
    assert f"{config}:7: found still_ms; expected still_s" in refused.out


def test_a_bundle_that_judges_no_machines_is_refused(config: Path, andon: Andon, bundle_dir: Path) -> None:
    lines = config.read_text(encoding="utf-8").splitlines()
    text = "\n".join(f'bundle = "{bundle_dir}"' if line.startswith("bundle") else line for line in lines)
    config.write_text(text, encoding="utf-8")
    refused = andon("edge", "check", config)
    assert refused.code == 2
    assert "plates" in refused.err
