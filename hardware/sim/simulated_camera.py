"""A camera that does not exist: it shows images in turn, takes settings as a real one does, and fails as it is asked to."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from threading import Condition
from time import monotonic, sleep
from types import TracebackType
from typing import Self

import numpy as np

from andon.datasets.synthetic.boards import open_synthetic
from andon.datasets.vision.files import file_sample
from andon.hardware.camera.features import check_read_back, features_of
from andon.models.types.camera import (
    CameraLostError,
    CameraSettingError,
    CameraSettings,
    NoFrameError,
    SettingValue,
    Shot,
    TriggerSource,
)
from andon.models.types.errors import ImageError
from andon.models.types.vision import Frame, ImageSample, Split
from andon.models.vision.decoding import SUFFIXES

SYNTHETIC = "synthetic:"
KEPT_IMAGES = 64
"""Images that are kept ready to be shown: at 320 x 320 pixels they take 20 MB."""
PREPARED = 16
"""Images that are read or drawn when it is opened, and boards that are generated: one takes 50 ms, which a real camera does not."""
NEUTRAL_US = 10_000.0
"""The exposure, at a gain of 0 dB, at which images are shown as bright as they are."""


class FailureKind(StrEnum):
    """What can be asked to go wrong."""

    LOST = "lost"
    """The cable comes out for ``seconds``."""

    HUNG = "hung"
    """The driver does not return for ``seconds``."""

    SLOW = "slow"
    """The frame comes ``seconds`` late."""

    INCOMPLETE = "incomplete"
    """The lower half of the frame does not arrive."""

    NO_FRAME = "no_frame"
    """The exposure yields no frame."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What goes wrong with the exposures ``first`` to ``first + count - 1``; the device's first exposure is number 1."""

    kind: FailureKind
    first: int
    count: int = 1
    seconds: float = 0.0

    def hits(self, number: int) -> bool:
        """Whether it goes wrong with exposure ``number``."""
        return self.first <= number < self.first + self.count


@dataclass(frozen=True, slots=True)
class Register:
    """A number that the camera keeps: from ``least`` to ``most``, as the nearest multiple of ``step`` above ``least``."""

    least: float
    most: float
    step: float

    def kept(self, value: float) -> float:
        """Return what is kept of a value within the range."""
        return self.least + self.step * round((value - self.least) / self.step)


@dataclass(frozen=True, slots=True)
class _Exposed:
    """A frame on its way: it arrives at ``due_s`` of the monotonic clock."""

    number: int
    time: datetime
    due_s: float
    is_complete: bool


