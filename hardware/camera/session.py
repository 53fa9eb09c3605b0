"""One camera, opened once, on a thread of its own: whoever asks for something waits no longer than they said."""

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import monotonic
from typing import Any, Generic, TypeVar

from andon.models.types.camera import Camera, CameraLostError, CameraSettingError, CameraSettings, NoFrameError
from andon.models.types.errors import AndonError

T = TypeVar("T")
CLOSE = None
"""The job that ends a session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """How closely a camera is watched.

    Parameters
    ----------
    check_s
        How often it is asked whether it answers while nothing else is asked of it.
    hang_s
        How long the driver may take beyond the time it was given before it counts as hung. With ``check_s`` it makes less than 2 s.
    open_s
        How long it may take to open it and set it up, or to apply settings.
    first_pause_s, longest_pause_s
        Between two attempts to open it: the first, doubled each time up to the longest.
    most_hung
        Calls that may hang at one time: as many threads are lost.
    """

    check_s: float = 0.4
    hang_s: float = 1.0
    open_s: float = 5.0
    first_pause_s: float = 0.1
    longest_pause_s: float = 1.0
    most_hung: int = 3


@dataclass(frozen=True, slots=True)
class _Job(Generic[T]):
    """Something asked of the camera; ``limit_s`` is when the driver should have returned by itself."""

    call: Callable[[Camera], T]
    limit_s: float
    result: "Future[T]"

    def run(self, camera: Camera, subject: str) -> None:
        """Do it where it is still wanted; what went wrong is told to whoever asked, and raised where the camera is no longer good."""
        if not self.result.set_running_or_notify_cancel():
            return
        try:
            self.result.set_result(self.call(camera))
        except (CameraSettingError, NoFrameError) as error:
            self.result.set_exception(error)
        except CameraLostError as error:
            self.result.set_exception(error)
            raise
        except Exception as error:
            # Whatever a driver may raise: the camera cannot be trusted any more, and is opened anew.
            lost = CameraLostError("camera.lost", subject, reason=f"{type(error).__name__}: {error}")
            self.result.set_exception(lost)
            raise lost from error


class Session:
    """A camera from opening to loss.

    ``is_ready`` once it is open and set up; ``ended`` once it is over, with ``error`` where the camera was lost.
    """

    def __init__(self, make: Callable[[], Camera], settings: CameraSettings | None, subject: str, watch: Watch) -> None:
        self._make = make
        self._settings = settings
        self._subject = subject
        self._watch = watch
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._overdue_s = monotonic() + watch.open_s
        self._was_ready = False
        self._is_over = False
        self.error: CameraLostError | None = None
        self.changed = Event()
        """Set once the camera is ready, or could not be opened."""
        # A driver that hangs must not keep the program from ending.
        self._thread = Thread(target=self._run, name=f"camera {subject}", daemon=True)
        self._thread.start()

    @property
    def is_ready(self) -> bool:
        """Whether the camera is open and set up."""
        return self._was_ready and not self._is_over

    @property
    def was_ready(self) -> bool:
        """Whether the camera has ever been open and set up."""
        return self._was_ready

    @property
    def is_alive(self) -> bool:
        """Whether its thread still runs."""
        return self._thread.is_alive()

    @property
    def is_overdue(self) -> bool:
        """Whether the driver has hung for longer than it may."""
        return self.is_alive and monotonic() > self._overdue_s

    def ask(self, call: Callable[[Camera], T], timeout_s: float) -> T:
        """Have something done to the camera.

        Raises
        ------
        TimeoutError
            It was not done in time; where it had not begun it never is.
        CameraLostError, NoFrameError, CameraSettingError
            What the camera raised.
        """
        job: _Job[T] = _Job(call, timeout_s, Future())
        self._jobs.put(job)
        if self._is_over:
            # It may have ended between the two lines above, and then nobody looks at its jobs any more.
            self._drop_jobs()
        try:
            return job.result.result(timeout_s)
        except TimeoutError:
            job.result.cancel()
            raise
        except CancelledError:
            raise self.error or self._lost("closed") from None

    def end(self) -> None:
        """Ask it to close the camera, without waiting for that."""
        self._is_over = True
        self._jobs.put(CLOSE)

    def abandon(self) -> CameraLostError:
        """Give a thread up that hangs; should it return one day, it closes its camera."""
        self.error = CameraLostError("camera.hung", self._subject, limit=self._watch.hang_s)
        self.end()
        return self.error

    def join(self, timeout_s: float) -> None:
        """Wait until it has closed the camera, or for as long as is said."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            with self._make() as camera:
                self._set_up(camera)
                self._serve(camera)
        except CameraLostError as error:
            self.error = self.error or error
        except Exception as error:  # noqa: BLE001
            self.error = self.error or self._lost(f"{type(error).__name__}: {error}")
        self._is_over = True
        self.changed.set()
        self._drop_jobs()

    def _set_up(self, camera: Camera) -> None:
        if self._settings is not None:
            try:
                camera.apply(self._settings)
            except CameraSettingError as error:
                raise CameraLostError("camera.settings_refused", self._subject, reason=_words(error)) from error
        self._was_ready = True
        self.changed.set()

    def _serve(self, camera: Camera) -> None:
        while not self._is_over:
            self._overdue_s = float("inf")
            try:
                job = self._jobs.get(timeout=self._watch.check_s)
            except Empty:
                with self._bounded(0.0):
                    camera.check()
                continue
            if job is not CLOSE:
                with self._bounded(job.limit_s):
                    job.run(camera, self._subject)
        self._overdue_s = monotonic() + self._watch.hang_s

    @contextmanager
    def _bounded(self, limit_s: float) -> Iterator[None]:
        self._overdue_s = monotonic() + limit_s + self._watch.hang_s
        yield

    def _drop_jobs(self) -> None:
        with suppress(Empty):
            while True:
                job = self._jobs.get_nowait()
                if job is not CLOSE:
                    job.result.cancel()

    def _lost(self, reason: str) -> CameraLostError:
        return CameraLostError("camera.lost", self._subject, reason=reason)


def _words(error: AndonError) -> str:
    return ", ".join(str(value) for name, value in error.params.items() if name != "subject")
