"""The watchdog: a camera that is opened anew when it was lost, and whose driver cannot block its caller."""

import logging
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from time import monotonic
from types import TracebackType
from typing import Self, TypeVar

from andon.hardware.camera.session import Session, Watch
from andon.models.types.camera import (
    Camera,
    CameraLostError,
    CameraSettingError,
    CameraSettings,
    NoFrameError,
    Shot,
    TriggerSource,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")
SUPERVISION_S = 0.05
"""How often the sessions are looked at; it costs a few microseconds."""
GRAB_SHARE = 0.9
"""How much of a grab's time the driver is given, so that what it says can be passed on in time."""


class ReopeningCamera:
    """A ``Camera`` around others: it opens one, watches it, and opens another when that one is lost.

    A loss is noticed within 2 s: the camera is asked at least twice a second where nothing else is asked of it, and a driver that hangs is
    given up. From then on every call raises ``CameraLostError`` at once, until another one was opened in the background and has taken the
    settings that were applied last. No call waits longer than its time, whatever the driver does.

    A camera that was lost and opened anew between ``arm`` and ``grab`` may have missed the part's trigger: that ``grab`` raises
    ``CameraLostError``, lest the next part's frame be taken for this one's.

    Drivers that hold Python's interpreter lock while they wait stop the whole program when they hang: run those in a process of their
    own (``ProcessCamera``).

    Parameters
    ----------
    make
        Makes a camera that is not open yet; each is opened once.
    subject
        What errors call it.
    """

    def __init__(self, make: Callable[[], Camera], subject: str, watch: Watch | None = None) -> None:
        self._make = make
        self._subject = subject
        self._watch = watch or Watch()
        self._settings: CameraSettings | None = None
        self._session: Session | None = None
        self._armed: Session | None = None
        self._hung: list[Session] = []
        self._error: CameraLostError | None = None
        self._stopping = Event()
        self._supervisor: Thread | None = None

    def __enter__(self) -> Self:
        """Begin to open it, and wait for the first attempt. A camera that is away is no error: it is opened once it is there."""
        self._stopping.clear()
        first = self._session = self._open()
        self._supervisor = Thread(target=self._supervise, name=f"watchdog {self._subject}", daemon=True)
        self._supervisor.start()
        first.changed.wait(self._watch.open_s)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        if self._supervisor is not None:
            self._supervisor.join()
        if self._session is not None:
            self._session.end()
            self._session.join(self._watch.hang_s)
        self._session = self._error = None

    @property
    def lost(self) -> CameraLostError | None:
        """Why it cannot be used; None while it can."""
        session = self._session
        if session is not None and session.is_ready:
            return None
        return (session and session.error) or self._error or CameraLostError("camera.not_open", self._subject)

    def apply(self, settings: CameraSettings) -> None:
        """Apply settings, now and whenever it is opened anew, unless the camera refuses them.

        While the camera is lost ``CameraLostError`` is raised, and they are applied once it is there.
        """
        # Whoever sets it up meanwhile is to find them.
        former, self._settings = self._settings, settings
        try:
            self._ask(self._session, lambda camera: camera.apply(settings), self._watch.open_s - self._watch.hang_s)
        except CameraSettingError:
            self._settings = former
            raise

    def arm(self) -> None:
        """Forget frames that came before."""
        self._armed = None
        session = self._session
        self._ask(session, lambda camera: camera.arm())
        self._armed = session

    def grab(self, timeout_s: float) -> Shot:
        """Return the next frame."""
        session, armed = self._session, self._armed
        if armed is not None and armed is not session:
            self._armed = None
            raise CameraLostError("camera.lost_since_armed", self._subject)
        deadline = monotonic() + timeout_s
        while True:
            slice_s = self._slice_s(deadline)
            try:
                return self._grab(session, slice_s, deadline)
            except (NoFrameError, TimeoutError) as error:
                if monotonic() + slice_s * (1 - GRAB_SHARE) >= deadline:
                    raise NoFrameError("camera.no_frame", self._subject, timeout=timeout_s) from error
            with suppress(TimeoutError):
                # A driver that hangs is given up by the watchdog; the time of the grab ends all the same.
                self._wait(session, lambda camera: camera.check(), 0.0, deadline)

    def check(self) -> None:
        """Ask the camera whether it answers."""
        self._ask(self._session, lambda camera: camera.check())

    def _slice_s(self, deadline: float) -> float:
        """Return for how long to wait for a frame at a time: while the software does not trigger, the camera is asked in between."""
        left_s = max(0.0, deadline - monotonic())
        is_hardware = self._settings is not None and self._settings.trigger is TriggerSource.HARDWARE
        return min(left_s, self._watch.check_s) if is_hardware else left_s

    def _grab(self, session: Session | None, slice_s: float, deadline: float) -> Shot:
        given_s = slice_s * GRAB_SHARE
        return self._wait(session, lambda camera: camera.grab(given_s), given_s, deadline)

    def _ask(self, session: Session | None, call: Callable[[Camera], T], given_s: float = 0.0) -> T:
        try:
            return self._wait(session, call, given_s)
        except TimeoutError as error:
            raise CameraLostError("camera.hung", self._subject, limit=given_s + self._watch.hang_s) from error

    def _wait(
        self, session: Session | None, call: Callable[[Camera], T], given_s: float, deadline: float = float("inf")
    ) -> T:
        """Have something done, and wait until the driver counts as hung or the deadline is over."""
        if session is None or not session.is_ready:
            raise self.lost or CameraLostError("camera.not_open", self._subject)
        return session.ask(call, given_s, max(0.0, min(given_s + self._watch.hang_s, deadline - monotonic())))

    def _open(self) -> Session:
        return Session(self._make, lambda: self._settings, self._subject, self._watch)

    def _supervise(self) -> None:
        pause_s = self._watch.first_pause_s
        while not self._stopping.wait(SUPERVISION_S):
            session = self._session
            if session is not None and not self._has_ended(session):
                continue
            pause_s = self._watch.first_pause_s if session is not None and session.was_ready else pause_s
            if self._stopping.wait(pause_s):
                return
            pause_s = min(2 * pause_s, self._watch.longest_pause_s)
            self._replace()

    def _has_ended(self, session: Session) -> bool:
        """Say whether a session is over, and make it so where the driver hangs; told once for each."""
        if session.is_overdue and session not in self._hung:
            session.abandon()
            self._hung.append(session)
        elif session.is_alive:
            return session in self._hung
        self._note(session)
        return True

    def _note(self, session: Session) -> None:
        if session.error is None or session.error is self._error:
            return
        # An attempt to open it that fails as the one before did is nothing new.
        if session.was_ready or str(session.error) != str(self._error):
            logger.warning("camera lost", extra={"fields": {"camera": self._subject, "reason": str(session.error)}})
        self._error = session.error

    def _replace(self) -> None:
        """Open another one, unless too many threads hang already: they will hardly be the last ones."""
        self._hung = [session for session in self._hung if session.is_alive]
        if len(self._hung) < self._watch.most_hung:
            self._session = self._open()
            return
        self._session = None
        self._error = CameraLostError(
            "camera.too_many_hung", self._subject, found=len(self._hung), limit=self._watch.most_hung
        )
