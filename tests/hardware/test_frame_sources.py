"""What every ``FrameSource`` must do, for each that ships."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.conftest import plate, plate_sample

from andon.hardware.sim.replay_camera import ReplayCamera
from andon.models.types.vision import FrameSource

SOURCES: dict[str, Callable[[], FrameSource]] = {
    "replay": lambda: ReplayCamera([plate_sample(number) for number in range(3)]),
}


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_it_delivers_colour_frames_while_open(make: Callable[[], FrameSource]) -> None:
    with make() as source:
        frames = list(source.frames())
    assert frames
    for frame in frames:
        assert frame.dtype == np.uint8
        assert frame.shape[2:] == (3,)


def test_replay_keeps_the_order() -> None:
    with ReplayCamera([plate_sample(number) for number in (4, 2)]) as camera:
        for number, frame in zip((4, 2), camera.frames(), strict=True):
            np.testing.assert_array_equal(frame, plate(number))
