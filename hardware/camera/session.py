"""One camera, opened once, on a thread of its own: whoever asks for something waits no longer than they said."""

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import monotonic
from types import TracebackType
from typing import Any, Generic, TypeVar

from andon.models.types.camera import Camera, CameraLostError, CameraSettingError, CameraSettings, NoFrameError
from andon.models.types.errors import AndonError

T = TypeVar("T")
CLOSE = None
"""The job that ends a session."""
_HARMLESS = (CameraSettingError, NoFrameError)
"""What leaves a camera as good as it was."""


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
    """Something asked of the camera; ``given_s`` is after how long the driver should have returned by itself."""

    call: Callable[[Camera], T]
    given_s: float
    result: "Future[T]"

    def run(self, camera: Camera) -> None:
        """Do it where it is still wanted; what went wrong is told to whoever asked, and rises where the camera is no longer good."""
        if self.result.set_running_or_notify_cancel():
            with ExitStack() as telling:
                telling.push(self._tell)
                self.result.set_result(self.call(camera))

    def _tell(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        if error is not None:
            self.result.set_exception(error)
        return isinstance(error, _HARMLESS)


class Session:
    """A camera from opening to loss, which its thread's end is.

    Whatever a driver raises ends the thread: the camera cannot be trusted any more. What no camera is to raise also leaves its trace on stderr,
    as any thread does.

    Parameters
    ----------
    make
        Makes the camera.
    settings
        Tells what to apply once it is open. It is asked again after ``is_ready`` is true: whoever changes the settings while that is false has
        them applied all the same.
    """

    def __init__(
        self,
        make: Callable[[], Camera],
        settings: Callable[[], CameraSettings | None],
        subject: str,
        watch: Watch,
    ) -> None:
        self._make = make
        self._settings = settings
        self._applied: CameraSettings | None = None
        self._subject = subject
        self._watch = watch
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._overdue_s = monotonic() + watch.open_s
        self._was_ready = False
        self._is_over = False
        self.error: CameraLostError | None = None
        """Why it is over; None as well where it was closed."""
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

    def ask(self, call: Callable[[Camera], T], given_s: float, wait_s: float) -> T:
        """Have something done to the camera.

        Parameters
        ----------
        given_s
            After how long the driver should have returned by itself; ``hang_s`` later it counts as hung.
        wait_s
            How long to wait here.

        Raises
        ------
        TimeoutError
            It was not done in time; where it had not begun it never is.
        CameraLostError, NoFrameError, CameraSettingError
            What the camera raised.
        """
        job: _Job[T] = _Job(call, given_s, Future())
        self._jobs.put(job)
        if self._is_over:
            # It may have ended between the two lines above, and then nobody looks at its jobs any more.
            self._drop_jobs()
        try:
            error = job.result.exception(wait_s)
        except TimeoutError:
            job.result.cancel()
            raise
        except CancelledError:
            raise self.error or self._lost("closed") from None
        if error is None:
            return job.result.result()
        raise error if isinstance(error, _HARMLESS) else self._loss(error)

    def end(self) -> None:
        """Ask it to close the camera, without waiting for that."""
        self._is_over = True
        self._jobs.put(CLOSE)

    def abandon(self) -> None:
        """Give a thread up that hangs, and what waits for it; should it return one day, it closes its camera."""
        self.error = self.error or CameraLostError("camera.hung", self._subject, limit=self._watch.hang_s)
        self._is_over = True
        self._drop_jobs()

    def join(self, timeout_s: float) -> None:
        """Wait until it has closed the camera, or for as long as is said."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        with ExitStack() as running:
            running.push(self._conclude)
            camera = running.enter_context(self._make())
            # Nobody is to wait until it is closed, which takes a while where it is gone.
            running.push(self._conclude)
            self._set_up(camera)
            self._serve(camera)

    def _conclude(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        if error is not None:
            self.error = self.error or self._loss(error)
        self._is_over = True
        self.changed.set()
        self._drop_jobs()
        return isinstance(error, CameraLostError)

    def _set_up(self, camera: Camera) -> None:
        self._apply(camera)
        self._was_ready = True
        self._apply(camera)
        self.changed.set()

    def _apply(self, camera: Camera) -> None:
        """Apply the settings unless it has them."""
        settings = self._settings()
        if settings is None or settings is self._applied:
            return
        try:
            camera.apply(settings)
        except CameraSettingError as error:
            raise CameraLostError("camera.settings_refused", self._subject, reason=_words(error)) from error
        self._applied = settings

    def _serve(self, camera: Camera) -> None:
        while not self._is_over:
            self._overdue_s = float("inf")
            try:
                job = self._jobs.get(timeout=self._watch.check_s)
            except Empty:
                self._allow(0.0)
                camera.check()
                continue
            if job is not CLOSE:
                self._allow(job.given_s)
                job.run(camera)
        self._allow(0.0)

    def _allow(self, given_s: float) -> None:
        """Note by when the driver must have returned."""
        self._overdue_s = monotonic() + given_s + self._watch.hang_s

    def _drop_jobs(self) -> None:
        with suppress(Empty):
            while True:
                job = self._jobs.get_nowait()
                if job is not CLOSE:
                    job.result.cancel()

    def _loss(self, error: BaseException) -> CameraLostError:
        if isinstance(error, CameraLostError):
            return error
        lost = self._lost(f"{type(error).__name__}: {error}")
        lost.__cause__ = error
        return lost

    def _lost(self, reason: str) -> CameraLostError:
        return CameraLostError("camera.lost", self._subject, reason=reason)


def _words(error: AndonError) -> str:
    return ", ".join(str(value) for name, value in error.params.items() if name != "subject")