class SimulatedDevice:
    """What is at the other end of the cable: it stays the same however often it is opened.

    Parameters
    ----------
    images
        A folder of images, which are shown by name, or ``synthetic:pcb``, generated boards; both again from the start after the last.
    seed
        Of the boards, good and defect: equal seeds show equal frames in the same order.
    frame_s
        How long an exposure takes to arrive.
    failures
        What goes wrong, and when.
    """

    def __init__(
        self,
        *,
        images: str = "synthetic:pcb",
        seed: int = 0,
        frame_s: float = 0.0,
        failures: Iterable[Failure] = (),
    ) -> None:
        self.images = images
        self.frame_s = frame_s
        self._samples = _samples(images, seed)
        self._shown = lru_cache(KEPT_IMAGES)(self._read)
        self._failures = list(failures)
        self._exposures = 0
        self._away_until_s = 0.0
        self._losses = 0
        self._frames: deque[_Exposed] = deque(maxlen=16)
        self.arrived = Condition()

    def sample(self, number: int) -> ImageSample:
        """Return what exposure ``number`` shows, with its label."""
        return self._samples[(number - 1) % len(self._samples)]

    def expose(self) -> None:
        """Interrupt the light barrier: one exposure, whose frame arrives at whoever has the camera open."""
        with self.arrived:
            self._exposures += 1
            number = self._exposures
        sleep(self._seconds(FailureKind.HUNG, number))
        with self.arrived:
            if lost := self._seconds(FailureKind.LOST, number):
                self.lose(lost)
            if self.is_there and not self._fails(FailureKind.NO_FRAME, number):
                due_s = monotonic() + self.frame_s + self._seconds(FailureKind.SLOW, number)
                is_complete = not self._fails(FailureKind.INCOMPLETE, number)
                self._frames.append(_Exposed(number, datetime.now(UTC), due_s, is_complete))
            self.arrived.notify_all()

    def fail(self, failure: Failure) -> None:
        """Let something more go wrong."""
        self._failures.append(failure)

    def lose(self, seconds: float) -> None:
        """Pull the cable out for a while, from now on."""
        with self.arrived:
            self._away_until_s = monotonic() + seconds
            self._losses += 1
            self._frames.clear()
            self.arrived.notify_all()

    @property
    def is_there(self) -> bool:
        """Whether the cable is in."""
        return monotonic() >= self._away_until_s

    @property
    def losses(self) -> int:
        """How often the cable came out."""
        return self._losses

    @property
    def exposures(self) -> int:
        """How often it exposed."""
        return self._exposures

    def picture(self, number: int) -> Frame:
        """Return the image of exposure ``number`` as it is. Raises ``CameraLostError`` where it cannot be read."""
        return self._shown((number - 1) % len(self._samples))

    def prepare(self) -> None:
        """Read or draw the first images. Raises ``CameraLostError`` where one cannot be read."""
        for index in range(min(PREPARED, len(self._samples))):
            self._shown(index)

    def take(self) -> _Exposed | None:
        """Take the oldest frame that has arrived."""
        if self._frames and self._frames[0].due_s <= monotonic():
            return self._frames.popleft()
        return None

    def clear(self) -> None:
        """Forget the frames that are on their way."""
        with self.arrived:
            self._frames.clear()

    def wait_s(self) -> float:
        """Return in how many seconds the next frame arrives; endless where none was exposed."""
        return max(0.0, self._frames[0].due_s - monotonic()) if self._frames else float("inf")

    def _read(self, index: int) -> Frame:
        try:
            return self._samples[index].frame()
        except ImageError as error:
            raise CameraLostError("camera.lost", self.images, reason=str(error)) from error

    def _fails(self, kind: FailureKind, number: int) -> bool:
        return any(each.kind is kind and each.hits(number) for each in self._failures)

    def _seconds(self, kind: FailureKind, number: int) -> float:
        return max((each.seconds for each in self._failures if each.kind is kind and each.hits(number)), default=0.0)


