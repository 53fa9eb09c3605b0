"""The picture of the scores."""

from io import BytesIO

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from PIL import Image

from andon.models.messages.catalogue import LANGUAGES, catalogue
from andon.models.plots.fonts import Lettering
from andon.training.steps.histogram import BLUE, GREEN, RED, ScoreGroups, draw_histogram, score_histogram

ENGLISH = Lettering(("DejaVu Sans",), (catalogue("en"),))
GROUPS = ScoreGroups(calibration=[1.0, 1.1, 1.2, 1.9], test_good=[1.0, 1.5], test_bad=[2.5, 7.0, 9.0])


def test_every_score_stands_in_the_picture() -> None:
    (axes,) = draw_histogram(GROUPS, 2.0, ENGLISH).axes
    bars = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    for colour, scores in ((BLUE, GROUPS.calibration), (GREEN, GROUPS.test_good), (RED, GROUPS.test_bad)):
        drawn = [bar for bar in bars if bar.get_facecolor()[:3] == to_rgb(colour)]
        assert sum(bar.get_height() for bar in drawn) == len(scores)
        assert min(bar.get_x() for bar in drawn if bar.get_height()) <= min(scores)
        assert max(bar.get_x() + bar.get_width() for bar in drawn if bar.get_height()) >= max(scores)


def test_the_threshold_is_a_line() -> None:
    (axes,) = draw_histogram(GROUPS, 2.0, ENGLISH).axes
    (line,) = axes.lines
    assert np.array_equal(line.get_xdata(), [2.0, 2.0])


def test_groups_and_threshold_are_named() -> None:
    figure = draw_histogram(GROUPS, 2.0, ENGLISH)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "good, calibration (4)",
        "good, test (2)",
        "bad, test (3)",
        "threshold = 2",
    ]


def test_a_group_without_scores_is_left_out() -> None:
    (legend,) = draw_histogram(ScoreGroups([1.0, 2.0]), 2.0, ENGLISH).legends
    assert [text.get_text() for text in legend.get_texts()] == ["good, calibration (2)", "threshold = 2"]


def test_labels_are_in_all_of_the_languages() -> None:
    both = Lettering(("DejaVu Sans",), tuple(map(catalogue, LANGUAGES)))
    figure = draw_histogram(GROUPS, 2.0, both)
    assert figure.axes[0].get_xlabel() == "score / 分数"
    assert figure.legends[0].get_texts()[-1].get_text() == "threshold / 阈值 = 2"


def test_equal_scores_give_equal_pictures() -> None:
    first, second = (score_histogram(GROUPS, 2.0) for _ in range(2))
    assert first == second
    picture = np.asarray(Image.open(BytesIO(first)).convert("RGB"))
    assert picture.shape == (540, 960, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 10
