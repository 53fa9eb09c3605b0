"""Frames reach the model at its size and, where asked, at one intensity."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.models.types.vision import Frame
from andon.models.vision.preprocessing import AS_IS, STANDARDISED, bright_level, choose_intensity, fit_to, standardise


def test_shrinking_averages_and_does_not_alias() -> None:
    lines = np.zeros((512, 512, 3), np.uint8)
    lines[:, ::2] = 200
    assert np.ptp(fit_to(lines, 128, 128).astype(int)) <= 1
    assert abs(int(fit_to(lines, 128, 128).mean()) - 100) <= 1


def test_a_frame_of_the_right_size_is_not_touched(draw_plate: Callable[..., Frame]) -> None:
    frame = draw_plate(0)
    np.testing.assert_array_equal(fit_to(frame, 64, 64), frame)
    assert fit_to(frame[:, ::-1], 64, 64).flags.c_contiguous


@given(gain=st.floats(0.5, 1.3), offset=st.floats(-20, 20))
def test_standardising_undoes_gain_and_offset(gain: float, offset: float) -> None:
    frame = np.random.default_rng(0).normal(110, 20, (48, 48, 3)).clip(30, 190)
    plain = standardise(frame.astype(np.uint8)).astype(int)
    lit = standardise((frame * gain + offset).clip(0, 255).astype(np.uint8)).astype(int)
    assert np.abs(plain - lit).max() <= 2 + 2 / gain
    assert plain.mean() == pytest.approx(127, abs=1)
    assert plain.std() == pytest.approx(40, abs=1.5)


def test_light_moves_the_bright_level_and_content_does_not() -> None:
    def board(copper: float, light: float) -> Frame:
        frame = np.full((100, 100, 3), 60 * light, np.uint8)
        frame[: int(100 * copper)] = round(200 * light)
        return frame

    crops = [bright_level(board(copper, 1.0)) for copper in (0.1, 0.3, 0.6)]
    lit = [bright_level(board(0.3, light)) for light in (0.6, 0.9, 1.2)]
    assert choose_intensity(crops) == AS_IS
    assert choose_intensity(lit) == STANDARDISED


def test_a_flat_image_stays_flat() -> None:
    assert np.unique(standardise(np.full((32, 32, 3), 9, np.uint8))).tolist() == [127]
