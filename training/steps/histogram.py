"""A picture of how scores are spread on both sides of the threshold."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from andon.models.messages.catalogue import catalogue
from andon.training.steps.fonts import cjk_font

BINS = 48
LATIN_FONT = "DejaVu Sans"
BLUE, GREEN, RED, INK = "#4477aa", "#228833", "#cc3311", "#222222"


@dataclass(frozen=True, slots=True, eq=False)
class ScoreGroups:
    """Raw scores; a group may be empty, but not all of them."""

    calibration: Sequence[float]
    test_good: Sequence[float] = ()
    test_bad: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Lettering:
    """The fonts and languages that a picture's texts use."""

    fonts: tuple[str, ...]
    languages: tuple[str, ...]

    def label(self, key: str) -> str:
        """Return a text in each of the languages."""
        return " / ".join(catalogue(language).text(f"tracking.{key}") for language in self.languages)


def score_histogram(groups: ScoreGroups, threshold: float) -> bytes:
    """Draw the scores of each group and the threshold.

    Labels are in English, and in Chinese as well where a font for it is installed.

    Returns
    -------
    bytes
        A PNG file.
    """
    buffer = BytesIO()
    figure = draw_histogram(groups, threshold, installed_lettering())
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def draw_histogram(groups: ScoreGroups, threshold: float, lettering: Lettering) -> Figure:
    """Draw as ``score_histogram`` does, with the given lettering."""
    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _draw_groups(axes, groups, threshold, lettering)
    axes.axvline(threshold, color=INK, linestyle="--", label=f"{lettering.label('threshold')} = {threshold:.4g}")
    axes.set_xlabel(lettering.label("score"), family=lettering.fonts)
    axes.set_ylabel(lettering.label("parts"), family=lettering.fonts)
    figure.legend(loc="outside upper center", ncols=2, prop={"family": list(lettering.fonts)})
    return figure


def installed_lettering() -> Lettering:
    """Choose by what is installed here."""
    font = cjk_font(set(font_manager.get_font_names()))
    return Lettering((LATIN_FONT,), ("en",)) if font is None else Lettering((LATIN_FONT, font), ("en", "zh_CN"))


def _draw_groups(axes: Axes, groups: ScoreGroups, threshold: float, lettering: Lettering) -> None:
    series = (
        (groups.calibration, "calibration_good", BLUE),
        (groups.test_good, "test_good", GREEN),
        (groups.test_bad, "test_bad", RED),
    )
    edges = np.histogram_bin_edges([threshold, *groups.calibration, *groups.test_good, *groups.test_bad], BINS)
    for scores, key, colour in series:
        if len(scores):
            label = f"{lettering.label(key)} ({len(scores)})"
            axes.hist(scores, edges.tolist(), color=colour, alpha=0.55, label=label)
