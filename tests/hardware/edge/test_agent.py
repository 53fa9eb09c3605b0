"""The agent as users run it: a configuration, a camera, a PLC; and a process that is killed."""

import json
import os
import random
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path

import httpx
import pytest
from tests.conftest import Andon, write_plates
from tests.hardware.edge.lines import line_config, running
from tests.hardware.messaging.subscribers import subscriber
from tests.serving.notify.receivers import broker, certify, eventually, free_port

from andon.hardware.sim.modbus_plc import ModbusPlcClient
from andon.hardware.sim.simulated_plc import Part, PartSeen, SimulatedPlc, StopReason
from andon.models.bundle.bundle import VisionBundle
from andon.models.bundle.storage import write_bundle

pytest.importorskip("pymodbus", reason="the extra edge is not installed")

KILLS = 100 if os.environ.get("ANDON_SOAK") else 2
TAKT_S = 5.0
START_S = 60.0


@pytest.fixture
def line(tmp_path: Path, tiny_bundle: VisionBundle) -> tuple[Path, int]:
    """A configuration of a line that shows three good plates and a bad one, and the port of its PLC."""
    write_bundle(tiny_bundle, tmp_path / "plates.andon")
    images = write_plates(tmp_path / "images", 3)
    write_plates(images, 1, defective=True, first=3)
    port, path = free_port(), tmp_path / "line.toml"
    path.write_text(line_config("plates.andon", images, port, TAKT_S), encoding="utf-8")
    return path, port


def database(config: Path) -> Path:
    return config.parent / "home" / "edge" / "andon.db"


def kept(config: Path) -> list[tuple[str | None, str]]:
    """Serial number and verdict of every inspection."""
    with closing(sqlite3.connect(database(config))) as connection:
        return connection.execute("SELECT part, verdict FROM inspections ORDER BY id").fetchall()


def test_parts_go_through_a_line(line: tuple[Path, int], andon: Andon) -> None:
    config, port = line
    with running(config) as (process, url), ModbusPlcClient(port=port) as wire:
        plc = SimulatedPlc(wire, takt_s=TAKT_S)
        assert plc.wait_until_ready(START_S)
        seen = list(plc.run(Part(serial=f"A{number}") for number in range(8)))
        status = httpx.get(f"{url}/status").json()
        page, metrics = httpx.get(url).text, httpx.get(f"{url}/metrics").text
        chinese = httpx.get(url, headers={"Accept-Language": "zh-CN,zh;q=0.9"}).text
        assert httpx.get(f"{url}/nothing").status_code == 404
        process.terminate()
        assert process.wait(START_S) == 0
    told = ["OK", "OK", "OK", "NG"] * 2
    assert [each.verdict.name for each in seen] == told
    assert [each.is_good for each in seen] == [each == "OK" for each in told]
    assert plc.stops == []
    assert kept(config) == [(f"A{number}", verdict) for number, verdict in enumerate(told)]
    (station,) = status["stations"]
    assert (status["cleaning"], status["outbox"], status["brokers"]) == (True, None, {})
    assert (status["box"], station["name"], station["state"], station["parts"]) == ("line-1", "S1", "running", 8)
    assert (station["ok"], station["ng"], station["errors"], station["recipe"]) == (6, 2, 0, "plates")
    assert "S1" in page
    assert ('lang="en"' in page, 'lang="zh-CN"' in chinese) == (True, True)
    assert 'andon_edge_parts_total{station="S1",told="ok"} 6.0' in metrics
    verified = andon("ledger", "verify", "--db", f"sqlite:///{database(config)}", "--json")
    assert (verified.code, json.loads(verified.out)["count"]) == (0, 16), verified.err


def test_where_parts_have_no_serial_number_what_the_plc_says_is_none(line: tuple[Path, int]) -> None:
    config, port = line
    text = config.read_text(encoding="utf-8").replace("retakes = 0", 'retakes = 0\nserial = "none"')
    config.write_text(text, encoding="utf-8")
    with running(config), ModbusPlcClient(port=port) as wire:
        plc = SimulatedPlc(wire, takt_s=TAKT_S)
        assert plc.wait_until_ready(START_S)
        (seen,) = plc.run([Part(serial="A1")])
    assert seen.is_good
    assert kept(config) == [(None, "OK")]