def _samples(images: str, seed: int) -> Sequence[ImageSample]:
    if images.startswith(SYNTHETIC):
        parts = list(open_synthetic(images.removeprefix(SYNTHETIC), seed).samples(Split.TEST))
        np.random.default_rng(seed).shuffle(parts)
        return parts[:PREPARED]
    paths = sorted(path for path in Path(images).glob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise CameraSettingError("camera.no_images", images, known=", ".join(sorted(SUFFIXES)))
    return [file_sample(path, name=path.name, label="", unit=path.stem) for path in paths]


class SimulatedCamera:
    """A ``Camera`` that is connected to a simulated device.

    It keeps exposure (10 us to 1 s in steps of 10 us) and gain (0 to 24 dB in steps of 0.1 dB), which change the brightness, the size in
    multiples of 8 pixels, cut from the middle, and ``ReverseX``.
    """

    def __init__(self, device: SimulatedDevice) -> None:
        self._device = device
        self._trigger = TriggerSource.SOFTWARE
        self._kept: dict[str, SettingValue] = {}
        self._registers: dict[str, Register] = {}
        self._losses: int | None = None
        """How often the cable had come out when it was opened; None while it is not open."""

    def __enter__(self) -> Self:
        self._losses = self._device.losses
        self.check()
        self._device.clear()
        self._device.prepare()
        height, width = self._device.picture(1).shape[:2]
        self._registers = {
            "Width": Register(16, width - width % 8, 8),
            "Height": Register(16, height - height % 8, 8),
            "ExposureTime": Register(10.0, 1e6, 10.0),
            "Gain": Register(0.0, 24.0, 0.1),
        }
        # The device was without power: it begins with what it has by default.
        self._kept = {"Width": width, "Height": height, "ExposureTime": NEUTRAL_US, "Gain": 0.0, "ReverseX": False}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._losses = None

    def apply(self, settings: CameraSettings) -> None:
        """Keep the settings, and read each back."""
        self.check()
        self._trigger = settings.trigger
        for name, value in features_of(settings).items():
            self._write(name, value)
            check_read_back(self._device.images, name, value, self._kept[name])

    def arm(self) -> None:
        """Forget frames that came before."""
        self.check()
        self._device.clear()

    def grab(self, timeout_s: float) -> Shot:
        """Expose where the software triggers, and return the next frame."""
        deadline = monotonic() + timeout_s
        self.check()
        if self._trigger is TriggerSource.SOFTWARE:
            self._device.expose()
        return self._shot(self._next(deadline, timeout_s))

    def check(self) -> None:
        """Ask whether the cable is in."""
        if self._losses is None:
            raise CameraLostError("camera.not_open", self._device.images)
        if self._losses != self._device.losses or not self._device.is_there:
            raise CameraLostError("camera.lost", self._device.images, reason="the simulated cable came out")

    def _next(self, deadline: float, timeout_s: float) -> _Exposed:
        with self._device.arrived:
            while (exposed := self._device.take()) is None:
                self.check()
                left_s = deadline - monotonic()
                if left_s <= 0:
                    raise NoFrameError("camera.no_frame", self._device.images, timeout=timeout_s)
                self._device.arrived.wait(min(left_s, self._device.wait_s()))
            return exposed

    def _shot(self, exposed: _Exposed) -> Shot:
        frame = self._lit(self._cut(self._device.picture(exposed.number)))
        if not exposed.is_complete:
            frame = frame.copy()
            frame[frame.shape[0] // 2 :] = 0
        return Shot(frame, exposed.number, exposed.time, exposed.is_complete)

    def _cut(self, frame: Frame) -> Frame:
        height, width = int(self._kept["Height"]), int(self._kept["Width"])
        top, left = (frame.shape[0] - height) // 2, (frame.shape[1] - width) // 2
        cut = frame[top : top + height, left : left + width]
        return cut[:, ::-1] if self._kept["ReverseX"] else cut

    def _lit(self, frame: Frame) -> Frame:
        factor = float(self._kept["ExposureTime"]) / NEUTRAL_US * 10 ** (float(self._kept["Gain"]) / 20)
        if factor == 1.0:
            return np.ascontiguousarray(frame)
        return (frame.astype(np.float32) * np.float32(factor)).clip(0, 255).astype(np.uint8)

    def _write(self, name: str, value: SettingValue) -> None:
        if name not in self._kept:
            raise CameraSettingError("camera.feature_unknown", self._device.images, feature=name)
        register = self._registers.get(name)
        if register is None or isinstance(value, str):
            self._kept[name] = self._switched(name, value)
            return
        if not register.least <= value <= register.most:
            expected = f"{register.least:g} to {register.most:g}"
            raise CameraSettingError(
                "camera.setting_refused", self._device.images, feature=name, found=str(value), expected=expected
            )
        kept = register.kept(value)
        self._kept[name] = int(kept) if name in ("Width", "Height") else kept

    def _switched(self, name: str, value: SettingValue) -> bool:
        if not isinstance(value, bool) or name in self._registers:
            expected = "a number" if name in self._registers else "true or false"
            raise CameraSettingError(
                "camera.setting_refused", self._device.images, feature=name, found=repr(value), expected=expected
            )
        return value
