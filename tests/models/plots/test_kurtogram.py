"""The map of spectral kurtosis."""

from io import BytesIO

import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.patches import Rectangle
from PIL import Image

from andon.models.messages.catalogue import catalogue
from andon.models.plots.canvas import DPI, WIDTH_IN, png
from andon.models.plots.fonts import Lettering
from andon.models.plots.kurtogram import HEIGHT_IN, kurtogram_figure, kurtogram_plot
from andon.models.vibration.kurtogram import Kurtogram, fast_kurtogram

RATE_HZ = 16_384.0


@pytest.fixture(scope="module")
def ringing() -> Kurtogram:
    """Of impacts ten times a second that ring at 3 kHz."""
    rng = np.random.default_rng(3)
    time_s = np.arange(32_768) / RATE_HZ
    since_s = time_s % 0.1
    impacts = 10 * np.exp(-since_s * 600) * np.sin(2 * np.pi * 3000 * since_s)
    return fast_kurtogram(impacts + rng.normal(0, 0.3, len(time_s)), RATE_HZ)


def test_the_frame_lies_around_the_highest_kurtosis(ringing: Kurtogram, english: Lettering) -> None:
    axes = kurtogram_figure(ringing, RATE_HZ, "a.wav", english).axes[0]
    (frame,) = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert (frame.get_x(), frame.get_width()) == (ringing.best.low_hz, ringing.bandwidth_hz)
    assert frame.get_x() <= 3000 <= frame.get_x() + frame.get_width()
    (mesh,) = [each for each in axes.collections if isinstance(each, QuadMesh)]
    values = np.asarray(mesh.get_array())
    row = int(frame.get_y() + 0.5)
    assert values[row].max() == values.max() == ringing.kurtosis
    centre = int(ringing.centre_hz / (RATE_HZ / 2) * values.shape[1])
    assert values[row, centre] == ringing.kurtosis


def test_rows_are_named_by_the_width_of_their_bands(ringing: Kurtogram, english: Lettering) -> None:
    axes = kurtogram_figure(ringing, RATE_HZ, "a.wav", english).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[:4] == ["8192", "4096", "2731", "2048"]
    assert len(labels) == len(ringing.levels)
    top, bottom = axes.transData.transform([(0, 0), (0, 3)])[:, 1]
    assert top > bottom


def test_the_title_says_which_band_it_is(ringing: Kurtogram, english: Lettering) -> None:
    figure = kurtogram_figure(ringing, RATE_HZ, "a.wav", english)
    band, name = figure.get_suptitle().splitlines()
    assert band.startswith(f"most impulsive band: {ringing.best.low_hz:,.0f} to {ringing.best.high_hz:,.0f} Hz")
    assert name == "a.wav"


def test_both_languages_show_every_character(ringing: Kurtogram, letters: Lettering) -> None:
    assert png(kurtogram_figure(ringing, RATE_HZ, "a.wav", letters))


def test_equal_kurtograms_give_equal_pictures(ringing: Kurtogram) -> None:
    first, second = (kurtogram_plot(ringing, RATE_HZ, "a.wav", catalogue("en")) for _ in range(2))
    assert first == second
    assert Image.open(BytesIO(first)).size == (round(WIDTH_IN * DPI), round(HEIGHT_IN * DPI))
