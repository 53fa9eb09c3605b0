"""``andon edge demo``: a whole line on this machine: camera, PLC and broker, with a real bundle, and a failure that is handled."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

from andon.hardware.edge.agent import opened_box
from andon.hardware.edge.config.reading import PLCS, installed, read_config
from andon.hardware.edge.status import status_document
from andon.hardware.edge.status_server import Door, telling
from andon.hardware.sim.modbus_plc import ModbusPlcClient
from andon.hardware.sim.simulated_camera import Failure, FailureKind, SimulatedCamera, SimulatedDevice
from andon.hardware.sim.simulated_plc import Part, PartSeen, SimulatedPlc
from andon.models.command.console import Console
from andon.models.types.errors import ResourceError
from andon.models.types.vision import GOOD

PARTS, TAKT_S = 24, 2.0
LOST_AT, LOST_S = 13, 1.5
READY_S = 30.0
MOSQUITTO = shutil.which("mosquitto", path="/usr/local/sbin:/usr/sbin:/usr/bin:/opt/homebrew/sbin")

CONFIG = """
box = "demo"
reserve_mib = 0
[[cameras]]
name = "top"
kind = "simulated"
[[plcs]]
name = "press"
kind = "modbus-server"
port = {plc}
[[recipes]]
name = "boards"
camera = "top"
bundle = "{bundle}"
[[stations]]
name = "S1"
camera = "top"
plc = "press"
recipes = ["boards"]
takt_s = {takt_s}
[status]
port = 0
"""
BROKER = """
[broker]
host = "127.0.0.1"
port = {broker}
[mqtt]
[sparkplug]
group = "demo"
"""


def run_demo(bundle: Path, images: str, console: Console) -> None:
    """Run parts through a line, lose the camera on the way, and show what the PLC was told.

    Parameters
    ----------
    images
        What the camera shows, as ``SimulatedDevice`` takes it.

    Raises
    ------
    BundleError
        The bundle cannot be used.
    ResourceError
        The station does not get ready.
    """
    device = SimulatedDevice(images=images, failures=[Failure(FailureKind.LOST, LOST_AT, seconds=LOST_S)])
    with ExitStack() as running:
        folder = Path(running.enter_context(TemporaryDirectory()))
        port = running.enter_context(_broker(folder)) if MOSQUITTO else None
        if port is None:
            console.say("edge.demo_no_broker")
        plc_port = _free_port()
        text = CONFIG.format(plc=plc_port, bundle=bundle.absolute(), takt_s=TAKT_S)
        (folder / "line.toml").write_text(text + (BROKER.format(broker=port) if port else ""), encoding="utf-8")
        cameras = {"simulated": lambda: lambda: SimulatedCamera(device)}
        config = read_config(folder / "line.toml", cameras, installed(PLCS))
        box = running.enter_context(opened_box(config, folder / "home"))
        url = running.enter_context(telling(Door("127.0.0.1", 0), box, console.catalogue))
        console.say("edge.running", url=url, stations="S1")
        running.enter_context(box.agent)
        wire = running.enter_context(ModbusPlcClient(port=plc_port))
        seen = list(_seen(SimulatedPlc(wire, takt_s=TAKT_S, restart_s=0.2), device, console))
        _conclude(seen, status_document(box, console.catalogue), console)


def _seen(plc: SimulatedPlc, device: SimulatedDevice, console: Console) -> Iterator[PartSeen]:
    passed = 0
    for number in range(1, PARTS + 1):
        if not plc.wait_until_ready(READY_S):
            raise ResourceError("edge.demo_not_ready", "S1", seconds=READY_S)
        for each in plc.run([Part(serial=f"BOARD-{number:03d}")]):
            label = device.sample(max(device.exposures, 1)).label
            passed += each.is_good and label not in ("", GOOD)
            _show(each, label, console)
            yield each
    if passed:
        console.say("edge.demo_passed", passed=passed)


def _show(seen: PartSeen, label: str, console: Console) -> None:
    milliseconds = round((seen.latency_s or 0.0) * 1e3, 1)
    row = {"serial": seen.part.serial, "board": label, "told": seen.verdict.name, "fault": seen.fault.name}
    console.emit({**row, "milliseconds": milliseconds})
    console.say("edge.demo_part", **row, milliseconds=milliseconds)


def _conclude(seen: list[PartSeen], status: dict[str, object], console: Console) -> None:
    """Say what came of it, once the broker has heard all or has had its time."""
    good, failed = sum(each.is_good for each in seen), sum(each.verdict.name == "ERROR" for each in seen)
    console.say("edge.demo_done", parts=len(seen), good=good, bad=len(seen) - good - failed, failed=failed)
    console.emit({"parts": len(seen), "ok": good, "errors": failed, "status": status})


@contextmanager
def _broker(folder: Path) -> Iterator[int]:
    """Run a mosquitto that only this machine reaches."""
    port = _free_port()
    settings = folder / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n", encoding="utf-8")
    command = [str(MOSQUITTO), "-c", str(settings)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        ends_s = monotonic() + READY_S
        while not _listens(port) and monotonic() < ends_s:
            sleep(0.05)
        yield port
        process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
