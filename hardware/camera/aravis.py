"""GigE Vision and USB3 Vision cameras through Aravis, for boxes without a maker's GenTL producer.

It needs Debian's ``gir1.2-aravis-0.8`` and PyGObject (``python3-gi``, or ``pip install pygobject``), which release Python's interpreter lock while
they wait.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from types import TracebackType
from typing import Any, Self

import numpy as np

from andon.hardware.camera.features import OLDER_NAMES, check_read_back, features_of
from andon.hardware.camera.pixels import to_rgb
from andon.models.types.camera import (
    CameraLostError,
    CameraSettingError,
    CameraSettings,
    NoFrameError,
    SettingValue,
    Shot,
    TriggerSource,
)

BUFFERS = 4
HARDWARE_LINE = "Line1"
PIXEL_FORMATS: Mapping[int, str] = {
    0x01080001: "Mono8",
    0x01080008: "BayerGR8",
    0x01080009: "BayerRG8",
    0x0108000A: "BayerGB8",
    0x0108000B: "BayerBG8",
    0x02180014: "RGB8",
    0x02180015: "BGR8",
    0x02200016: "RGBa8",
}
"""Names of the codes of the Pixel Format Naming Convention that are taken."""


@dataclass(frozen=True, slots=True)
class _Aravis:
    """The library, which is there only where Debian's packages are."""

    api: Any
    error: type[Exception]


