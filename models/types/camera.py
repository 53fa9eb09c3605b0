"""What an industrial camera takes and gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import TracebackType
from typing import Protocol, Self

from andon.models.types.errors import InputError, ResourceError
from andon.models.types.vision import Frame

SettingValue = bool | int | float | str


class TriggerSource(StrEnum):
    """What makes the camera expose."""

    SOFTWARE = "software"
    """``Camera.grab`` does."""

    HARDWARE = "hardware"
    """A line of the camera does, which the PLC or a light barrier drives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSettings:
    """What a recipe asks of a camera; None leaves a setting as it is.

    ``features`` are the camera's own settings by name, which come last: those of GenICam's Standard Features Naming Convention where it is
    a GenICam camera.
    """

    trigger: TriggerSource = TriggerSource.SOFTWARE
    exposure_us: float | None = None
    gain_db: float | None = None
    width_px: int | None = None
    height_px: int | None = None
    features: Mapping[str, SettingValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One exposure.

    Parameters
    ----------
    frame
        ``[height, width, 3]``, uint8, RGB; where ``is_complete`` is false, what is missing is undefined.
    number
        The camera's own count of its frames, or the driver's where the camera has none; one that is skipped was lost.
    time
        When it was exposed by the box's clock, in UTC, as well as that is known.
    is_complete
        Whether all of it arrived.
    """

    frame: Frame
    number: int
    time: datetime
    is_complete: bool = True


class CameraSettingError(InputError):
    """The camera has no such setting, refuses the value, or took another one than it was given."""


class CameraLostError(ResourceError):
    """The camera cannot be found or does not answer; it has to be opened anew."""


class NoFrameError(ResourceError):
    """The camera answers but no frame came in time: nothing triggered it, or it is too slow."""


class Camera(Protocol):
    """A camera, or what stands in for one; open while it is used in a ``with`` statement.

    Used by one thread at a time. A camera that was lost stays so until it is opened anew.
    """

    def __enter__(self) -> Self:
        """Open it. Raises ``CameraLostError``."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it; never raises."""

    def apply(self, settings: CameraSettings) -> None:
        """Apply settings, and read each back.

        Raises
        ------
        CameraSettingError
            One is unknown, is refused, or reads back as another value; it is named with what was found and expected.
        CameraLostError
            The camera does not answer.
        """

    def check(self) -> None:
        """Return at once where the camera answers; frames that wait are left alone. Raises ``CameraLostError``."""

    def arm(self) -> None:
        """Forget frames that came before: the next one belongs to the next part. Raises ``CameraLostError``."""

    def grab(self, timeout_s: float) -> Shot:
        """Trigger where the software does that, and return the next frame, complete or not.

        Raises
        ------
        NoFrameError
            None came in time.
        CameraSettingError
            It sends its frames in a form that is not taken, such as another pixel format.
        CameraLostError
            The camera does not answer.
        """
