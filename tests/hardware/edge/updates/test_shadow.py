"""A part is judged twice beside the line, one at a time, and never for ever."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, get_native_id

from tests.conftest import plate
from tests.serving.notify.receivers import eventually

from andon.hardware.edge.updates.shadow import Shadow
from andon.hardware.profiles.affinity import NICENESS
from andon.models.bundle.bundle import VisionBundle
from andon.models.bundle.runtime import make_inspector
from andon.models.graphs.cancelling import applied
from andon.models.types.errors import ResourceError
from andon.models.types.vision import Frame, Inspection, Inspector

FRAME = plate(3)


@dataclass
class Held:
    """An inspector that goes on when the test lets it, or when it is ended."""

    inner: Inspector
    go: Event = field(default_factory=Event)
    niceness: int | None = None
    began: int = 0

    def inspect(self, frame: Frame) -> Inspection:
        self.began += 1
        self.niceness = os.getpriority(os.PRIO_PROCESS, get_native_id())
        while not self.go.wait(0.01):
            applied().check()
        return self.inner.inspect(frame)


def collected(found: list[Inspection | None]) -> Callable[[Inspection | None], None]:
    return found.append


def test_what_is_found_is_told_and_what_fails_as_well(tiny_bundle: VisionBundle) -> None:
    class Broken:
        def inspect(self, frame: Frame) -> Inspection:
            raise ResourceError("graph.cancelled", "model")

    found = list[Inspection | None]()
    with Shadow() as shadow:
        shadow.offer(make_inspector(tiny_bundle), FRAME, collected(found))
        eventually(lambda: found)
        shadow.offer(Broken(), FRAME, collected(found))
        eventually(lambda: len(found) == 2)
    assert [each and each.verdict.value for each in found] == ["OK", None]


def test_a_part_that_comes_while_one_is_judged_is_let_go(tiny_bundle: VisionBundle) -> None:
    held, found = Held(make_inspector(tiny_bundle)), list[Inspection | None]()
    with Shadow() as shadow:
        for _ in range(3):
            shadow.offer(held, FRAME, collected(found))
        eventually(lambda: held.began)
        held.go.set()
        eventually(lambda: found)
    assert (held.began, len(found)) == (1, 1)
    assert held.niceness == NICENESS
    assert os.getpriority(os.PRIO_PROCESS, get_native_id()) < NICENESS


def test_a_graph_that_loops_is_ended(tiny_bundle: VisionBundle) -> None:
    held, found = Held(make_inspector(tiny_bundle)), list[Inspection | None]()

    def told() -> bool:
        shadow.offer(held, FRAME, collected(found))
        return bool(found)

    with Shadow(limit_s=0.05) as shadow:
        eventually(told)
    assert found[0] is None


def test_the_end_waits_for_no_graph(tiny_bundle: VisionBundle) -> None:
    held, found = Held(make_inspector(tiny_bundle)), list[Inspection | None]()
    with Shadow() as shadow:
        shadow.offer(held, FRAME, collected(found))
        eventually(lambda: held.began)
    assert found == [None]
