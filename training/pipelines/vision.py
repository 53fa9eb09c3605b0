"""Train a good-only detector: export the graph, fit and calibrate, evaluate on the test part."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from andon.models.bundle.bundle import VisionBundle
from andon.models.bundle.runtime import make_inspector
from andon.models.bundle.teaching import Lesson, teach
from andon.models.evaluation.inspection import Evaluation, evaluation_document, judge_all
from andon.models.types.errors import OptionError
from andon.models.types.progress import Progress
from andon.models.types.vision import Dataset, Frame, Inspector, Split
from andon.models.vision.fitting import FitOptions, Report
from andon.models.vision.overlays import encode_png, overlay
from andon.training.export.patchcore import graph_versions, patchcore_graph
from andon.training.steps.histogram import ScoreGroups, score_histogram

N_WORST = 6
MIN_SIDE_PX, MAX_SIDE_PX = 64, 2048


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A fitted bundle with what it scored where it was calibrated and on the test part.

    ``figures`` is the ``evaluate`` object; empty where the data set has no test part.
    """

    bundle: VisionBundle
    calibration_scores: tuple[float, ...]
    evaluation: Evaluation
    figures: Mapping[str, Any]


def train_patchcore(
    dataset: Dataset, size: tuple[int, int], options: FitOptions, cache: Path, progress: Progress, report: Report
) -> Trained:
    """Train PatchCore on the good images of ``dataset``.

    Parameters
    ----------
    size
        Height and width of the model's input in pixels.
    cache
        Folder that keeps exported graphs.
    report
        Called with each image that could not be used.
    """
    lesson = Lesson(
        model=patchcore_graph(*size, cache),
        good=[sample for sample in dataset.samples(Split.TRAIN) if sample.is_good],
        held_out=[sample for sample in dataset.samples(Split.CALIBRATION) if sample.is_good],
        card=dataset.card,
        libraries=graph_versions(),
    )
    bundle, fitted = teach(lesson, options, progress, report)
    inspector = make_inspector(bundle)
    advance = partial(progress, "evaluate.stage")
    evaluation = judge_all(inspector, inspector.threshold, dataset.samples(Split.TEST), advance, report)
    figures = evaluation_document(evaluation) if evaluation.judged else {}
    return Trained(bundle, fitted.calibration.values, evaluation, figures)


def pictures_of(trained: Trained) -> dict[str, bytes]:
    """Draw what a person should look at: how the scores are spread, and the worst images, as PNG by path."""
    groups = ScoreGroups(
        trained.calibration_scores, trained.evaluation.scores(good=True), trained.evaluation.scores(good=False)
    )
    images = worst_images(make_inspector(trained.bundle), trained.evaluation)
    return {
        "score_histogram.png": score_histogram(groups, trained.bundle.manifest.operating_point.threshold),
        **{f"worst_images/{name}": png for name, png in images.items()},
    }


def worst_images(inspector: Inspector, evaluation: Evaluation) -> dict[str, bytes]:
    """Overlays of the judged images that a person should look at first, as PNG by file name.

    Those are the bad parts with the lowest scores and the good ones with the highest.
    """
    good = sorted((each for each in evaluation.judged if each.sample.is_good), key=lambda each: -each.score)
    bad = sorted((each for each in evaluation.judged if not each.sample.is_good), key=lambda each: each.score)
    return {
        f"{kind}-{rank:02}.png": overlay_png(inspector, each.sample.frame())
        for kind, listed in (("good-highest", good), ("bad-lowest", bad))
        for rank, each in enumerate(listed[:N_WORST])
    }


def overlay_png(inspector: Inspector, frame: Frame) -> bytes:
    """Inspect ``frame`` and draw what was seen, as PNG."""
    return encode_png(overlay(frame, inspector.inspect(frame)))


def input_size(text: str) -> tuple[int, int]:
    """Read ``HxW``.

    >>> input_size("256x320")
    (256, 320)

    Raises
    ------
    OptionError
        Not two numbers from 64 to 2048.
    """
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise OptionError("train.size", "--size", found=text)
    size = int(height), int(width)
    if not all(MIN_SIDE_PX <= side <= MAX_SIDE_PX for side in size):
        raise OptionError("train.size", "--size", found=text)
    return size
