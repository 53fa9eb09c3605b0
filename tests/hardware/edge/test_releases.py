"""The agent as users run it, with a bundle whose releases it follows and boards that the machine upstream hands over."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conftest import Andon, write_plates
from tests.hardware.edge.lines import line_config, running
from tests.hardware.edge.test_agent import START_S, TAKT_S, kept
from tests.serving.notify.receivers import eventually, free_port

from andon.datasets.registry.folder_store import FolderStore
from andon.hardware.sim.modbus_plc import ModbusPlcClient
from andon.hardware.sim.simulated_hermes import SimulatedBoard, SimulatedUpstreamMachine
from andon.hardware.sim.simulated_plc import Part, SimulatedPlc
from andon.models.bundle.bundle import Bundle, VisionBundle
from andon.models.bundle.signature import Release, sign_bundle
from andon.models.bundle.storage import write_bundle
from andon.models.signing.keys import SigningKey, generate_key

pytest.importorskip("pymodbus", reason="the extra edge is not installed")

UPDATES = """
key_file = "status.key"
[updates]
source = "released"
trusted = ["site.pem.pub"]
poll_s = 0.1
shadow_parts = 3
probation_parts = 3
probation_s = 0
"""


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    made = generate_key()
    (tmp_path / "site.pem.pub").write_bytes(made.public.pem())
    return made


@pytest.fixture
def publish(tmp_path: Path, tiny_bundle: VisionBundle, key: SigningKey) -> Callable[[int], str]:
    """Release the bundle under a number: returns its digest."""

    def release(number: int) -> str:
        changed = Bundle(replace(tiny_bundle.manifest, seed=number), tiny_bundle.files)
        signed = sign_bundle(changed, Release("plates", number, datetime.now(UTC)), key)
        store = FolderStore(tmp_path / "released")
        store.promote("plates", store.put(signed, "plates"))
        return signed.digest

    return release


@pytest.fixture
def line(tmp_path: Path) -> tuple[Path, int]:
    """A line that follows the releases of plates; its PLC's port."""
    port, path = free_port(), tmp_path / "line.toml"
    (tmp_path / "status.key").write_text("secret\n", encoding="ascii")
    text = line_config("plates.andon", write_plates(tmp_path / "images", 3), port, TAKT_S)
    text = text.replace('bundle = "plates.andon"', 'release = "plates"').replace("port = 0\n", f"port = 0\n{UPDATES}")
    path.write_text(text, encoding="utf-8")
    return path, port


def station_of(url: str) -> dict[str, Any]:
    answer = httpx.get(f"{url}/status", headers={"Authorization": "Bearer secret"})
    (station,) = answer.json()["stations"]
    return dict(station)


def fleet_of(folder: Path, url: str, key: str = "secret") -> Path:
    path = folder / "fleet.toml"
    path.write_text(f'[[boxes]]\nname = "line-1"\nurl = "{url}"\nkey = "{key}"\n', encoding="utf-8")
    return path


def test_a_release_takes_over_while_the_line_runs_and_is_taken_back(
    line: tuple[Path, int], publish: Callable[[int], str], andon: Andon, tmp_path: Path
) -> None:
    config, port = line
    with running(config) as (process, url), ModbusPlcClient(port=port) as wire:
        plc = SimulatedPlc(wire, takt_s=TAKT_S)
        eventually(lambda: station_of(url)["fault"] == "model")
        assert not plc.wait_until_ready(0.5)
        assert "plates: found no version that can run yet" in str(station_of(url)["error"])
        first = publish(1)
        assert plc.wait_until_ready(START_S)
        assert [each.is_good for each in plc.run(Part(serial=f"A{number}") for number in range(3))] == [True] * 3
        assert station_of(url)["bundle_digest"] == first
        second = publish(2)

        def is_kept() -> bool:
            assert all(each.is_good for each in plc.run([Part()]))
            station = station_of(url)
            return (station["bundle_digest"], station["update"]["phase"]) == (second, "kept")

        eventually(is_kept)
        assert plc.stops == []
        fleet = fleet_of(tmp_path, url)
        said = andon("fleet", "status", fleet, "--json")
        assert (said.code, said.documents[0]["bundle_digest"]) == (0, second)
        assert andon("fleet", "rollback", fleet, "line-1", "plates", "--digest", first[:12]).code == 0
        eventually(lambda: station_of(url)["bundle_digest"] == first)
        assert all(each.is_good for each in plc.run([Part(), Part()]))
        process.terminate()
        assert process.wait(START_S) == 0
    with running(config) as (_, url):
        assert station_of(url)["bundle_digest"] == first
        assert station_of(url)["update"]["reason"] == "update.asked"


def test_a_signed_bundle_is_brought_to_a_folder_and_no_other(
    line: tuple[Path, int], tiny_bundle: VisionBundle, key: SigningKey, andon: Andon, tmp_path: Path
) -> None:
    config, _ = line
    write_bundle(sign_bundle(tiny_bundle, Release("plates", 3, datetime.now(UTC)), key), tmp_path / "new.andon")
    brought = andon("fleet", "release", tmp_path / "new.andon", "--to", tmp_path / "released")
    assert (brought.code, brought.err) == (0, "")
    with running(config) as (_, url):
        eventually(lambda: station_of(url)["bundle_digest"] == tiny_bundle.digest)
    write_bundle(tiny_bundle, tmp_path / "plain.andon")
    refused = andon("fleet", "release", tmp_path / "plain.andon", "--to", tmp_path / "released")
    assert (refused.code, "plain.andon" in refused.complaint) == (2, True)
    assert andon("fleet", "release", tmp_path / "new.andon", "--to", tmp_path / "released", "--name", "a/b").code == 2


