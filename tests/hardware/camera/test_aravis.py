"""A GigE camera, which Aravis's own fake camera stands in for, in a network that has nothing but loopback."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DEBIAN_GI = Path("/usr/lib/python3/dist-packages/gi")
HERE = """
ip link set lo up
arv-fake-gv-camera-0.8 -i 127.0.0.1 -s ANDON1 & camera=$!
sleep 1
"$@"; code=$?
kill $camera
exit $code
"""


def why_not(gi: Path) -> str | None:
    if not all(map(shutil.which, ("unshare", "ip", "arv-fake-gv-camera-0.8"))):
        return "unshare, ip or arv-fake-gv-camera-0.8 is not installed (apt-get install aravis-tools)"
    if subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode:
        return "network namespaces are not permitted here"
    asked = "import gi; gi.require_version('Aravis', '0.8'); from gi.repository import Aravis"
    said = subprocess.run([sys.executable, "-c", asked], env=environment(gi), check=False, capture_output=True)
    return None if said.returncode == 0 else "this Python cannot import gi and Aravis (gir1.2-aravis-0.8, python3-gi)"


def environment(gi: Path) -> dict[str, str]:
    """Let Python find Debian's ``gi``, which is built for the same minor version, and nothing else of Debian's."""
    return {**os.environ, "PYTHONPATH": str(gi), "ANDON_ARAVIS_CAMERA": "127.0.0.1"}


@pytest.fixture
def gi(tmp_path: Path) -> Path:
    if DEBIAN_GI.exists():
        (tmp_path / "gi").symlink_to(DEBIAN_GI)
    if reason := why_not(tmp_path):
        pytest.skip(reason)
    return tmp_path


def inside(gi: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["unshare", "--net", "sh", "-c", HERE, "sh", *words]
    return subprocess.run(
        command, cwd=ROOT, env=environment(gi), check=False, capture_output=True, text=True, timeout=60
    )


def test_it_does_what_every_camera_must(gi: Path) -> None:
    contract = str(Path(__file__).with_name("test_every_camera.py"))
    said = inside(gi, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", contract, "-k", "aravis")
    assert said.returncode == 0, said.stdout
    assert "5 passed" in said.stdout
    assert "skipped" not in said.stdout


SETTINGS = """
from andon.hardware.camera.aravis import AravisCamera
from andon.models.types.camera import CameraLostError, CameraSettingError, CameraSettings, NoFrameError, TriggerSource
held = []
with AravisCamera(device="127.0.0.1") as camera:
    camera.apply(CameraSettings(exposure_us=5000.0, width_px=320, height_px=240, features={"GainRaw": 3}))
    print(camera.grab(2.0).frame.shape)
    for asked in (CameraSettings(features={"GainRaw": 9999}), CameraSettings(features={"PixelFormat": 7}), CameraSettings(trigger=TriggerSource.HARDWARE)):
        try:
            camera.apply(asked)
        except CameraSettingError as error:
            held.append(error)
            print(error.code, error.params["feature"])
    camera.apply(CameraSettings(trigger=TriggerSource.HARDWARE, features={"TriggerSource": "Line0"}))
    try:
        camera.grab(0.3)
    except NoFrameError as error:
        print(error.code)
# An error's traceback may hold the device that it is about.
with AravisCamera(device="127.0.0.1") as camera:
    print(camera.grab(2.0).is_complete)
try:
    with AravisCamera(device="127.0.0.9"):
        pass
except CameraLostError as error:
    print(error.code)
"""


def test_settings_are_read_back(gi: Path) -> None:
    said = inside(gi, sys.executable, "-c", SETTINGS)
    assert said.stdout.splitlines() == [
        "(240, 320, 3)",
        "camera.setting_refused GainRaw",
        "camera.setting_refused PixelFormat",
        "camera.setting_refused TriggerSource",
        "camera.no_frame",
        "True",
        "camera.lost",
    ], said.stderr
