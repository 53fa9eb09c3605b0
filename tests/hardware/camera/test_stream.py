"""A stream that comes, stalls, dies and comes back."""

import os
import signal
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest
from tests.hardware.camera.cameras import ip_camera, is_listening, streaming, wait_for

from andon.hardware.camera.reopening import ReopeningCamera
from andon.models.types.camera import CameraLostError, CameraSettingError, CameraSettings, TriggerSource

stream = pytest.importorskip("andon.hardware.camera.stream", reason="av is not installed")


def test_a_frame_is_newer_than_the_question() -> None:
    with streaming() as server, stream.StreamCamera(url=server.url, format="mpegts") as camera:
        first = camera.grab(5.0)
        sleep(0.5)
        began = monotonic()
        second = camera.grab(5.0)
        assert monotonic() - began > 0.001
    # At 25 frames a second about twelve went by in between.
    assert second.number - first.number > 5
    assert not np.array_equal(first.frame, second.frame)


def test_frames_that_were_on_their_way_are_passed_over() -> None:
    with streaming() as server, stream.StreamCamera(url=server.url, format="mpegts", latency_s=0.3) as camera:
        began = monotonic()
        camera.grab(5.0)
        assert monotonic() - began >= 0.3


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP], ids=["dies", "stalls"])
def test_a_server_that_is_gone_is_a_loss(blow: signal.Signals) -> None:
    with streaming() as server, stream.StreamCamera(url=server.url, format="mpegts") as camera:
        camera.grab(5.0)
        assert server.process
        os.kill(server.process.pid, blow)
        began = monotonic()
        with pytest.raises(CameraLostError):
            while True:
                camera.grab(5.0)
        assert monotonic() - began < 2.0
        with pytest.raises(CameraLostError):
            camera.check()


def test_it_is_opened_anew_once_the_server_is_back() -> None:
    with (
        streaming() as server,
        ReopeningCamera(lambda: stream.StreamCamera(url=server.url, format="mpegts"), "S1") as camera,
    ):
        assert camera.grab(5.0).is_complete
        server.kill()
        wait_for(lambda: camera.lost is not None, 2.0)
        server.start()
        wait_for(lambda: is_listening(server.port) or camera.lost is None)
        wait_for(lambda: camera.lost is None, 5.0)
        assert camera.grab(5.0).is_complete


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP], ids=["dies", "stalls"])
def test_an_ip_camera_that_is_gone_is_a_loss_and_opened_anew_once_it_is_back(blow: signal.Signals) -> None:
    with ip_camera() as server, ReopeningCamera(lambda: stream.StreamCamera(url=server.url), "S1") as camera:
        wait_for(lambda: camera.lost is None, 10.0)
        first, second = camera.grab(5.0), camera.grab(5.0)
        assert first.frame.shape == (120, 160, 3)
        assert second.number > first.number
        assert server.process
        os.kill(server.process.pid, blow)
        wait_for(lambda: camera.lost is not None, 2.0)
        server.kill()
        server.start()
        wait_for(lambda: camera.lost is None, 10.0)
        assert camera.grab(5.0).is_complete


def test_nobody_there_is_a_loss() -> None:
    with pytest.raises(CameraLostError), stream.StreamCamera(url="tcp://127.0.0.1:9", format="mpegts"):
        pass


def test_the_size_is_held_against_the_recipe() -> None:
    with streaming() as server, stream.StreamCamera(url=server.url, format="mpegts") as camera:
        camera.apply(CameraSettings(width_px=160, height_px=120))
        with pytest.raises(CameraSettingError) as caught:
            camera.apply(CameraSettings(width_px=640))
        assert (caught.value.params["found"], caught.value.params["expected"]) == ("160", "640")
        with pytest.raises(CameraSettingError):
            camera.apply(CameraSettings(trigger=TriggerSource.HARDWARE))


def film(folder: Path, rate_hz: int, frames: int) -> str:
    import av

    path = folder / "line.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=rate_hz)
        video.width, video.height = 64, 48
        for _ in range(frames):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        container.mux(video.encode())
    return str(path)


def test_frames_that_come_too_seldom_are_a_loss(tmp_path: Path) -> None:
    with stream.StreamCamera(url=film(tmp_path, rate_hz=1, frames=3), timeout_s=0.3) as camera:
        with pytest.raises(CameraLostError) as caught:
            while True:
                camera.grab(5.0)
        assert "0.3 s" in str(caught.value.params["reason"])


def test_a_file_is_played_at_its_own_pace_and_then_ends(tmp_path: Path) -> None:
    path = film(tmp_path, rate_hz=20, frames=20)
    began = monotonic()
    with stream.StreamCamera(url=path) as camera:
        assert camera.grab(2.0).frame.shape == (48, 64, 3)
        with pytest.raises(CameraLostError):
            while True:
                camera.grab(2.0)
    assert monotonic() - began > 0.8


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_decoder_that_raises_of_its_own_is_a_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise ZeroDivisionError("in the decoder")

    monkeypatch.setattr(stream.StreamCamera, "_pictures", breaks)
    with stream.StreamCamera(url=film(tmp_path, rate_hz=20, frames=2)) as camera:
        with pytest.raises(CameraLostError) as caught:
            camera.grab(1.0)
        assert caught.value.params["reason"] == "what reads it has ended"
