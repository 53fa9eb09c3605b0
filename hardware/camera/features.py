"""Settings as features of a camera, by the names of GenICam's Standard Features Naming Convention (SFNC 2.7)."""

from collections.abc import Mapping
from math import isclose

from andon.models.types.camera import CameraSettingError, CameraSettings, SettingValue

FLOAT32_SHARE = 1e-6
"""By what share a number changes at most where a camera keeps it in single precision: that is no other value."""

OLDER_NAMES = {"ExposureTime": "ExposureTimeAbs"}
"""What SFNC 1 called features of the same unit. Its ``GainRaw`` has none, and is set by name among the recipe's features."""


def features_of(settings: CameraSettings) -> Mapping[str, SettingValue]:
    """Name what the settings ask for, in the order in which it is to be written: the size first, since exposure may depend on it.

    >>> dict(features_of(CameraSettings(gain_db=6.0, width_px=640, features={"ReverseX": True})))
    {'Width': 640, 'Gain': 6.0, 'ReverseX': True}
    """
    asked: dict[str, SettingValue | None] = {
        "Width": settings.width_px,
        "Height": settings.height_px,
        "ExposureTime": settings.exposure_us,
        "Gain": settings.gain_db,
    }
    return {name: value for name, value in asked.items() if value is not None} | dict(settings.features)


def check_read_back(subject: str, feature: str, expected: SettingValue, found: SettingValue) -> None:
    """Hold what a camera says of a feature against what it was told.

    Raises
    ------
    CameraSettingError
        It took another value, such as the nearest that it can.
    """
    if not _same(expected, found):
        raise CameraSettingError(
            "camera.setting_differs", subject, feature=feature, found=str(found), expected=str(expected)
        )


def _same(expected: SettingValue, found: SettingValue) -> bool:
    if isinstance(expected, float) and isinstance(found, int | float):
        return isclose(expected, found, rel_tol=FLOAT32_SHARE, abs_tol=FLOAT32_SHARE)
    return expected == found
