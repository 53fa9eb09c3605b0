"""The camera that does not exist: what it shows, what it keeps, how it fails."""

import threading
from pathlib import Path
from time import monotonic

import numpy as np
import pytest
from tests.hardware.camera.cameras import plates

from andon.hardware.sim.configured_camera import simulated_camera
from andon.hardware.sim.simulated_camera import Failure, FailureKind, SimulatedCamera, SimulatedDevice
from andon.models.types.camera import (
    CameraLostError,
    CameraSettingError,
    CameraSettings,
    NoFrameError,
    SettingValue,
    TriggerSource,
)

HARDWARE = CameraSettings(trigger=TriggerSource.HARDWARE)


@pytest.fixture
def device(tmp_path: Path) -> SimulatedDevice:
    return SimulatedDevice(images=plates(tmp_path / "plates"))


def greys(device: SimulatedDevice, count: int) -> list[int]:
    with SimulatedCamera(device) as camera:
        return [int(camera.grab(1.0).frame.max()) for _ in range(count)]


def test_images_come_by_name_and_again(device: SimulatedDevice) -> None:
    assert greys(device, 4) == [120, 40, 80, 120]
    assert [device.sample(number).name for number in (1, 2, 4)] == ["120.png", "40.png", "120.png"]


def test_boards_depend_on_the_seed_alone() -> None:
    first, same, other = (SimulatedDevice(seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.picture(1), same.picture(1))
    assert not np.array_equal(first.picture(1), other.picture(1))
    assert {first.sample(number).is_good for number in range(1, 40)} == {True, False}


def test_the_light_barrier_exposes(device: SimulatedDevice) -> None:
    with SimulatedCamera(device) as camera:
        camera.apply(HARDWARE)
        with pytest.raises(NoFrameError):
            camera.grab(0.05)
        threading.Timer(0.05, device.expose).start()
        assert camera.grab(2.0).number == 1


def test_frames_that_were_there_when_it_was_armed_are_forgotten(device: SimulatedDevice) -> None:
    with SimulatedCamera(device) as camera:
        camera.apply(HARDWARE)
        device.expose()
        camera.arm()
        device.expose()
        assert camera.grab(1.0).number == 2


@pytest.mark.parametrize(
    ("settings", "grey"),
    [
        (CameraSettings(exposure_us=5_000.0), 60),
        (CameraSettings(gain_db=6.0), 239),
        (CameraSettings(exposure_us=40_000.0), 255),
    ],
)
def test_exposure_and_gain_change_the_brightness(device: SimulatedDevice, settings: CameraSettings, grey: int) -> None:
    with SimulatedCamera(device) as camera:
        camera.apply(settings)
        assert camera.grab(1.0).frame.max() == grey


def test_the_size_is_cut_from_the_middle(device: SimulatedDevice) -> None:
    with SimulatedCamera(device) as camera:
        camera.apply(CameraSettings(width_px=32, height_px=16))
        assert camera.grab(1.0).frame.shape == (16, 32, 3)


@pytest.mark.parametrize(
    ("feature", "value", "code"),
    [
        ("Width", 33, "camera.setting_differs"),
        ("Width", 72, "camera.setting_refused"),
        ("Width", "wide", "camera.setting_refused"),
        ("ExposureTime", 1_234.0, "camera.setting_differs"),
        ("Gain", 30.0, "camera.setting_refused"),
        ("ReverseX", 1, "camera.setting_refused"),
        ("Sharpness", 1, "camera.feature_unknown"),
    ],
)
def test_a_value_that_it_cannot_take_is_named(
    device: SimulatedDevice, feature: str, value: SettingValue, code: str
) -> None:
    with SimulatedCamera(device) as camera, pytest.raises(CameraSettingError) as caught:
        camera.apply(CameraSettings(features={feature: value}))
    assert (caught.value.code, caught.value.params["feature"]) == (code, feature)


def test_each_failure_comes_when_it_was_asked_for(device: SimulatedDevice) -> None:
    for failure in (
        Failure(FailureKind.NO_FRAME, 1),
        Failure(FailureKind.INCOMPLETE, 2),
        Failure(FailureKind.SLOW, 3, seconds=0.2),
        Failure(FailureKind.LOST, 4, seconds=0.1),
    ):
        device.fail(failure)
    with SimulatedCamera(device) as camera:
        with pytest.raises(NoFrameError):
            camera.grab(0.05)
        shot = camera.grab(1.0)
        assert (shot.is_complete, int(shot.frame[0].max()), int(shot.frame[-1].max())) == (False, 40, 0)
        began = monotonic()
        assert camera.grab(1.0).is_complete
        assert monotonic() - began >= 0.2
        with pytest.raises(CameraLostError):
            camera.grab(1.0)


def test_a_lost_camera_stays_lost_until_it_is_opened_anew(device: SimulatedDevice) -> None:
    with SimulatedCamera(device) as camera:
        device.lose(0.0)
        with pytest.raises(CameraLostError):
            camera.check()
        with pytest.raises(CameraLostError):
            camera.grab(0.1)
    with SimulatedCamera(device) as camera:
        assert camera.grab(1.0).is_complete


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CameraSettingError):
        SimulatedDevice(images=str(tmp_path))


def test_an_image_that_cannot_be_read_is_a_loss(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(CameraLostError), SimulatedCamera(SimulatedDevice(images=str(tmp_path))):
        pass


def test_a_device_that_hangs_does_not_hold_up_who_opens_it_anew(device: SimulatedDevice) -> None:
    device.fail(Failure(FailureKind.HUNG, 1, seconds=1.0))
    hanging = threading.Thread(target=device.expose)
    hanging.start()
    began = monotonic()
    with SimulatedCamera(device) as camera:
        assert camera.grab(1.0).number == 2
    assert monotonic() - began < 0.9
    hanging.join()


def test_the_device_of_a_configuration_stays_when_it_is_opened_anew(tmp_path: Path) -> None:
    images = plates(tmp_path / "plates")
    numbers = []
    for _ in range(2):
        with simulated_camera(images=images) as camera:
            numbers.append(camera.grab(1.0).number)
    with simulated_camera(images=images, seed=1) as other:
        numbers.append(other.grab(1.0).number)
    assert numbers == [1, 2, 1]