def test_taking_back_is_for_those_with_the_key_and_for_what_is_there(
    line: tuple[Path, int], publish: Callable[[int], str], andon: Andon, tmp_path: Path
) -> None:
    config, _ = line
    publish(1)
    with running(config) as (_, url):
        eventually(lambda: station_of(url)["bundle_digest"])
        refused = andon("fleet", "rollback", fleet_of(tmp_path, url), "line-1", "plates")
        assert (refused.code, refused.complaint.count("no such version")) == (2, 1)
        assert "lids" in andon("fleet", "rollback", fleet_of(tmp_path, url), "line-1", "lids").complaint
        assert "line-2" in andon("fleet", "rollback", fleet_of(tmp_path, url), "line-2", "plates").complaint
        assert "401" in andon("fleet", "rollback", fleet_of(tmp_path, url, "wrong"), "line-1", "plates").complaint
        known = {"Authorization": "Bearer secret"}
        for body in (b"", b"[]", b'{"release": "plates"}', b'{"release": "plates", "by": ""}', b"x" * 10_000):
            assert httpx.post(f"{url}/roll-back", content=body, headers=known).status_code == 400
        assert httpx.post(f"{url}/status", headers=known).status_code == 404


def test_nobody_takes_anything_back_where_there_is_no_key(line: tuple[Path, int], key: SigningKey) -> None:
    config, _ = line
    config.write_text(config.read_text(encoding="utf-8").replace('key_file = "status.key"\n', ""), encoding="utf-8")
    with running(config) as (_, url):
        assert httpx.post(f"{url}/roll-back", json={"release": "plates", "by": "x"}).status_code == 401


def test_what_nobody_trusted_signed_is_refused_and_the_line_goes_on(
    line: tuple[Path, int], publish: Callable[[int], str], tmp_path: Path
) -> None:
    config, port = line
    first = publish(1)
    with running(config) as (_, url), ModbusPlcClient(port=port) as wire:
        plc = SimulatedPlc(wire, takt_s=TAKT_S)
        assert plc.wait_until_ready(START_S)
        store = FolderStore(tmp_path / "released")
        runs = store.get("plates", "champion")
        changed = Bundle(replace(runs.manifest, seed=2), runs.files)
        other = sign_bundle(changed, Release("plates", 2, datetime.now(UTC)), generate_key())
        store.promote("plates", store.put(other, "plates"))
        eventually(lambda: station_of(url)["update"]["phase"] == "refused")
        assert (station_of(url)["bundle_digest"], station_of(url)["state"]) == (first, "running")
        assert all(each.is_good for each in plc.run([Part()]))


def test_a_configuration_that_follows_releases_is_checked(
    line: tuple[Path, int], key: SigningKey, andon: Andon
) -> None:
    config, _ = line
    checked = andon("edge", "check", config, "--json")
    assert (checked.code, json.loads(checked.out)["recipes"]) == (0, {"plates": None})
    (config.parent / "site.pem.pub").unlink()
    refused = andon("edge", "check", config)
    assert refused.code == 2
    number = config.read_text(encoding="utf-8").splitlines().index('trusted = ["site.pem.pub"]') + 1
    assert f"{config}:{number}: " in refused.out


def test_boards_of_the_machine_upstream_name_the_parts(line: tuple[Path, int], publish: Callable[[int], str]) -> None:
    config, port = line
    publish(1)
    boards = [SimulatedBoard(f"id-{number}", {"TopBarcode": f"SN{number}"}) for number in range(4)]
    with SimulatedUpstreamMachine(boards) as machine:
        text = config.read_text(encoding="utf-8").replace(
            "retakes = 0", 'retakes = 0\nserial = "hermes"\nhermes = "loader"'
        )
        text += f'\n[[hermes]]\nname = "loader"\nhost = "127.0.0.1"\nport = {machine.port}\n'
        config.write_text(text, encoding="utf-8")
        with running(config), ModbusPlcClient(port=port) as wire:
            plc = SimulatedPlc(wire, takt_s=TAKT_S)
            told = []
            for number in range(4):
                assert plc.wait_until_ready(START_S)
                eventually(lambda: [name for name, _ in machine.heard].count("StopTransport") == number + 1)  # noqa: B023
                told += [each.verdict.name for each in plc.run([Part()])]
            # No board is handed over any more: a part that comes nevertheless has no name, and does not pass.
            assert plc.wait_until_ready(START_S)
            (nameless,) = plc.run([Part()])
    assert told == ["OK"] * 4
    assert [part for part, _ in kept(config)] == ["SN0", "SN1", "SN2", "SN3"]
    assert (nameless.verdict.name, nameless.fault.name) == ("ERROR", "SERIAL")
