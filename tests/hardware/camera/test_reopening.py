"""A camera that is lost, hangs or comes back."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest
from tests.hardware.camera.cameras import plates, wait_for

from andon.hardware.camera.reopening import ReopeningCamera
from andon.hardware.camera.session import Watch
from andon.hardware.sim.simulated_camera import Failure, FailureKind, SimulatedCamera, SimulatedDevice
from andon.models.types.camera import (
    CameraLostError,
    CameraSettingError,
    CameraSettings,
    NoFrameError,
    Shot,
    TriggerSource,
)

CYCLES = 50 if os.environ.get("ANDON_SOAK") else 3
SEEN_S, BACK_S = 2.0, 5.0
"""Within these a loss is seen, and the camera runs again after it returned."""


class HangingCamera(SimulatedCamera):
    """Its driver does not return from ``check`` or ``grab`` while ``hangs`` is set."""

    def __init__(self, device: SimulatedDevice, hangs: threading.Event, woken: threading.Event) -> None:
        super().__init__(device)
        self._hangs, self._woken = hangs, woken

    def grab(self, timeout_s: float) -> Shot:
        self._hang()
        return super().grab(timeout_s)

    def check(self) -> None:
        self._hang()
        super().check()

    def _hang(self) -> None:
        if self._hangs.is_set():
            self._woken.wait()


@pytest.fixture
def device(tmp_path: Path) -> SimulatedDevice:
    return SimulatedDevice(images=plates(tmp_path / "plates"))


@contextmanager
def watched(device: SimulatedDevice, watch: Watch | None = None) -> Iterator[ReopeningCamera]:
    with ReopeningCamera(lambda: SimulatedCamera(device), "S1", watch) as camera:
        yield camera


def runs(camera: ReopeningCamera) -> Callable[[], bool]:
    return lambda: camera.lost is None


@pytest.mark.soak
def test_losses_are_seen_and_healed_without_a_leak(
    device: SimulatedDevice, caplog: pytest.LogCaptureFixture, record_property: Callable[[str, object], None]
) -> None:
    seen, back = [], []
    process = psutil.Process()
    with watched(device) as camera:
        camera.apply(CameraSettings(exposure_us=20_000.0))
        for cycle in range(CYCLES + 1):
            if cycle == 1:
                before = process.num_threads(), process.num_fds(), process.memory_info().rss
            began = monotonic()
            device.lose(1.0)
            wait_for(lambda: camera.lost is not None)
            seen.append(monotonic() - began)
            wait_for(runs(camera))
            back.append(monotonic() - began - 1.0)
            assert camera.grab(1.0).frame.max() in (80, 160, 240)
        after = process.num_threads(), process.num_fds(), process.memory_info().rss
    # One warning a loss, however often it could not be opened anew meanwhile.
    assert caplog.messages == ["camera lost"] * (CYCLES + 1)
    assert max(seen) <= SEEN_S
    assert max(back) <= BACK_S
    assert after[:2] == before[:2]
    assert after[2] - before[2] < 8 << 20
    figures = {"seen_s": max(seen), "back_s": max(back), "grown_kib": (after[2] - before[2]) >> 10}
    for name, value in figures.items():
        record_property(name, value)


def test_settings_are_applied_anew(device: SimulatedDevice) -> None:
    with watched(device) as camera:
        camera.apply(CameraSettings(exposure_us=20_000.0))
        device.lose(0.3)
        wait_for(lambda: camera.lost is not None)
        wait_for(runs(camera))
        assert camera.grab(1.0).frame.max() == 240


def test_settings_that_come_while_it_is_away_are_applied_once_it_is_there(device: SimulatedDevice) -> None:
    with watched(device) as camera:
        device.lose(0.3)
        wait_for(lambda: camera.lost is not None)
        with pytest.raises(CameraLostError):
            camera.apply(CameraSettings(exposure_us=20_000.0))
        wait_for(runs(camera))
        assert camera.grab(1.0).frame.max() == 240


def test_settings_that_were_refused_are_not_tried_again(device: SimulatedDevice) -> None:
    with watched(device) as camera:
        with pytest.raises(CameraSettingError):
            camera.apply(CameraSettings(exposure_us=-1.0))
        device.lose(0.2)
        wait_for(lambda: camera.lost is not None)
        wait_for(runs(camera))


def test_a_camera_that_is_away_at_first_is_opened_once_it_is_there(device: SimulatedDevice) -> None:
    device.lose(0.5)
    with watched(device) as camera:
        assert camera.lost is not None
        with pytest.raises(CameraLostError):
            camera.grab(1.0)
        wait_for(runs(camera))


def test_a_loss_between_arming_and_grabbing_is_told(device: SimulatedDevice) -> None:
    with watched(device) as camera:
        camera.apply(CameraSettings(trigger=TriggerSource.HARDWARE))
        camera.arm()
        device.lose(0.2)
        wait_for(lambda: camera.lost is not None)
        wait_for(runs(camera))
        device.expose()
        with pytest.raises(CameraLostError) as caught:
            camera.grab(1.0)
        assert caught.value.code == "camera.lost_since_armed"
        camera.arm()
        device.expose()
        assert camera.grab(1.0).number == 2


def test_a_camera_that_is_lost_while_a_trigger_is_awaited(device: SimulatedDevice) -> None:
    with watched(device) as camera:
        camera.apply(CameraSettings(trigger=TriggerSource.HARDWARE))
        threading.Timer(0.2, device.lose, (0.5,)).start()
        began = monotonic()
        with pytest.raises(CameraLostError):
            camera.grab(30.0)
        assert monotonic() - began < SEEN_S


class SilentCamera(SimulatedCamera):
    """Its driver waits on when the cable comes out, and tells only who asks."""

    def grab(self, timeout_s: float) -> Shot:
        sleep(timeout_s)
        raise NoFrameError("camera.no_frame", "S1", timeout=timeout_s)


def test_a_driver_that_says_nothing_of_a_loss_is_asked_meanwhile(device: SimulatedDevice) -> None:
    with ReopeningCamera(lambda: SilentCamera(device), "S1") as camera:
        camera.apply(CameraSettings(trigger=TriggerSource.HARDWARE))
        threading.Timer(0.2, device.lose, (5.0,)).start()
        began = monotonic()
        with pytest.raises(CameraLostError):
            camera.grab(4.0)
        assert monotonic() - began < SEEN_S


def test_what_was_not_begun_in_time_is_never_begun(device: SimulatedDevice, caplog: pytest.LogCaptureFixture) -> None:
    device.fail(Failure(FailureKind.HUNG, 1, seconds=0.5))
    with watched(device) as camera:
        for _ in range(2):
            with pytest.raises(NoFrameError):
                camera.grab(0.1)
        sleep(0.6)
        assert device.exposures == 1
        assert caplog.messages == []


def test_a_frame_is_awaited_over_many_checks(device: SimulatedDevice) -> None:
    with watched(device, Watch(check_s=0.05)) as camera:
        camera.apply(CameraSettings(trigger=TriggerSource.HARDWARE))
        threading.Timer(0.4, device.expose).start()
        assert camera.grab(10.0).number == 1


def test_a_frame_that_comes_too_late_is_not_the_next_ones(device: SimulatedDevice) -> None:
    device.fail(Failure(FailureKind.SLOW, 1, seconds=0.4))
    with watched(device) as camera:
        camera.arm()
        with pytest.raises(NoFrameError):
            camera.grab(0.2)
        sleep(0.3)
        camera.arm()
        assert camera.grab(1.0).number == 2


def hung() -> int:
    """How many threads of S1 there are besides that of the camera that runs."""
    return sum(thread.name == "camera S1" for thread in threading.enumerate()) - 1


@pytest.fixture
def woken() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_a_driver_that_hangs_blocks_nobody(device: SimulatedDevice, woken: threading.Event) -> None:
    hangs = threading.Event()
    with ReopeningCamera(lambda: HangingCamera(device, hangs, woken), "S1", Watch(hang_s=0.3)) as camera:
        hangs.set()
        began = monotonic()
        with pytest.raises((NoFrameError, CameraLostError)):
            camera.grab(0.3)
        assert monotonic() - began < 0.6
        wait_for(lambda: camera.lost is not None, SEEN_S)
        hangs.clear()
        wait_for(runs(camera), BACK_S)
        assert hung() == 1
        assert camera.grab(1.0).is_complete
        woken.set()
        wait_for(lambda: hung() == 0)
        assert camera.grab(1.0).is_complete


def test_a_driver_that_hangs_while_nothing_is_asked_is_seen(device: SimulatedDevice, woken: threading.Event) -> None:
    hangs = threading.Event()
    with ReopeningCamera(lambda: HangingCamera(device, hangs, woken), "S1") as camera:
        hangs.set()
        wait_for(lambda: camera.lost is not None, SEEN_S)
        assert camera.lost is not None
        assert camera.lost.code == "camera.hung"


def test_no_more_threads_are_lost_than_may_be(device: SimulatedDevice, woken: threading.Event) -> None:
    hangs = threading.Event()
    hangs.set()
    watch = Watch(hang_s=0.05, open_s=0.05, first_pause_s=0.01, longest_pause_s=0.02, most_hung=2)
    made = []

    def make() -> HangingCamera:
        made.append(HangingCamera(device, hangs, woken))
        return made[-1]

    with ReopeningCamera(make, "S1", watch) as camera:
        wait_for(lambda: camera.lost is not None and camera.lost.code == "camera.too_many_hung")
        sleep(0.3)
        assert len(made) == 2
        assert camera.lost is not None
        assert camera.lost.params["found"] == 2
        hangs.clear()
        woken.set()
        wait_for(runs(camera))


def test_nobody_waits_until_a_lost_camera_is_closed(device: SimulatedDevice, woken: threading.Event) -> None:
    class ClosingCamera(SimulatedCamera):
        def __exit__(self, *_: object) -> None:
            woken.wait()

    with ReopeningCamera(lambda: ClosingCamera(device), "S1") as camera:
        device.lose(0.0)
        began = monotonic()
        for _ in range(2):
            with pytest.raises(CameraLostError) as caught:
                camera.grab(1.0)
            assert "cable" in str(caught.value.params["reason"])
        assert monotonic() - began < 0.5
        wait_for(runs(camera), BACK_S)
        woken.set()


def test_a_driver_that_hangs_while_a_trigger_is_awaited_is_seen(
    device: SimulatedDevice, woken: threading.Event
) -> None:
    hangs = threading.Event()
    with ReopeningCamera(lambda: HangingCamera(device, hangs, woken), "S1") as camera:
        camera.apply(CameraSettings(trigger=TriggerSource.HARDWARE))
        threading.Timer(0.1, hangs.set).start()
        began = monotonic()
        with pytest.raises(CameraLostError) as caught:
            camera.grab(30.0)
        assert monotonic() - began < 0.1 + SEEN_S
        assert caught.value.code == "camera.hung"


def test_no_grab_takes_longer_than_its_time(device: SimulatedDevice, woken: threading.Event) -> None:
    hangs = threading.Event()
    with ReopeningCamera(lambda: HangingCamera(device, hangs, woken), "S1", Watch(check_s=0.2)) as camera:
        camera.apply(CameraSettings(trigger=TriggerSource.HARDWARE))
        threading.Timer(0.1, hangs.set).start()
        began = monotonic()
        with pytest.raises(NoFrameError):
            camera.grab(0.5)
        assert monotonic() - began < 0.8


def test_settings_that_come_while_it_is_opened_are_applied(device: SimulatedDevice) -> None:
    opens = threading.Event()

    class SlowCamera(SimulatedCamera):
        def apply(self, settings: CameraSettings) -> None:
            opens.wait()
            super().apply(settings)

    with ReopeningCamera(lambda: SlowCamera(device), "S1", Watch(first_pause_s=0.01)) as camera:
        opens.set()
        camera.apply(CameraSettings(exposure_us=5_000.0))
        opens.clear()
        device.lose(0.0)
        wait_for(lambda: camera.lost is not None)
        # By now another one is being opened, which has begun to take the former settings.
        sleep(0.5)
        with pytest.raises(CameraLostError):
            camera.apply(CameraSettings(exposure_us=20_000.0))
        opens.set()
        wait_for(runs(camera))
        assert camera.grab(1.0).frame.max() in (80, 160, 240)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("method", ["__enter__", "apply", "check", "grab"])
def test_what_a_driver_raises_of_its_own_is_a_loss(device: SimulatedDevice, method: str) -> None:
    broken = threading.Event()

    def breaks(*_: object) -> Shot:
        broken.set()
        raise ZeroDivisionError("in the driver")

    class BrokenCamera(SimulatedCamera):
        pass

    setattr(BrokenCamera, method, breaks)

    def make() -> SimulatedCamera:
        return SimulatedCamera(device) if broken.is_set() else BrokenCamera(device)

    with ReopeningCamera(make, "S1") as camera:
        with pytest.raises(CameraLostError) as caught:
            camera.apply(CameraSettings())
            camera.check()
            camera.grab(1.0)
        assert caught.value.params["reason"] == "ZeroDivisionError: in the driver"
        wait_for(runs(camera))
        assert camera.grab(1.0).is_complete
