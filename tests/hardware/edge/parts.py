"""A PLC and a camera that a test holds in its hands."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from threading import Condition
from time import monotonic
from typing import Any, Self

from tests.conftest import plate

from andon.models.types.camera import CameraLostError, CameraSettingError, CameraSettings, NoFrameError, Shot
from andon.models.types.line import LineInputs, LineLostError, LineOutputs
from andon.models.types.vision import Frame

WAIT_S = 10.0


class HandLink:
    """A ``LineLink`` whose PLC is the test."""

    def __init__(self) -> None:
        self.told: list[LineOutputs] = []
        self.is_lost = False
        self._inputs = LineInputs()
        self._seen: LineInputs | None = None
        self._changed = Condition()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, wait_s: float) -> LineInputs:
        with self._changed:
            self._check()
            self._changed.wait_for(lambda: self._inputs != self._seen or self.is_lost, wait_s)
            self._check()
            self._seen = self._inputs
            return self._inputs

    def write(self, outputs: LineOutputs) -> None:
        with self._changed:
            self._check()
            self.told.append(outputs)
            self._changed.notify_all()

    def _check(self) -> None:
        if self.is_lost:
            raise LineLostError("edge.ended", "plc")

    def say(self, **said: Any) -> None:
        """Say something as the PLC; all else stays."""
        with self._changed:
            self._inputs = replace(self._inputs, **said)
            self._changed.notify_all()

    def until(self, holds: Callable[[LineOutputs], bool], within_s: float = WAIT_S) -> LineOutputs:
        """Wait until what the station said last is so."""
        with self._changed:
            assert self._changed.wait_for(lambda: bool(self.told) and holds(self.told[-1]), within_s), self.told[-1:]
            return self.told[-1]

    def part(self, count: int, serial: str = "", recipe: int = 0) -> LineOutputs:
        """Bring a part through the whole handshake, and return what was answered."""
        self.until(lambda said: said.trigger_ready)
        return self.ask(count, serial, recipe)

    def ask(self, count: int, serial: str = "", recipe: int = 0) -> LineOutputs:
        self.say(trigger=True, trigger_count=count, serial=serial, recipe=recipe)
        answer = self.until(lambda said: said.results_ready and said.trigger_count == count)
        self.say(trigger=False, results_ack=True, recipe=0)
        self.until(lambda said: not said.results_ready)
        self.say(results_ack=False)
        return answer


class HandCamera:
    """A ``Camera`` that shows what the test puts before it: frames, what has gaps, what goes wrong, what takes its time."""

    def __init__(self) -> None:
        self.before: deque[Frame | Exception | Callable[[], Frame]] = deque()
        self.gaps = 0
        self.is_lost = False
        self.applied: list[CameraSettings] = []
        self.refused: list[CameraSettings] = []
        self.grabbed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def check(self) -> None:
        if self.is_lost:
            raise CameraLostError("edge.ended", "camera")

    def apply(self, settings: CameraSettings) -> None:
        self.check()
        if settings in self.refused:
            raise CameraSettingError("edge.ended", "camera")
        self.applied.append(settings)

    def arm(self) -> None:
        self.check()

    def grab(self, timeout_s: float) -> Shot:
        self.check()
        self.grabbed += 1
        shown = self.before.popleft() if self.before else plate(3)
        if isinstance(shown, Exception):
            raise shown
        is_complete, self.gaps = self.gaps == 0, max(self.gaps - 1, 0)
        return Shot(shown() if callable(shown) else shown, self.grabbed, datetime.now(UTC), is_complete)


def no_frame() -> NoFrameError:
    return NoFrameError("edge.ended", "camera")


def elapsed_s(work: Callable[[], object]) -> float:
    began_s = monotonic()
    work()
    return monotonic() - began_s