def test_the_plc_stops_the_line_when_the_agent_is_killed(line: tuple[Path, int]) -> None:
    config, port = line
    with ModbusPlcClient(port=port) as wire:
        plc = SimulatedPlc(wire, takt_s=TAKT_S, heartbeat_s=0.5, pace_s=0.05)
        with running(config) as (process, _):
            assert plc.wait_until_ready(START_S)
            seen = []
            for each in plc.run(Part(serial=f"A{number}") for number in range(1000)):
                seen.append(each)
                if len(seen) == 3:
                    process.kill()
    assert plc.stops == [StopReason.HEARTBEAT]
    assert [each.is_good for each in seen[:3]] == [True, True, True]
    assert not any(each.is_good for each in seen[3:])


@pytest.mark.soak
def test_no_verdict_that_a_plc_heard_is_lost_or_doubled_by_any_kill(
    line: tuple[Path, int], andon: Andon, record_property: Callable[[str, object], None]
) -> None:
    config, port = line
    draw, numbers, seen = random.Random(0), count(), list[PartSeen]()
    with ModbusPlcClient(port=port) as wire:
        plc = SimulatedPlc(wire, takt_s=TAKT_S, heartbeat_s=0.5)
        for _ in range(KILLS):
            with running(config) as (process, _):
                assert plc.wait_until_ready(START_S)
                threading.Timer(draw.uniform(0.05, 0.6), process.kill).start()
                seen += plc.run(Part(serial=f"A{next(numbers)}") for _ in range(10_000))
        with running(config):
            assert plc.wait_until_ready(START_S)
            seen += plc.run([Part(serial=f"A{next(numbers)}")])
    heard = {each.part.serial: each.verdict.name for each in seen if each.latency_s is not None}
    stored = kept(config)
    record_property("heard", len(heard))
    assert len(heard) > 2 * KILLS
    assert max(Counter(serial for serial, _ in stored).values()) == 1
    assert {serial: verdict for serial, verdict in stored if serial in heard} == heard
    assert len(stored) - len(heard) <= KILLS
    verified = andon("ledger", "verify", "--db", f"sqlite:///{database(config)}", "--json")
    assert verified.code == 0, verified.err


def test_a_broker_and_a_sparkplug_host_hear_every_verdict_once_by_its_id(
    line: tuple[Path, int], tmp_path: Path
) -> None:
    config, port = line
    with broker(tmp_path / "mosquitto") as server, subscriber(server.port, "#") as (heard, _):
        more = f'\n[broker]\nhost = "127.0.0.1"\nport = {server.port}\n[mqtt]\nsite = "plant"\n[sparkplug]\ngroup = "plant"\n'
        config.write_text(config.read_text(encoding="utf-8") + more, encoding="utf-8")
        told = list[str]()
        # The second agent tells again what the first one kept: under the same ids.
        for first in (0, 3):
            with running(config) as (process, url), ModbusPlcClient(port=port) as wire:
                plc = SimulatedPlc(wire, takt_s=TAKT_S)
                assert plc.wait_until_ready(START_S)
                told += [each.verdict.name for each in plc.run(Part(serial=f"A{first + n}") for n in range(3))]
                eventually(lambda: len(verdicts(heard.messages)) >= len(told))  # noqa: B023
                eventually(lambda: httpx.get(f"{url}/status").json()["brokers"] == {"mqtt": None, "sparkplug": None})
                process.terminate()
                assert process.wait(START_S) == 0
    said = verdicts(heard.messages)
    assert [each["verdict"] for each in said.values()] == told
    assert [each["serial"] for each in said.values()] == [f"A{number}" for number in range(6)]
    topics = {topic for topic, _ in heard.messages}
    assert "andon/plant/S1/verdicts" in topics
    assert {"spBv1.0/plant/NBIRTH/line-1", "spBv1.0/plant/DBIRTH/line-1/S1", "spBv1.0/plant/DDATA/line-1/S1"} <= topics


