"""A box as users run it, with a station and sensors, and the service that gets what it keeps."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.conftest import write_plates
from tests.hardware.edge.lines import line_config, running
from tests.hardware.edge.sensing.boxes import fill
from tests.motors import ASSETS
from tests.serving.edge_senders import bearing, give_key
from tests.serving.notify.receivers import eventually, free_port

from andon.datasets.store.opening import Store
from andon.hardware.sim.modbus_plc import ModbusPlcClient
from andon.hardware.sim.simulated_plc import Part, SimulatedPlc
from andon.models.bundle.bundle import VisionBundle
from andon.models.bundle.storage import write_bundle

pytest.importorskip("pymodbus", reason="the extra edge is not installed")

TAKT_S, START_S = 5.0, 60.0
MORE = """
[upload]
url = "http://{server}"
key_file = "box.key"
images = "all"
waveforms = "all"
[[sensors]]
name = "gateway"
kind = "watched-folder"
folder = "records"
still_s = 0
every_s = 0.05
[[assets]]
name = "{asset}"
bundle = "{motors}"
"""


@pytest.fixture
def line(server: str, store: Store, tmp_path: Path, tiny_bundle: VisionBundle, motors: Path) -> tuple[Path, int]:
    """A configuration of plates to inspect and a motor that breaks, and the port of its PLC."""
    write_bundle(tiny_bundle, tmp_path / "plates.andon")
    images = write_plates(tmp_path / "images", 2)
    fill(tmp_path / "records", range(12), broken_from=6)
    (tmp_path / "box.key").write_text(give_key(store.database, "line-1", "operator"), encoding="ascii")
    port, path = free_port(), tmp_path / "line.toml"
    more = MORE.format(server=server, asset=ASSETS[0], motors=motors)
    path.write_text(line_config("plates.andon", images, port, TAKT_S) + more, encoding="utf-8")
    return path, port


def test_parts_signals_and_alerts_of_a_box_reach_the_service_with_their_files(
    line: tuple[Path, int], server: str, store: Store
) -> None:
    config, port = line
    seeing = bearing(give_key(store.database, "office", "viewer"))

    def listed(what: str) -> list[dict[str, object]]:
        items = httpx.get(f"http://{server}/api/v1/{what}", headers=seeing).json()["items"]
        return list(items)

    def are(what: str, count: int) -> Callable[[], bool]:
        return lambda: len(listed(what)) == count

    with running(config) as (process, url), ModbusPlcClient(port=port) as wire:
        plc = SimulatedPlc(wire, takt_s=TAKT_S)
        assert plc.wait_until_ready(START_S)
        assert all(each.is_good for each in plc.run(Part(serial=f"A{number}") for number in range(3)))
        for what, count in (("inspections", 3), ("signals", 12), ("alerts", 1)):
            eventually(are(what, count), START_S)
        eventually(lambda: httpx.get(f"{url}/status").json()["outbox"]["waiting"] == 0, START_S)
        process.terminate()
        assert process.wait(START_S) == 0
    (alert,) = listed("alerts")
    assert (alert["asset"], alert["fault"]) == (ASSETS[0], "outer_race")
    for inspection in listed("inspections"):
        place = f"http://{server}/api/v1/inspections/{inspection['id']}/image"
        assert httpx.get(place, headers=seeing).content.startswith(b"\x89PNG")
    for signal in listed("signals"):
        place = f"http://{server}/api/v1/signals/{signal['id']}/waveform"
        assert httpx.get(place, headers=seeing).content.startswith(b"PAR1")
