"""What every ``Camera`` must do, for each that ships."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import numpy as np
import pytest
from tests.hardware.camera.cameras import BENCHES, Bench, presenting

from andon.models.types.camera import CameraSettingError, CameraSettings, NoFrameError, Shot


@pytest.fixture(params=BENCHES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with BENCHES[request.param](tmp_path) as made:
        yield made


def shoot(bench: Bench) -> Shot:
    presenting(bench)
    return bench.camera.grab(5.0)


def test_it_returns_whole_colour_frames_in_order(bench: Bench) -> None:
    with bench.camera:
        before = datetime.now(UTC) - timedelta(seconds=1)
        bench.camera.arm()
        shots = [shoot(bench) for _ in range(3)]
    assert all(shot.is_complete for shot in shots)
    assert all(shot.frame.dtype == np.uint8 for shot in shots)
    assert all(shot.frame.shape[2:] == (3,) for shot in shots)
    assert all(shot.frame.shape == shots[0].frame.shape for shot in shots)
    numbers = [shot.number for shot in shots]
    assert numbers == sorted(set(numbers))
    times = [shot.time for shot in shots]
    assert before < times[0] < times[1] < times[2] <= datetime.now(UTC)


def test_it_refuses_a_feature_that_it_does_not_have(bench: Bench) -> None:
    with bench.camera as camera:
        with pytest.raises(CameraSettingError) as caught:
            camera.apply(CameraSettings(features={"AndonNoSuchFeature": 1}))
        assert caught.value.params["feature"] == "AndonNoSuchFeature"
        assert shoot(bench).is_complete


def test_a_camera_that_is_there_answers(bench: Bench) -> None:
    with bench.camera as camera:
        shoot(bench)
        camera.check()


def test_it_waits_no_longer_than_it_was_told(bench: Bench) -> None:
    with bench.camera as camera:
        camera.arm()
        began = monotonic()
        if bench.is_instant:
            assert camera.grab(0.0).is_complete
        else:
            with pytest.raises(NoFrameError):
                camera.grab(0.0)
        assert monotonic() - began < 1.0


def test_it_can_be_opened_anew(bench: Bench) -> None:
    with bench.camera:
        assert shoot(bench).is_complete
    bench.set_up_anew()
    with bench.camera:
        assert shoot(bench).is_complete
