"""A camera in a process of its own: a driver that hangs, leaks or crashes takes nothing else with it."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from time import monotonic
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np

from andon.models.types.camera import Camera, CameraLostError, CameraSettingError, CameraSettings, NoFrameError, Shot
from andon.models.types.errors import AndonError

OPEN_S = 5.0
"""For starting the process (half a second on two cores), opening the camera, and for applying settings."""
ANSWER_S = 1.0
"""How long the driver may take beyond the time that it was given."""
CLOSE_S = 1.0


class _Asked(NamedTuple):
    """A method of the camera, and its arguments."""

    method: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class _Failed:
    """An error, in parts that pass between processes."""

    kind: type[AndonError]
    code: str
    params: dict[str, Any]

    @classmethod
    def of(cls, error: AndonError) -> "_Failed":
        return cls(type(error), error.code, error.params)

    def error(self) -> AndonError:
        return self.kind(self.code, **self.params)


@dataclass(frozen=True, slots=True)
class _Sent:
    """A shot whose pixels follow as bytes."""

    shot: Shot
    shape: tuple[int, ...]


class ProcessCamera:
    """A ``Camera`` that another one drives in a process of its own.

    Where the driver does not return within its time, or the process ends, as it does by any error that no camera is to raise, the process is
    killed, ``CameraLostError`` is raised, and all that the driver held goes back to the system.

    Parameters
    ----------
    make
        Makes the camera, in the other process: a class or function of a module, or a ``functools.partial`` of one.
    subject
        What errors call it.
    """

    def __init__(self, make: Callable[[], Camera], subject: str) -> None:
        self._make = make
        self._subject = subject
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def __enter__(self) -> Self:
        # A fork would copy threads' locks as they happen to be.
        context = get_context("spawn")
        pipe, theirs = context.Pipe()
        process = context.Process(target=_drive, args=(self._make, theirs), name=self._subject, daemon=True)
        with theirs:
            process.start()
        self._pipe, self._process = pipe, process
        with ExitStack() as failing:
            failing.push(self)
            self._answer(OPEN_S)
            failing.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(CLOSE_S)

    def apply(self, settings: CameraSettings) -> None:
        """Apply settings, and read each back."""
        self._ask(_Asked("apply", (replace(settings, features=dict(settings.features)),)), OPEN_S)

    def arm(self) -> None:
        """Forget frames that came before."""
        self._ask(_Asked("arm"), ANSWER_S)

    def grab(self, timeout_s: float) -> Shot:
        """Trigger where the software does that, and return the next frame; a driver that hangs costs ``ANSWER_S`` more."""
        shot: Shot = self._ask(_Asked("grab", (timeout_s,)), timeout_s + ANSWER_S)
        return shot

    def check(self) -> None:
        """Ask whether it answers."""
        self._ask(_Asked("check"), ANSWER_S)

    def _ask(self, asked: _Asked, limit_s: float) -> Any:
        if self._pipe is None:
            raise CameraLostError("camera.not_open", self._subject)
        with suppress(OSError):
            # Where the process has ended, the answer says so.
            self._pipe.send(asked)
        return self._answer(limit_s)

    def _answer(self, limit_s: float) -> Any:
        try:
            answer = self._receive(monotonic() + limit_s)
        except TimeoutError as error:
            self._end(0.0)
            raise CameraLostError("camera.hung", self._subject, limit=limit_s) from error
        except (EOFError, OSError) as error:
            reason = f"its process ended with exit code {self._end(CLOSE_S)}"
            raise CameraLostError("camera.lost", self._subject, reason=reason) from error
        if isinstance(answer, _Failed):
            raise answer.error()
        return answer

    def _receive(self, deadline: float) -> Any:
        answer = self._ready(deadline).recv()
        if not isinstance(answer, _Sent):
            return answer
        pixels = np.frombuffer(self._ready(deadline).recv_bytes(), dtype=np.uint8)
        return replace(answer.shot, frame=pixels.reshape(answer.shape))

    def _ready(self, deadline: float) -> Connection:
        """Wait until something can be received."""
        if self._pipe is None or not self._pipe.poll(max(0.0, deadline - monotonic())):
            raise TimeoutError
        return self._pipe

    def _end(self, patience_s: float) -> int | None:
        """End the process, by force where it has not ended by then, and return the exit code that it had until then."""
        pipe, process = self._pipe, self._process
        self._pipe = self._process = None
        if pipe is None or process is None:
            return None
        # The end of the pipe tells the other side to close its camera.
        pipe.close()
        process.join(patience_s)
        code = process.exitcode
        process.kill()
        process.join(CLOSE_S)
        with suppress(ValueError):
            # One that waits for the disk cannot be ended yet.
            process.close()
        return code


def _drive(make: Callable[[], Camera], pipe: Connection) -> None:
    """Open the camera and do what is asked, until the pipe is closed."""
    # Whoever stops the program by Ctrl-C stops its first process, which closes this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with make() as camera:
            _send(pipe, None)
            for asked in _asked(pipe):
                _send(pipe, _done(camera, asked))
    except CameraLostError as error:
        _send(pipe, _Failed.of(error))


def _asked(pipe: Connection) -> Iterator[_Asked]:
    with suppress(EOFError, ConnectionResetError):
        while True:
            yield pipe.recv()


def _done(camera: Camera, asked: _Asked) -> Shot | _Failed | None:
    try:
        answer: Shot | None = getattr(camera, asked.method)(*asked.arguments)
    except (CameraLostError, CameraSettingError, NoFrameError) as error:
        return _Failed.of(error)
    return answer


def _send(pipe: Connection, answer: Shot | _Failed | None) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):
        # Where nobody is there any more, nothing more is asked either.
        if not isinstance(answer, Shot):
            pipe.send(answer)
            return
        pipe.send(_Sent(replace(answer, frame=np.empty((0, 0, 3), np.uint8)), answer.frame.shape))
        pipe.send_bytes(np.ascontiguousarray(answer.frame).data.cast("B"))
