"""Titles, and what all pictures have in common."""

from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from PIL import Image

from andon.models.messages.catalogue import catalogue
from andon.models.plots.canvas import (
    BLUE,
    DPI,
    ELLIPSIS,
    GREEN,
    INK,
    PURPLE,
    VERMILION,
    WIDTH_IN,
    entitle,
    explain,
    new_figure,
    png,
    shortened,
)
from andon.models.plots.fonts import LATIN_FONT, Lettering

LATIN = Lettering((LATIN_FONT,), (catalogue("en"),))


def test_the_picture_has_the_size_asked_for() -> None:
    picture = Image.open(BytesIO(png(new_figure(2.0))))
    assert picture.format == "PNG"
    assert picture.size == (round(WIDTH_IN * DPI), 2 * DPI)


def test_a_line_that_fits_is_left_alone(english: Lettering) -> None:
    assert shortened(new_figure(2.0), "pump 3 · DE-H", english) == "pump 3 · DE-H"
    assert shortened(new_figure(2.0), "", english) == ""


@settings(max_examples=15, deadline=None)
@given(st.text("abcWiI .$_^{}\\", min_size=1, max_size=300))
def test_a_title_stays_on_the_picture_and_keeps_both_ends(name: str) -> None:
    figure = new_figure(2.0)
    line = f"A{name}Z"
    entitle(figure, (line,), LATIN)
    figure.draw_without_rendering()
    title = figure.get_suptitle()
    assert title == line or ELLIPSIS in title
    assert (title[0], title[-1]) == ("A", "Z")
    (text,) = figure.texts
    assert text.get_window_extent().x1 <= figure.bbox.x1


def test_as_much_is_kept_as_fits(english: Lettering) -> None:
    """One character more would not have fitted."""
    figure = new_figure(2.0)
    kept = shortened(figure, "n" * 400, english)
    assert shortened(figure, "n" * len(kept), english) == "n" * len(kept)
    assert ELLIPSIS in shortened(figure, "n" * (len(kept) + 2), english)


def test_a_name_is_no_formula(english: Lettering) -> None:
    figure = new_figure(2.0)
    entitle(figure, ("$broken^{_$",), english)
    assert png(figure)
    assert figure.get_suptitle() == "$broken^{_$"


def test_empty_lines_are_left_out(english: Lettering) -> None:
    figure = new_figure(2.0)
    entitle(figure, ("a", "", "b"), english)
    assert figure.get_suptitle() == "a\nb"


def test_there_is_no_legend_without_labels(english: Lettering) -> None:
    figure = new_figure(2.0)
    axes = figure.add_subplot()
    axes.plot([1, 2])
    explain(figure, english)
    assert not figure.legends
    axes.plot([1, 2], label="a")
    explain(figure, english)
    assert len(figure.legends) == 1


@pytest.mark.parametrize("colour", [INK, BLUE, VERMILION, GREEN, PURPLE])
def test_colours_of_text_are_readable_on_white(colour: str) -> None:
    """WCAG 2.1, criterion 1.4.3: a contrast of 4.5 to 1."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
    luminance = sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    assert 1.05 / (luminance + 0.05) >= 4.5
