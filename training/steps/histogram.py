"""A picture of how scores are spread on both sides of the threshold."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from andon.models.messages.catalogue import LANGUAGES, catalogue
from andon.models.plots.fonts import Lettering, lettering

BINS = 48
BLUE, GREEN, RED, INK = "#4477aa", "#228833", "#cc3311", "#222222"


@dataclass(frozen=True, slots=True, eq=False)
class ScoreGroups:
    """Raw scores; a group may be empty, but not all of them."""

    calibration: Sequence[float]
    test_good: Sequence[float] = ()
    test_bad: Sequence[float] = ()


def score_histogram(groups: ScoreGroups, threshold: float) -> bytes:
    """Draw the scores of each group and the threshold.

    Labels are in English, and in Chinese as well where a font for it is installed.

    Returns
    -------
    bytes
        A PNG file.
    """
    buffer = BytesIO()
    figure = draw_histogram(groups, threshold, lettering(*map(catalogue, LANGUAGES)))
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def draw_histogram(groups: ScoreGroups, threshold: float, letters: Lettering) -> Figure:
    """Draw as ``score_histogram`` does, with the given lettering."""
    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _draw_groups(axes, groups, threshold, letters)
    axes.axvline(threshold, color=INK, linestyle="--", label=f"{_label(letters, 'threshold')} = {threshold:.4g}")
    axes.set_xlabel(_label(letters, "score"), family=letters.fonts)
    axes.set_ylabel(_label(letters, "parts"), family=letters.fonts)
    figure.legend(loc="outside upper center", ncols=2, prop={"family": list(letters.fonts)})
    return figure


def _label(letters: Lettering, key: str) -> str:
    return letters.text(f"tracking.{key}")


def _draw_groups(axes: Axes, groups: ScoreGroups, threshold: float, letters: Lettering) -> None:
    series = (
        (groups.calibration, "calibration_good", BLUE),
        (groups.test_good, "test_good", GREEN),
        (groups.test_bad, "test_bad", RED),
    )
    edges = np.histogram_bin_edges([threshold, *groups.calibration, *groups.test_good, *groups.test_bad], BINS)
    for scores, key, colour in series:
        if len(scores):
            label = f"{_label(letters, key)} ({len(scores)})"
            axes.hist(scores, edges.tolist(), color=colour, alpha=0.55, label=label)
