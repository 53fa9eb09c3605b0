"""GenICam cameras of any maker, through harvesters and the GenTL producer (``.cti``) that comes with the camera.

The GenTL and GenApi bindings hold Python's interpreter lock while they wait, a lost camera is known to block ``stop`` and ``destroy`` for good
(harvesters 271, 371), and what a camera took is not all given back (399, 454, 502). A producer can also be opened only once in a process.
So ``open_genicam`` runs each camera in a process of its own, which is killed where it does not answer.
"""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event, current_thread, main_thread
from time import monotonic
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
from genicam.genapi import GenericException as FeatureError
from genicam.gentl import GenericException as TransportError
from harvesters.core import Buffer, Callback, Harvester, ImageAcquirer

from andon.hardware.camera.genicam_features import Features
from andon.hardware.camera.pixels import to_rgb
from andon.hardware.camera.process import ProcessCamera
from andon.models.types.camera import CameraLostError, CameraSettings, NoFrameError, Shot, TriggerSource

T = TypeVar("T")
WAITING_S = 0.002
"""How long a frame that has arrived may take to be handed out; harvesters would wait for good with 0."""


def open_genicam(*, producer: str, serial: str = "", name: str = "", model: str = "") -> ProcessCamera:
    """Describe a GenICam camera that runs in a process of its own; see ``GenicamCamera``."""
    make = partial(GenicamCamera, producer=producer, serial=serial, name=name, model=model)
    return ProcessCamera(make, _subject(producer, _wanted(serial, name, model)))


