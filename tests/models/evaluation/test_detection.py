"""Figures of detection against scikit-learn and against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.models.evaluation.detection import detection_figures

FLAGS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


@given(FLAGS)
def test_f1_is_scikit_learns(flags: list[tuple[bool, bool]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is in the extra train")
    truth, said = zip(*flags, strict=True)
    figures = detection_figures(truth, said)
    expected = metrics.f1_score(truth, said, zero_division=np.nan)
    assert (np.nan if figures.f1 is None else figures.f1) == pytest.approx(expected, nan_ok=True)


@given(FLAGS)
def test_rates_are_shares_of_the_normal_and_of_the_anomalous_rows(flags: list[tuple[bool, bool]]) -> None:
    truth, said = zip(*flags, strict=True)
    figures = detection_figures(truth, said)
    of_normal = [positive for true, positive in flags if not true]
    of_anomalous = [not positive for true, positive in flags if true]
    assert figures.far_percent == (pytest.approx(100 * np.mean(of_normal)) if of_normal else None)
    assert figures.mar_percent == (pytest.approx(100 * np.mean(of_anomalous)) if of_anomalous else None)
    assert (figures.n_normal, figures.n_anomalous) == (len(of_normal), len(of_anomalous))


def test_always_alarming_scores_what_the_share_of_anomalous_rows_gives() -> None:
    truth = np.arange(1000) < 536
    figures = detection_figures(truth, np.ones(1000))
    assert figures.f1 == pytest.approx(2 * 0.536 / 1.536)
    assert (figures.far_percent, figures.mar_percent) == (100, 0)


def test_without_anomalies_only_the_false_alarm_rate_is_known() -> None:
    figures = detection_figures([False] * 4, [True, False, False, False])
    assert (figures.f1, figures.far_percent, figures.mar_percent) == (0.0, 25.0, None)
    assert detection_figures([False], [False]).f1 is None