class AravisCamera:
    """A ``Camera`` through Aravis.

    Parameters
    ----------
    device
        Its address, or Aravis's name of it (maker, model or serial number, as ``arv-tool-0.8`` lists them).
    """

    def __init__(self, *, device: str) -> None:
        self._name = device
        self._aravis: _Aravis | None = None
        self._camera: Any = None
        self._stream: Any = None
        self._trigger = TriggerSource.SOFTWARE
        self._gone: list[str] = []

    def __enter__(self) -> Self:
        self._aravis = _load(self._name)
        self._gone.clear()
        with ExitStack() as failing, self._known_errors():
            # Where the set-up fails, a GigE camera is to be free for the next attempt.
            failing.push(self)
            self._camera = self._aravis.api.Camera.new(self._name)
            self._camera.get_device().connect("control-lost", lambda _: self._gone.append("control of it was lost"))
            # By default Aravis writes what is out of range as well.
            self._camera.get_device().set_range_check_policy(self._aravis.api.RangeCheckPolicy.ENABLE)
            self._set_trigger(TriggerSource.SOFTWARE)
            self._start()
            failing.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._aravis is not None and self._camera is not None:
            # A camera that is gone cannot be told to stop.
            with suppress(self._aravis.error):
                self._camera.stop_acquisition()
            self._give_up_control()
        # The last reference closes stream and device; errors that are still looked at may hold one.
        self._stream = self._camera = None

    def apply(self, settings: CameraSettings) -> None:
        """Stop it, since a camera keeps its size while it runs, write settings and read each back."""
        with self._known_errors():
            self._open_camera().stop_acquisition()
            self._stream = None
            try:
                self._set_trigger(settings.trigger, str(settings.features.get("TriggerSource", HARDWARE_LINE)))
                for name, value in features_of(settings).items():
                    self._write(name, value)
            finally:
                self._start()

    def arm(self) -> None:
        """Forget frames that came before."""
        with self._known_errors():
            self._open_camera()
            while (buffer := self._stream.try_pop_buffer()) is not None:
                self._stream.push_buffer(buffer)
        self.check()

    def grab(self, timeout_s: float) -> Shot:
        """Trigger where the software does that, and return the next frame."""
        deadline = monotonic() + timeout_s
        with self._known_errors():
            camera = self._open_camera()
            if self._trigger is TriggerSource.SOFTWARE:
                self.arm()
                camera.software_trigger()
            buffer = self._stream.timeout_pop_buffer(max(0, round((deadline - monotonic()) * 1e6)))
            if buffer is None:
                self.check()
                raise NoFrameError("camera.no_frame", self._name, timeout=timeout_s)
            try:
                return self._shot(buffer)
            finally:
                self._stream.push_buffer(buffer)

    def check(self) -> None:
        """Read a register of the camera."""
        with self._known_errors():
            self._open_camera().get_device().get_integer_feature_value("Width")
        for reason in self._gone:
            raise CameraLostError("camera.lost", self._name, reason=reason)

    def _open_camera(self) -> Any:
        if self._camera is None:
            raise CameraLostError("camera.not_open", self._name)
        return self._camera

    def _give_up_control(self) -> None:
        """Let the next one control a GigE camera at once: it belongs to one program at a time."""
        device = self._camera.get_device()
        with suppress(self._loaded().error):
            if isinstance(device, self._loaded().api.GvDevice):
                device.leave_control()

    def _start(self) -> None:
        camera = self._open_camera()
        self._stream = camera.create_stream(None, None)
        if self._stream is None:
            raise CameraLostError("camera.lost", self._name, reason="it gives no stream")
        payload = camera.get_payload()
        for _ in range(BUFFERS):
            self._stream.push_buffer(self._loaded().api.Buffer.new_allocate(payload))
        camera.start_acquisition()

    def _set_trigger(self, trigger: TriggerSource, line: str = HARDWARE_LINE) -> None:
        self._trigger = trigger
        source = line if trigger is TriggerSource.HARDWARE else "Software"
        try:
            self._open_camera().set_trigger(source)
        except self._loaded().error as error:
            self.check()
            raise self._refused("TriggerSource", source, str(error)) from error

    def _write(self, name: str, value: SettingValue) -> None:
        device = self._open_camera().get_device()
        older = OLDER_NAMES.get(name, name)
        if device.get_feature(name) is None and device.get_feature(older) is not None:
            name = older
        if device.get_feature(name) is None:
            raise CameraSettingError("camera.feature_unknown", self._name, feature=name)
        kind, told = self._kind(device.get_feature(name), value)
        if kind is None:
            raise self._refused(name, value, "a value of its kind")
        try:
            getattr(device, f"set_{kind}_feature_value")(name, told)
        except self._loaded().error as error:
            # A value out of range, or a camera that is gone: only the latter fails when it is read.
            self.check()
            raise self._refused(name, value, str(error)) from error
        check_read_back(self._name, name, told, getattr(device, f"get_{kind}_feature_value")(name))

    def _kind(self, node: Any, value: SettingValue) -> tuple[str | None, SettingValue]:
        """Say by which of Aravis's calls a feature is written, and as what; None where the value is not of its kind."""
        api = self._loaded().api
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        fitting = {
            "boolean": isinstance(node, api.GcBoolean) and isinstance(value, bool),
            "string": isinstance(node, api.GcEnumeration | api.GcString) and isinstance(value, str),
            "integer": isinstance(node, api.GcInteger) and is_number and isinstance(value, int),
            "float": isinstance(node, api.GcFloat) and is_number,
        }
        kind = next((kind for kind, fits in fitting.items() if fits), None)
        return kind, float(value) if kind == "float" else value

    def _refused(self, name: str, value: SettingValue, expected: str) -> CameraSettingError:
        return CameraSettingError(
            "camera.setting_refused", self._name, feature=name, found=repr(value), expected=expected
        )

    def _shot(self, buffer: Any) -> Shot:
        is_complete = buffer.get_status() == self._loaded().api.BufferStatus.SUCCESS
        code = buffer.get_image_pixel_format()
        data = np.frombuffer(buffer.get_data(), dtype=np.uint8)
        width, height = buffer.get_image_width(), buffer.get_image_height()
        frame = to_rgb(data, PIXEL_FORMATS.get(code, f"0x{code:08X}"), width, height, self._name)
        return Shot(frame, buffer.get_frame_id(), datetime.now(UTC), is_complete)

    def _loaded(self) -> _Aravis:
        if self._aravis is None:
            raise CameraLostError("camera.not_open", self._name)
        return self._aravis

    @contextmanager
    def _known_errors(self) -> Iterator[None]:
        try:
            yield
        except self._loaded().error as error:
            raise CameraLostError("camera.lost", self._name, reason=str(error)) from error


def _load(subject: str) -> _Aravis:
    try:
        import gi

        gi.require_version("Aravis", "0.8")
        from gi.repository import Aravis, GLib
    except (ImportError, ValueError) as error:
        raise CameraLostError("camera.missing", subject, package="Aravis", reason=str(error)) from error
    return _Aravis(Aravis, GLib.Error)
