"""A camera in a process of its own, whatever becomes of that process."""

from functools import partial
from multiprocessing import active_children
from pathlib import Path
from typing import Self

import pytest
from tests.hardware.camera.cameras import make_simulated, plates

from andon.hardware.camera.process import ProcessCamera
from andon.hardware.sim.simulated_camera import SimulatedCamera, SimulatedDevice
from andon.models.types.camera import CameraLostError, CameraSettingError, CameraSettings, Shot


class BrokenCamera(SimulatedCamera):
    """Its driver raises what no camera is to raise."""

    def __init__(self, images: str) -> None:
        super().__init__(SimulatedDevice(images=images))

    def grab(self, timeout_s: float) -> Shot:
        raise ZeroDivisionError("in the driver")


class AbsentCamera(BrokenCamera):
    """It is not there."""

    def __enter__(self) -> Self:
        raise CameraLostError("camera.not_found", "S1", found="none", expected="one")


def test_an_error_keeps_its_kind_and_what_it_says(tmp_path: Path) -> None:
    with ProcessCamera(partial(make_simulated, plates(tmp_path)), "S1") as camera:
        with pytest.raises(CameraSettingError) as caught:
            camera.apply(CameraSettings(gain_db=99.0))
        assert (caught.value.code, caught.value.params["feature"]) == ("camera.setting_refused", "Gain")
        assert camera.grab(1.0).is_complete


def test_a_driver_that_raises_of_its_own_ends_its_process(tmp_path: Path) -> None:
    with ProcessCamera(partial(BrokenCamera, plates(tmp_path)), "S1") as camera:
        with pytest.raises(CameraLostError) as caught:
            camera.grab(1.0)
        assert caught.value.params["reason"] == "its process ended with exit code 1"
        assert active_children() == []
        with pytest.raises(CameraLostError) as again:
            camera.check()
        assert again.value.code == "camera.not_open"


def test_a_camera_that_cannot_be_opened_leaves_no_process(tmp_path: Path) -> None:
    with pytest.raises(CameraLostError) as caught, ProcessCamera(partial(AbsentCamera, plates(tmp_path)), "S1"):
        pass
    assert caught.value.code == "camera.not_found"
    assert active_children() == []