def test_a_broker_that_is_gone_holds_up_no_answer_and_hears_it_all_later(
    line: tuple[Path, int], tmp_path: Path
) -> None:
    config, port = line
    with broker(tmp_path / "mosquitto") as server:
        more = f'\n[broker]\nhost = "127.0.0.1"\nport = {server.port}\n[mqtt]\n'
        config.write_text(config.read_text(encoding="utf-8") + more, encoding="utf-8")
        server.kill()
        with running(config) as (_, url), ModbusPlcClient(port=port) as wire:
            plc = SimulatedPlc(wire, takt_s=TAKT_S)
            assert plc.wait_until_ready(START_S)
            seen = list(plc.run(Part(serial=f"A{number}") for number in range(4)))
            eventually(lambda: httpx.get(f"{url}/status").json()["brokers"]["mqtt"])
            server.start()
            with subscriber(server.port, "#") as (heard, _):
                eventually(lambda: len(verdicts(heard.messages)) == 4)
    assert [each.verdict.name for each in seen] == ["OK", "OK", "OK", "NG"]
    assert plc.stops == []
    assert max(each.latency_s or TAKT_S for each in seen) < TAKT_S


def verdicts(messages: list[tuple[str, bytes]]) -> dict[str, dict[str, object]]:
    """The verdicts among messages, by id."""
    said = [json.loads(payload) for topic, payload in messages if topic.startswith("andon/")]
    return {each["event_id"]: each for each in said}


def test_a_configuration_is_checked_without_starting_anything(line: tuple[Path, int], andon: Andon) -> None:
    config, _ = line
    checked = andon("edge", "check", config, "--json")
    assert checked.code == 0, checked.err
    (said,) = map(json.loads, checked.out.splitlines())
    assert (said["station"], said["ok"], list(said["recipes"])) == ("S1", True, ["plates"])
    assert not database(config).exists()


def test_mistakes_are_told_line_by_line(line: tuple[Path, int], andon: Andon) -> None:
    config, _ = line
    text = (
        config.read_text(encoding="utf-8")
        .replace("takt_s", "takt_ms")
        .replace('camera = "top"\nplc', 'camera = "up"\nplc')
    )
    config.write_text(text, encoding="utf-8")
    for command in ("check", "run"):
        refused = andon("edge", command, config)
        assert refused.code == 2
        assert f"{config}:25: found takt_ms; expected takt_s" in refused.out
        assert refused.err.count("\n") == 1
    said = [json.loads(each) for each in andon("edge", "check", config, "--json").out.splitlines()]
    assert [each["line"] for each in said] == [22, 24, 25]  # the camera, its recipe, the takt


def test_a_bundle_that_is_damaged_is_refused(line: tuple[Path, int], andon: Andon) -> None:
    config, _ = line
    (config.parent / "plates.andon").write_bytes(b"no bundle")
    refused = andon("edge", "check", config)
    assert refused.code == 2
    assert "plates.andon" in refused.err


def test_a_status_that_others_can_ask_wants_its_key(line: tuple[Path, int]) -> None:
    config, _ = line
    (config.parent / "key").write_text("secret\n", encoding="ascii")
    config.write_text(config.read_text(encoding="utf-8") + 'key_file = "key"\n', encoding="utf-8")
    with running(config) as (_, url):
        assert httpx.get(f"{url}/status").status_code == 401
        assert httpx.get(f"{url}/status", headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert httpx.get(f"{url}/status", headers={"Authorization": "Bearer secret"}).status_code == 200


def test_a_status_is_asked_over_tls_by_those_who_trust_its_certificate(
    line: tuple[Path, int], andon: Andon, tmp_path: Path
) -> None:
    config, _ = line
    authority, certificate, key = certify(tmp_path)
    (config.parent / "key").write_text("secret\n", encoding="ascii")
    more = f'key_file = "key"\ncert_file = "{certificate.name}"\ntls_key_file = "{key.name}"\n'
    config.write_text(config.read_text(encoding="utf-8") + more, encoding="utf-8")
    fleet = tmp_path / "fleet.toml"
    with running(config) as (_, url):
        assert url.startswith("https://")
        boxes = f'[[boxes]]\nname = "line-1"\nurl = "{url}"\nkey = "secret"\n'
        fleet.write_text(boxes, encoding="utf-8")
        assert "certificate" in andon("fleet", "status", fleet).err
        fleet.write_text(f'{boxes}ca = "{authority.name}"\n', encoding="utf-8")
        eventually(lambda: andon("fleet", "status", fleet).code == 0)
        with pytest.raises(httpx.HTTPError):
            httpx.get(url.replace("https", "http"))
        assert andon("fleet", "status", fleet).code == 0
    assert "Traceback" not in (config.parent / "log").read_text()
