"""USB cameras (Video4Linux), network streams (RTSP, MPEG-TS) and video files, through PyAV."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Condition, Event, Thread
from time import monotonic
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError

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

LIVE: Mapping[str, str] = {"fflags": "nobuffer", "analyzeduration": "500000", "rtsp_transport": "tcp"}
"""What FFmpeg is told of every stream: hold nothing back, look at half a second of it at most, and lose no packet of RTSP."""


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A frame that was decoded, when that was by the monotonic clock and by the box's, and how many there have been."""

    picture: av.VideoFrame
    at_s: float
    time: datetime
    number: int


class StreamCamera:
    """A ``Camera`` over a stream that runs by itself: a thread reads it and keeps the newest frame.

    ``grab`` returns the first frame that arrives after it was called. A stream that ends, or from which nothing comes for ``timeout_s``, is lost.

    Parameters
    ----------
    url
        Such as ``rtsp://10.0.0.5/stream``, ``tcp://10.0.0.5:9000``, ``/dev/video0`` or the path of a file, which is played at its own pace.
    format
        FFmpeg's name of the format where the address does not tell it: ``v4l2`` for USB cameras, ``mpegts``.
    timeout_s
        How long opening may take, and how long no frame may come; below 2 s a loss is noticed in time.
    latency_s
        How long a frame travels: those that arrive earlier than this after ``grab`` was called were exposed before, and are passed over.
    options
        FFmpeg's own options, such as ``{"video_size": "1280x720", "framerate": "30"}``.
    """

    def __init__(
        self,
        *,
        url: str,
        format: str = "",  # noqa: A002
        timeout_s: float = 1.5,
        latency_s: float = 0.0,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self._url = url
        self._format = format or None
        self._timeout_s = timeout_s
        self._latency_s = latency_s
        self._options = {**LIVE, **(options or {})}
        self._changed = Condition()
        self._stopping = Event()
        self._newest: _Arrived | None = None
        self._heard_s = 0.0
        self._ended = "it is not open"
        self._thread: Thread | None = None
        self._size: dict[str, SettingValue] = {}

    def __enter__(self) -> Self:
        container = self._open()
        self._stopping.clear()
        self._ended, self._newest, self._heard_s = "", None, monotonic()
        self._thread = Thread(target=self._read, args=(container,), name=f"stream {self._url}", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        if self._thread is not None:
            # It looks after each frame, and waits for none longer than the timeout.
            self._thread.join(self._timeout_s + 0.5)

    def apply(self, settings: CameraSettings) -> None:
        """Hold the stream's size against what is asked for; there is nothing else that can be set."""
        self.check()
        if settings.trigger is TriggerSource.HARDWARE:
            raise CameraSettingError("camera.no_trigger", self._url, feature="TriggerMode")
        for name, value in features_of(settings).items():
            if name not in self._size:
                raise CameraSettingError("camera.feature_unknown", self._url, feature=name)
            check_read_back(self._url, name, value, self._size[name])

    def arm(self) -> None:
        """Forget the newest frame."""
        self.check()
        self._newest = None

    def grab(self, timeout_s: float) -> Shot:
        """Return the first frame that was exposed from now on."""
        asked_s = monotonic()
        deadline, after_s = asked_s + timeout_s, asked_s + self._latency_s
        with self._changed:
            while (newest := self._newest) is None or newest.at_s < after_s:
                self.check()
                if (left_s := deadline - monotonic()) <= 0:
                    raise NoFrameError("camera.no_frame", self._url, timeout=timeout_s)
                self._changed.wait(min(left_s, self._timeout_s / 4))
        frame = newest.picture.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
        return Shot(frame, newest.number, newest.time, is_complete=not newest.picture.is_corrupt)

    def check(self) -> None:
        """Look whether frames still come."""
        reason = self._ended
        if not reason and monotonic() - self._heard_s > self._timeout_s:
            reason = f"nothing came for {self._timeout_s} s"
        if reason:
            raise CameraLostError("camera.lost", self._url, reason=reason)

    def _open(self) -> InputContainer:
        try:
            container = av.open(self._url, format=self._format, options=self._options, timeout=self._timeout_s)
        except (FFmpegError, OSError, ValueError) as error:
            raise self._lost(str(error)) from error
        if not container.streams.video:
            container.close()
            raise self._lost("there is no video in it")
        stream = container.streams.video[0]
        # Threads that decode a frame each would hold back as many frames.
        stream.thread_type = "SLICE"
        self._size = {"Width": stream.width, "Height": stream.height}
        return container

    def _read(self, container: InputContainer) -> None:
        ended = "what reads it has ended"
        try:
            with container:
                for number, picture in enumerate(self._pictures(container), 1):
                    self._keep(_Arrived(picture, monotonic(), datetime.now(UTC), number))
                    if self._stopping.is_set():
                        break
            ended = "it was closed" if self._stopping.is_set() else "the stream ended"
        except (FFmpegError, OSError) as error:
            ended = str(error)
        finally:
            with self._changed:
                self._ended = ended
                self._changed.notify_all()

    def _keep(self, arrived: _Arrived) -> None:
        with self._changed:
            self._newest, self._heard_s = arrived, arrived.at_s
            self._changed.notify_all()

    def _pictures(self, container: InputContainer) -> Iterator[av.VideoFrame]:
        pictures = container.decode(video=0)
        return self._paced(pictures) if Path(self._url).is_file() else pictures

    def _paced(self, pictures: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """Hold each frame of a file back until it is due."""
        start_s = monotonic()
        for picture in pictures:
            self._stopping.wait(max(0.0, start_s + (picture.time or 0.0) - monotonic()))
            yield picture

    def _lost(self, reason: str) -> CameraLostError:
        return CameraLostError("camera.lost", self._url, reason=reason)
