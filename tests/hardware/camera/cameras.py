"""Each camera that ships, opened over something real, with what makes it see a part."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import pytest
from tests.serving.notify.receivers import free_port

from andon.hardware.camera.folder import FolderCamera
from andon.hardware.camera.process import ProcessCamera
from andon.hardware.camera.reopening import ReopeningCamera
from andon.hardware.sim.simulated_camera import SimulatedCamera, SimulatedDevice
from andon.models.types.camera import Camera

SIZE_PX = 64


@dataclass(frozen=True)
class Bench:
    """A camera that is not open yet, and how parts are put before it: a camera that runs by itself needs nothing.

    Parameters
    ----------
    is_instant
        Whether a frame is there as soon as the software triggers.
    set_up_anew
        What the other side needs before the camera can be opened again.
    """

    camera: Camera
    present: Callable[[], None] = lambda: None
    is_instant: bool = False
    set_up_anew: Callable[[], None] = lambda: None


def picture(grey: int) -> np.ndarray:
    return np.full((SIZE_PX, SIZE_PX, 3), grey, np.uint8)


def put(folder: Path, name: str, grey: int = 128) -> None:
    """Write under another name, then rename."""
    hidden = folder / f".{name}"
    encoded = cv2.imencode(".png", picture(grey))[1].tobytes()
    hidden.write_bytes(encoded)
    hidden.rename(folder / name)


def plates(folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    for grey in (40, 80, 120):
        put(folder, f"{grey}.png", grey)
    return str(folder)


@contextmanager
def simulated(tmp_path: Path) -> Iterator[Bench]:
    yield Bench(make_simulated(plates(tmp_path / "plates")), is_instant=True)


@contextmanager
def reopened(tmp_path: Path) -> Iterator[Bench]:
    device = SimulatedDevice(images=plates(tmp_path / "plates"))
    yield Bench(ReopeningCamera(lambda: SimulatedCamera(device), "sim"))


def make_simulated(images: str) -> Camera:
    return SimulatedCamera(SimulatedDevice(images=images))


@contextmanager
def in_a_process(tmp_path: Path) -> Iterator[Bench]:
    yield Bench(ProcessCamera(partial(make_simulated, plates(tmp_path / "plates")), "sim"), is_instant=True)


@contextmanager
def folder(tmp_path: Path) -> Iterator[Bench]:
    watched, numbers = tmp_path / "watched", count()
    watched.mkdir()
    yield Bench(FolderCamera(folder=str(watched), settle_s=0.0), lambda: put(watched, f"{next(numbers)}.png"))


def producer() -> str:
    """The producer that the genicam wheel ships."""
    spec = find_spec("genicam")
    if spec is None or spec.origin is None or find_spec("harvesters") is None:
        pytest.skip("genicam or harvesters is not installed")
    return str(Path(spec.origin).with_name("viky.cti"))


@contextmanager
def genicam(tmp_path: Path) -> Iterator[Bench]:
    viky = producer()
    from andon.hardware.camera.genicam import open_genicam

    yield Bench(open_genicam(producer=viky, serial="1"))


@dataclass
class Server:
    """Sends a test picture over TCP to whoever connects, one after the other, at 25 frames a second."""

    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def start(self) -> None:
        source = ["-re", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=25"]
        coded = ["-c:v", "mpeg2video", "-g", "5", "-bf", "0", "-f", "mpegts", "-flush_packets", "1"]
        command = ["ffmpeg", "-loglevel", "error", *source, *coded, f"{self.url}?listen=1"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self) -> Self:
        self.start()
        wait_for(lambda: is_listening(self.port))
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def restart(self) -> None:
        """Serve another one: it takes one connection."""
        self.kill()
        self.start()
        wait_for(lambda: is_listening(self.port))

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@contextmanager
def streaming() -> Iterator[Server]:
    from shutil import which

    if which("ffmpeg") is None or find_spec("av") is None:
        pytest.skip("ffmpeg (apt-get install ffmpeg) or av is not installed")
    with Server(free_port()) as server:
        yield server


RTSP = """
import sys, gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer

Gst.init(None)
server = GstRtspServer.RTSPServer(address="127.0.0.1", service=sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory(shared=True)
shown = "video/x-raw,format=I420,width=160,height=120,framerate=25/1"
factory.set_launch(f"( videotestsrc is-live=true pattern=ball ! {shown} ! jpegenc ! rtpjpegpay name=pay0 pt=26 )")
server.get_mount_points().add_factory("/line", factory)
server.attach(None)
GLib.MainLoop().run()
"""
"""An IP camera as a program for Debian's Python, which has GStreamer's bindings."""

DEBIAN_PYTHON = "/usr/bin/python3"


@dataclass
class RtspServer(Server):
    """An IP camera: moving pictures as JPEG by RTSP, to whoever asks."""

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/line"

    def start(self) -> None:
        self.process = subprocess.Popen([DEBIAN_PYTHON, "-c", RTSP, str(self.port)], stderr=subprocess.DEVNULL)


@contextmanager
def ip_camera() -> Iterator[RtspServer]:
    probe = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    asked = [DEBIAN_PYTHON, "-c", probe]
    if not Path(DEBIAN_PYTHON).exists() or subprocess.run(asked, capture_output=True, check=False).returncode:
        pytest.skip("no RTSP server (apt-get install gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good)")
    if find_spec("av") is None:
        pytest.skip("av is not installed")
    with RtspServer(free_port()) as server:
        yield server


def is_listening(port: int) -> bool:
    """Whether something listens there; to connect would use the server's only connection up."""
    entry = f"0100007F:{port:04X} 00000000:0000 0A"
    return any(entry in line for line in Path("/proc/net/tcp").read_text().splitlines())


def wait_for(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    from time import monotonic, sleep

    deadline = monotonic() + timeout_s
    while not condition():
        assert monotonic() < deadline, "it did not happen in time"
        sleep(0.01)


@contextmanager
def stream(tmp_path: Path) -> Iterator[Bench]:
    with streaming() as server:
        from andon.hardware.camera.stream import StreamCamera

        yield Bench(StreamCamera(url=server.url, format="mpegts"), set_up_anew=server.restart)


@contextmanager
def aravis(tmp_path: Path) -> Iterator[Bench]:
    if "ANDON_ARAVIS_CAMERA" not in os.environ:
        pytest.skip("runs within a network namespace, from test_aravis.py")
    from andon.hardware.camera.aravis import AravisCamera

    yield Bench(AravisCamera(device=os.environ["ANDON_ARAVIS_CAMERA"]))


BENCHES = {
    "simulated": simulated,
    "reopening": reopened,
    "process": in_a_process,
    "folder": folder,
    "genicam": genicam,
    "stream": stream,
    "aravis": aravis,
}


def presenting(bench: Bench) -> threading.Timer:
    """Put a part before the camera a moment from now."""
    timer = threading.Timer(0.1, bench.present)
    timer.start()
    return timer