class GenicamCamera:
    """A GenICam camera in this process: a driver that hangs stops all of it, so use ``open_genicam``.

    Where the camera can be triggered by software, ``grab`` does that. One that cannot runs freely: the frame that is on its way when ``grab`` is
    called was exposed before, and is passed over.

    Parameters
    ----------
    producer
        Path of the ``.cti`` file.
    serial, name, model
        Serial number, user-defined name and model: those that are not empty must all agree, and exactly one camera with them.
    """

    def __init__(self, *, producer: str, serial: str = "", name: str = "", model: str = "") -> None:
        self._producer = producer
        self._wanted = _wanted(serial, name, model)
        self._subject = _subject(producer, self._wanted)
        self._harvester: Harvester | None = None
        self._acquirer: ImageAcquirer | None = None
        self._incomplete = Event()
        self._trigger = TriggerSource.SOFTWARE
        self._number = 0

    def __enter__(self) -> Self:
        with ExitStack() as failing:
            failing.push(self)
            with self._known_errors(), _own_signals():
                self._open()
            failing.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for close in (self._acquirer and self._acquirer.destroy, self._harvester and self._harvester.reset):
            # A camera that is gone cannot be told to stop.
            with suppress(TransportError, FeatureError):
                if close:
                    close()
        self._acquirer = self._harvester = None

    def apply(self, settings: CameraSettings) -> None:
        """Stop it, since a camera keeps its size while it runs, write settings and read each back."""
        with self._known_errors():
            acquirer = self._open_acquirer()
            acquirer.stop()
            self._trigger = settings.trigger
            try:
                self._features(acquirer).apply(settings)
            finally:
                # One that refuses a setting is asked for another, and is no broken camera meanwhile.
                acquirer.start()

    def arm(self) -> None:
        """Forget frames that came before."""
        with self._known_errors():
            self._drain(self._open_acquirer())

    def grab(self, timeout_s: float) -> Shot:
        """Trigger where the software does that, and return the next frame."""
        deadline = monotonic() + timeout_s
        with self._known_errors():
            acquirer = self._open_acquirer()
            if self._trigger is TriggerSource.SOFTWARE:
                self._drain(acquirer)
                if not self._features(acquirer).trigger():
                    _give_back(self._next(acquirer, deadline, timeout_s))
            return self._shot(acquirer, self._next(acquirer, deadline, timeout_s))

    def check(self) -> None:
        """Read a register of the camera."""
        with self._known_errors():
            self._features(self._open_acquirer()).check()

    def _open(self) -> None:
        if not Path(self._producer).is_file():
            raise CameraLostError("camera.producer", self._producer, reason="no such file")
        self._harvester = Harvester()
        self._harvester.add_file(self._producer)
        self._harvester.update()
        self._acquirer = self._harvester.create(self._device(self._harvester))
        self._acquirer.add_callback(ImageAcquirer.Events.INCOMPLETE_BUFFER, _Noted(self._incomplete))
        self._features(self._acquirer).prepare()
        self._acquirer.start()

    def _device(self, harvester: Harvester) -> Any:
        """Find the one that is wanted."""
        found = [(device, _described(device)) for device in harvester.device_info_list]
        fitting = [device for device, about in found if self._wanted.items() <= about.items()]
        expected = _listed(self._wanted) or "any name"
        if not fitting:
            named = "; ".join(_listed(about) for _, about in found) or "none"
            raise CameraLostError("camera.not_found", self._producer, found=named, expected=expected)
        if len(fitting) > 1:
            named = "; ".join(_listed(_described(device)) for device in fitting)
            raise CameraLostError("camera.ambiguous", self._producer, found=named, expected=expected)
        return fitting[0]

    def _open_acquirer(self) -> ImageAcquirer:
        if self._acquirer is None:
            raise CameraLostError("camera.not_open", self._subject)
        return self._acquirer

    def _features(self, acquirer: ImageAcquirer) -> Features:
        return Features(acquirer.remote_device.node_map, self._subject)

    def _drain(self, acquirer: ImageAcquirer) -> None:
        """Give all frames back that are there."""
        for _ in range(2 * acquirer.num_buffers):
            buffer = self._fetch(acquirer, WAITING_S)
            if buffer is None and not self._incomplete.is_set():
                return
            _give_back(buffer)

    def _next(self, acquirer: ImageAcquirer, deadline: float, timeout_s: float) -> Buffer | None:
        """Wait for the next frame; None where a part of it is missing."""
        while (left_s := deadline - monotonic()) > 0:
            buffer = self._fetch(acquirer, left_s)
            if buffer is not None or self._incomplete.is_set():
                return buffer
        raise NoFrameError("camera.no_frame", self._subject, timeout=timeout_s)

    def _fetch(self, acquirer: ImageAcquirer, timeout_s: float) -> Buffer | None:
        """Fetch a frame; one of which a part is missing harvesters gives back by itself, and only says so."""
        self._incomplete.clear()
        buffer = acquirer.try_fetch(timeout=timeout_s)
        self._number += buffer is not None or self._incomplete.is_set()
        return buffer

    def _shot(self, acquirer: ImageAcquirer, buffer: Buffer | None) -> Shot:
        time = datetime.now(UTC)
        if buffer is None:
            features = self._features(acquirer)
            black = np.zeros((features.number("Height"), features.number("Width"), 3), np.uint8)
            return Shot(black, self._number, time, is_complete=False)
        with buffer:
            number = _told(lambda: int(buffer.module.frame_id), self._number)
            part = buffer.payload.components[0]
            if part is None:
                raise CameraLostError("camera.lost", self._subject, reason="a frame without an image")
            data = np.asarray(part.data).view(np.uint8)
            return Shot(to_rgb(data, part.data_format, part.width, part.height, self._subject), number, time)

    @contextmanager
    def _known_errors(self) -> Iterator[None]:
        try:
            yield
        except (TransportError, FeatureError) as error:
            raise CameraLostError("camera.lost", self._subject, reason=" ".join(str(error).split())) from error


class _Noted(Callback):  # type: ignore[misc]
    """Notes that an incomplete frame came."""

    def __init__(self, noted: Event) -> None:
        self._noted = noted

    def emit(self, context: ImageAcquirer | None = None) -> None:
        """Take note."""
        self._noted.set()


def _give_back(buffer: Buffer | None) -> None:
    """Let the camera fill it again."""
    if buffer is not None:
        buffer.queue()


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the handler of Ctrl-C, in whose place harvesters puts one that stops nothing but itself."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if current_thread() is main_thread():
            signal.signal(signal.SIGINT, handler)


def _wanted(serial: str, name: str, model: str) -> Mapping[str, str]:
    asked = {"serial": serial, "name": name, "model": model}
    return {key: value for key, value in asked.items() if value}


def _subject(producer: str, wanted: Mapping[str, str]) -> str:
    return _listed(wanted) or Path(producer).name


def _described(device: Any) -> Mapping[str, str]:
    return {
        "serial": _told(lambda: device.serial_number or "", ""),
        "name": _told(lambda: device.user_defined_name or "", ""),
        "model": _told(lambda: device.model or "", ""),
    }


def _listed(about: Mapping[str, str]) -> str:
    return ", ".join(f"{key} {value}" for key, value in about.items() if value)


def _told(ask: Callable[[], T], otherwise: T) -> T:
    """Ask a producer for what it need not know."""
    try:
        return ask()
    except TransportError:
        return otherwise
