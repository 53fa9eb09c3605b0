"""Scores, regions and defects agree with each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from andon.models.vision.scoring import HIGHEST_CELLS, find_defects, region_mask, score

GRIDS = arrays(np.float32, (8, 10), elements=st.floats(0, 100, width=32))


@given(GRIDS)
def test_score_is_the_mean_of_the_highest_cells(distances: NDArray[np.float32]) -> None:
    expected = np.sort(distances, axis=None)[-HIGHEST_CELLS:].mean(dtype=np.float64)
    assert score(distances, 128, 160).score == pytest.approx(expected)


@given(GRIDS, st.floats(0, 1))
def test_a_frame_above_the_threshold_has_a_defect_within_the_image(
    distances: NDArray[np.float32], share: float
) -> None:
    scored = score(distances, 128, 160)
    threshold = scored.score * share
    if scored.score <= threshold:
        return
    defects = find_defects(scored.score_map, threshold, 480, 600)
    assert defects
    assert [each.score for each in defects] == sorted((each.score for each in defects), reverse=True)
    for defect in defects:
        x1, y1, x2, y2 = defect.bbox
        assert 0 <= x1 < x2 <= 600
        assert 0 <= y1 < y2 <= 480
        assert 1 <= defect.area_px <= (x2 - x1) * (y2 - y1) * 1.3 + 1


def test_a_lone_high_cell_becomes_one_box_around_it() -> None:
    distances = np.ones((8, 8), np.float32)
    distances[2, 5] = 100.0
    scored = score(distances, 128, 128)
    (defect,) = find_defects(scored.score_map, 10.0, 256, 256)
    x1, y1, x2, y2 = defect.bbox
    assert x1 < 5.5 * 32 < x2
    assert y1 < 2.5 * 32 < y2
    assert x2 - x1 < 3 * 32
    assert defect.score == pytest.approx(100.0, rel=0.2)


def test_two_separate_spots_are_two_defects_worst_first() -> None:
    distances = np.zeros((8, 8), np.float32)
    distances[1, 1], distances[6, 6] = 50.0, 90.0
    found = find_defects(score(distances, 128, 128).score_map, 5.0, 128, 128)
    assert [each.bbox[0] > 64 for each in found] == [True, False]


def test_what_lies_outside_the_region_is_ignored() -> None:
    distances = np.ones((8, 8), np.float32)
    distances[:, 4:] = 99.0
    left_half = region_mask([((0.0, 0.0), (0.45, 0.0), (0.45, 1.0), (0.0, 1.0))], 8, 8)
    assert left_half is not None
    assert left_half.sum() == 8 * 4
    assert score(distances, 128, 128, left_half).score == 1.0
    assert score(distances, 128, 128).score == 99.0
    assert region_mask([], 8, 8) is None
