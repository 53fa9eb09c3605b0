"""The ``evaluate`` object, from verdicts that are known."""

from hashlib import sha256

import numpy as np
import pytest

from andon.models.evaluation.inspection import evaluation_document, judge_all
from andon.models.types.errors import ImageError
from andon.models.types.vision import Frame, ImageSample, Inspection, Timings, Verdict


class BrightnessInspector:
    """Scores by mean grey level; RETAKE at 255."""

    def inspect(self, frame: Frame) -> Inspection:
        score = float(frame.mean())
        verdict = Verdict.RETAKE if score == 255 else Verdict.NG if score > 100 else Verdict.OK
        return Inspection(verdict, score, 100.0, None, (), np.full((4, 4), score, np.float32), Timings())


def sample(name: str, label: str, grey: int) -> ImageSample:
    return ImageSample(
        name, label, name, lambda: sha256(name.encode()).hexdigest(), lambda: np.full((32, 32, 3), grey, np.uint8)
    )


def broken() -> Frame:
    raise ImageError("image.empty", "broken.png")


def test_figures_count_what_was_judged() -> None:
    samples = [
        *(sample(f"good-{grey}", "good", grey) for grey in (10, 20, 90, 120)),
        sample("retaken", "good", 255),
        *(sample(f"scratch-{grey}", "scratch", grey) for grey in (80, 150)),
        sample("open-200", "open", 200),
        ImageSample("broken.png", "good", "broken", lambda: "", broken),
    ]
    reported: list[ImageError] = []
    document = evaluation_document(judge_all(BrightnessInspector(), 100.0, samples, report=reported.append))
    assert [error.subject for error in reported] == ["broken.png"]
    assert (document["n_good"], document["n_bad"], document["n_retake"]) == (5, 3, 1)
    assert document["overkill"] == pytest.approx(2 / 5), "a retaken good part is not passed"
    assert document["escape"] == pytest.approx(1 / 3)
    assert document["accuracy"] == pytest.approx(5 / 8)
    assert document["escape_95"][0] < 1 / 3 < document["escape_95"][1]
    assert document["by_type"]["scratch"]["escape"] == 0.5
    assert document["by_type"]["open"]["n"] == 1
    assert document["auroc"] == document["baseline_brightness_auroc"]
    assert document["pixel_auroc"] is None
    assert document["map"] is None


def test_what_labels_do_not_allow_is_null() -> None:
    document = evaluation_document(judge_all(BrightnessInspector(), 100.0, [sample("a", "good", 10)]))
    assert document["auroc"] is None
    assert document["escape"] is None
    assert document["overkill"] == 0.0
    nothing = evaluation_document(judge_all(BrightnessInspector(), 100.0, []))
    assert nothing["p50_ms"] is None
