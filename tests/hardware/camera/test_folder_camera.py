"""A folder into which images are put."""

import os
import threading
from pathlib import Path
from time import sleep

import cv2
import pytest
from tests.hardware.camera.cameras import picture, put

from andon.hardware.camera.folder import FolderCamera
from andon.models.types.camera import CameraLostError, CameraSettingError, CameraSettings, NoFrameError, TriggerSource


def grey(camera: FolderCamera) -> int:
    return int(camera.grab(2.0).frame.max())


def test_images_come_oldest_first_and_once(tmp_path: Path) -> None:
    with FolderCamera(folder=str(tmp_path), settle_s=0.0) as camera:
        for name, value, at in (("b.png", 20, 50), ("a.png", 10, 50), ("c.png", 30, 40)):
            put(tmp_path, name, value)
            os.utime(tmp_path / name, (at, at))
        assert [grey(camera) for _ in range(3)] == [30, 10, 20]
        with pytest.raises(NoFrameError):
            camera.grab(0.05)
    assert len(list(tmp_path.iterdir())) == 3


def test_what_was_there_before_is_not_taken(tmp_path: Path) -> None:
    put(tmp_path, "a.png", 10)
    with FolderCamera(folder=str(tmp_path), settle_s=0.0) as camera:
        put(tmp_path, "b.png", 20)
        camera.arm()
        put(tmp_path, "c.png", 30)
        assert grey(camera) == 30


def test_a_file_of_the_same_name_is_another_image(tmp_path: Path) -> None:
    with FolderCamera(folder=str(tmp_path), settle_s=0.0) as camera:
        for value in (10, 20):
            put(tmp_path, "latest.png", value)
            assert grey(camera) == value


def test_a_file_that_is_being_written_is_not_taken(tmp_path: Path) -> None:
    encoded = cv2.imencode(".png", picture(50))[1].tobytes()
    with FolderCamera(folder=str(tmp_path), settle_s=0.2) as camera:

        def write() -> None:
            with (tmp_path / "slow.png").open("wb") as file:
                for start in range(0, len(encoded), 40):
                    file.write(encoded[start : start + 40])
                    file.flush()
                    sleep(0.05)

        writer = threading.Thread(target=write)
        writer.start()
        shot = camera.grab(5.0)
        writer.join()
    assert (shot.is_complete, shot.frame.max()) == (True, 50)


def test_what_was_being_written_when_it_was_armed_is_not_taken(tmp_path: Path) -> None:
    encoded = cv2.imencode(".png", picture(50))[1].tobytes()
    with FolderCamera(folder=str(tmp_path), settle_s=0.1) as camera:
        with (tmp_path / "a.png").open("wb") as file:
            file.write(encoded[:40])
            file.flush()
            camera.arm()
            file.write(encoded[40:])
        with pytest.raises(NoFrameError):
            camera.grab(0.3)
        put(tmp_path, "b.png", 60)
        assert grey(camera) == 60


def test_a_damaged_file_is_an_incomplete_frame_and_never_left_out(tmp_path: Path) -> None:
    with FolderCamera(folder=str(tmp_path), settle_s=0.0) as camera:
        (tmp_path / "a.png").write_bytes(b"no image")
        shot = camera.grab(1.0)
        assert not shot.is_complete
        put(tmp_path, "b.png", 60)
        assert grey(camera) == 60


def test_it_has_nothing_to_set(tmp_path: Path) -> None:
    with FolderCamera(folder=str(tmp_path)) as camera, pytest.raises(CameraSettingError):
        camera.apply(CameraSettings(trigger=TriggerSource.HARDWARE, exposure_us=100.0))


def test_the_software_cannot_trigger_who_writes_the_images(tmp_path: Path) -> None:
    with FolderCamera(folder=str(tmp_path)) as camera:
        camera.apply(CameraSettings(trigger=TriggerSource.HARDWARE))
        with pytest.raises(CameraSettingError) as caught:
            camera.apply(CameraSettings())
    assert caught.value.code == "camera.others_trigger"


def test_a_folder_that_goes_away_is_a_loss(tmp_path: Path) -> None:
    folder = tmp_path / "share"
    folder.mkdir()
    with FolderCamera(folder=str(folder)) as camera:
        folder.rmdir()
        with pytest.raises(CameraLostError):
            camera.check()
        with pytest.raises(CameraLostError):
            camera.grab(1.0)
