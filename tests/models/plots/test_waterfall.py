"""Spectra over time."""

from datetime import UTC, datetime, timedelta
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from PIL import Image

from andon.models.messages.catalogue import catalogue
from andon.models.plots.canvas import DPI, WIDTH_IN, png
from andon.models.plots.fonts import Lettering
from andon.models.plots.moments import days_of
from andon.models.plots.waterfall import (
    HEIGHT_IN,
    MAX_COLUMNS,
    MAX_ROWS,
    RANGE_DB,
    pooled,
    waterfall_figure,
    waterfall_plot,
    with_gaps,
)

START = datetime(2025, 3, 1, tzinfo=UTC)


def hours(*places: float) -> list[datetime]:
    return [START + timedelta(hours=place) for place in places]


def image(figure: Figure) -> QuadMesh:
    (mesh,) = [each for each in figure.axes[0].collections if isinstance(each, QuadMesh)]
    return mesh


def test_a_level_stands_at_its_time_and_frequency_in_db(english: Lettering) -> None:
    amplitudes = np.full((3, 4), 0.01)
    amplitudes[1, 2], amplitudes[2, 3], amplitudes[0, 0] = 10.0, 1.0, 0.0
    mesh = image(waterfall_figure(hours(0, 1, 2), 5 * np.arange(4.0), amplitudes, "spectra", english))
    level = np.asarray(mesh.get_array())
    assert level[1, 2] == 0
    assert level[2, 3] == pytest.approx(-20)
    assert level[0, 0] == -RANGE_DB
    corners = np.asarray(mesh.get_coordinates())
    assert corners[1, 2].tolist() == [10.0, days_of(hours(1))[0]]
    assert corners[-1, -1].tolist() == [20.0, pytest.approx(days_of(hours(3))[0])]


def test_missing_data_are_left_empty() -> None:
    edges, rows = with_gaps(np.array([0.0, 1.0, 2.0, 10.0]), np.arange(8.0).reshape(4, 2))
    assert edges.tolist() == [0, 1, 2, 3, 10, 11]
    assert np.isnan(rows[3]).all()
    assert rows[[0, 1, 2, 4]].tolist() == np.arange(8.0).reshape(4, 2).tolist()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 900), st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_pooling_keeps_the_highest(n: int, most: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(2, n))
    kept = pooled(values, most, axis=1)
    assert kept.shape[1] <= most
    assert kept.max(axis=1).tolist() == values.max(axis=1).tolist()


def test_pooling_passes_over_what_is_missing() -> None:
    assert pooled(np.array([[np.nan], [2.0], [np.nan]]), 2, axis=0).tolist()[0] == [2.0]


def test_a_lone_line_shows_among_many(english: Lettering) -> None:
    """More spectra and frequencies than pixels: the one high value is in the picture."""
    n, m = 3 * MAX_ROWS + 1, 5 * MAX_COLUMNS + 3
    amplitudes = np.full((n, m), 1e-3)
    amplitudes[777, 1234] = 1.0
    figure = waterfall_figure(hours(*range(n)), 0.5 * np.arange(float(m)), amplitudes, "spectra", english)
    picture = np.asarray(Image.open(BytesIO(png(figure))).convert("RGB")).astype(int)
    inside = figure.axes[0].get_window_extent()
    x, y = figure.axes[0].transData.transform((617.0, days_of(hours(777))[0]))
    near = picture[int(picture.shape[0] - y) - 4 : int(picture.shape[0] - y) + 5, int(x) - 4 : int(x) + 5]
    assert (near[..., 0] > 200).any()
    left, top = int(inside.x0) + 3, int(picture.shape[0] - inside.y1) + 3
    whole = picture[top : top + int(inside.height) - 6, left : left + int(inside.width) - 6]
    assert 0 < (whole[..., 0] > 200).sum() < 30


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_nothing_measured_is_still_a_picture(letters: Lettering, value: float) -> None:
    assert png(waterfall_figure(hours(0), np.arange(4.0), np.full((1, 4), value), "spectra", letters))


def test_equal_spectra_give_equal_pictures() -> None:
    arguments = (hours(0, 1), np.arange(3.0), np.ones((2, 3)), "spectra", catalogue("en"))
    first, second = (waterfall_plot(*arguments) for _ in range(2))
    assert first == second
    assert Image.open(BytesIO(first)).size == (round(WIDTH_IN * DPI), round(HEIGHT_IN * DPI))
