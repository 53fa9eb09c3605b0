"""Features of a GenICam camera: settings written and read back, and the trigger."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from genicam.genapi import (
    EAccessMode,
    GenericException,
    IBoolean,
    ICommand,
    IEnumeration,
    IFloat,
    IInteger,
    IString,
    NodeMap,
)

from andon.hardware.camera.features import OLDER_NAMES, check_read_back, features_of
from andon.models.types.camera import CameraSettingError, CameraSettings, SettingValue, TriggerSource

HARDWARE_LINE = "Line1"
"""The input that triggers where the recipe's features name no other ``TriggerSource``; SFNC numbers lines from 0 or 1, and cameras have it."""
_WRITABLE = (EAccessMode.RW, EAccessMode.WO)
_READABLE = (EAccessMode.RW, EAccessMode.RO)
_AUTOMATIC = {"ExposureTime": "ExposureAuto", "Gain": "GainAuto"}


@dataclass(frozen=True, slots=True)
class Features:
    """A camera's features by name; what GenApi raises beyond what is said here means that the camera does not answer."""

    nodes: NodeMap
    subject: str

    def prepare(self) -> None:
        """Let it deliver frame after frame, one for each trigger by software where it can be triggered so."""
        self._write_where("AcquisitionMode", "Continuous")
        self._set_trigger(TriggerSource.SOFTWARE)

    def apply(self, settings: CameraSettings) -> None:
        """Write settings and read each back: the trigger first, the recipe's own features last.

        Raises
        ------
        CameraSettingError
            The camera has no such feature, refuses the value, or took another one.
        """
        self._set_trigger(settings.trigger, str(settings.features.get("TriggerSource", HARDWARE_LINE)))
        for name, value in features_of(settings).items():
            if name in _AUTOMATIC and _AUTOMATIC[name] not in settings.features:
                # What regulates itself would not stay at what was read back.
                self._write_where(_AUTOMATIC[name], "Off")
            self._write(name, value)

    def trigger(self) -> bool:
        """Trigger by software; return whether the camera can."""
        if not self._has("TriggerSoftware"):
            return False
        self._node("TriggerSoftware").execute()
        return True

    def check(self) -> None:
        """Read the frame's width from the camera itself, whatever was kept of it here."""
        self._node("Width").get_value(True, True)

    def number(self, name: str) -> int:
        """Read a whole number."""
        return int(self._node(name).value)

    def _set_trigger(self, trigger: TriggerSource, line: str = HARDWARE_LINE) -> None:
        self._write_where("TriggerSelector", "FrameStart")
        is_hardware = trigger is TriggerSource.HARDWARE
        if is_hardware:
            for name in ("TriggerMode", "TriggerSource"):
                if not self._has(name):
                    raise CameraSettingError("camera.no_trigger", self.subject, feature=name)
        elif not self._has("TriggerSoftware"):
            return
        self._write("TriggerMode", "On")
        self._write("TriggerSource", line if is_hardware else "Software")

    def _has(self, name: str) -> bool:
        """Whether the camera has a feature that can be written at present."""
        return bool(self.nodes.has_node(name)) and self._node(name).get_access_mode() in _WRITABLE

    def _node(self, name: str) -> Any:
        return self.nodes.get_node(name)

    def _write_where(self, name: str, value: SettingValue) -> None:
        """Write a feature that not every camera has."""
        if self._has(name):
            self._write(name, value)

    def _write(self, name: str, value: SettingValue) -> None:
        older = OLDER_NAMES.get(name, name)
        if not self.nodes.has_node(name) and self.nodes.has_node(older):
            name = older
        if not self.nodes.has_node(name) or isinstance(self._node(name), ICommand):
            raise CameraSettingError("camera.feature_unknown", self.subject, feature=name)
        node = self._node(name)
        convert = next((each for kind, each in _CONVERTED.items() if isinstance(node, kind)), None)
        if convert is None or (told := convert(value)) is None or node.get_access_mode() not in _WRITABLE:
            raise self._refused(name, value, node)
        try:
            node.value = told
        except GenericException as error:
            # A value out of range, or a camera that is gone: only the latter fails when it is read.
            self.check()
            raise self._refused(name, value, node) from error
        if node.get_access_mode() in _READABLE:
            check_read_back(self.subject, name, told, node.value)

    def _refused(self, name: str, value: SettingValue, node: Any) -> CameraSettingError:
        return CameraSettingError(
            "camera.setting_refused", self.subject, feature=name, found=repr(value), expected=_expected(node)
        )


def _expected(node: Any) -> str:
    """Say what a feature takes."""
    if node.get_access_mode() not in _WRITABLE:
        return "no other value, it cannot be written now"
    if isinstance(node, IEnumeration):
        return ", ".join(node.symbolics)
    if isinstance(node, IInteger):
        return f"{node.min} to {node.max} in steps of {node.inc}"
    if isinstance(node, IFloat):
        return f"{node.min:g} to {node.max:g}"
    return "true or false" if isinstance(node, IBoolean) else "a text"


def _whole(value: SettingValue) -> SettingValue | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _real(value: SettingValue) -> SettingValue | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _switch(value: SettingValue) -> SettingValue | None:
    return value if isinstance(value, bool) else None


def _text(value: SettingValue) -> SettingValue | None:
    return value if isinstance(value, str) else None


_CONVERTED: Mapping[type, Callable[[SettingValue], SettingValue | None]] = {
    IInteger: _whole,
    IFloat: _real,
    IBoolean: _switch,
    IEnumeration: _text,
    IString: _text,
}
