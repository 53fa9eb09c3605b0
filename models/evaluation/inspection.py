"""Measure an inspector on labelled images."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from andon.models.evaluation.bounds import Interval, proportion_interval
from andon.models.evaluation.pixels import PixelHistogram
from andon.models.evaluation.ranking import auroc, auroc_interval, average_precision, average_precision_interval
from andon.models.types.errors import ImageError
from andon.models.types.vision import Defect, Frame, ImageSample, Inspector, Verdict

MIN_SCALE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One labelled image and what the inspector said of it. ``brightness`` is the mean grey level, 0 to 255."""

    sample: ImageSample
    verdict: Verdict
    score: float
    defects: tuple[Defect, ...]
    brightness: float
    total_ms: float


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """All judged images, and the histogram of the pixels of those that have masks."""

    judged: tuple[Judged, ...]
    pixels: PixelHistogram

    def scores(self, good: bool) -> list[float]:
        """Scores of the good or of the bad images."""
        return [each.score for each in self.judged if each.sample.is_good is good]


def judge_all(
    inspector: Inspector,
    threshold: float,
    samples: Sequence[ImageSample],
    progress: Callable[[int, int], None] = lambda *_: None,
    report: Callable[[ImageError], None] = lambda _: None,
) -> Evaluation:
    """Inspect ``samples`` one after the other, so that the times are those of one image at a time.

    An image that cannot be read is reported and left out.
    """
    pixels = PixelHistogram(max(threshold, MIN_SCALE))
    judged = []
    for done, sample in enumerate(samples, start=1):
        try:
            judged.append(_judge(inspector, sample, pixels))
        except ImageError as error:
            report(error)
        progress(done, len(samples))
    return Evaluation(tuple(judged), pixels)


def evaluation_document(evaluation: Evaluation) -> dict[str, Any]:
    """Build the ``evaluate`` object; a figure that the labels do not allow is None.

    ``overkill`` is the share of good parts that are not OK and ``escape`` that of bad parts that are; a RETAKE is not OK.
    """
    good, bad = evaluation.scores(good=True), evaluation.scores(good=False)
    overkill = sum(each.sample.is_good and not _passed(each) for each in evaluation.judged)
    escapes = sum(not each.sample.is_good and _passed(each) for each in evaluation.judged)
    total = len(evaluation.judged)
    times = [each.total_ms for each in evaluation.judged]
    return {
        **_ranking(good, bad),
        **_proportion("accuracy", total - overkill - escapes, total),
        **_proportion("overkill", overkill, len(good)),
        **_proportion("escape", escapes, len(bad)),
        "pixel_auroc": evaluation.pixels.pixel_auroc(),
        "aupro": evaluation.pixels.aupro(),
        "map": None,
        "n_good": len(good),
        "n_bad": len(bad),
        "n_retake": sum(each.verdict is Verdict.RETAKE for each in evaluation.judged),
        "p50_ms": round(float(np.percentile(times, 50)), 3) if times else None,
        "p99_ms": round(float(np.percentile(times, 99)), 3) if times else None,
        "baseline_brightness_auroc": _brightness_auroc(evaluation.judged) if good and bad else None,
        "by_type": _by_type(evaluation.judged, good),
    }


def brightness(frame: Frame) -> float:
    """Mean grey level, 0 to 255."""
    return float(frame.mean())


def numbers_of(document: Mapping[str, Any]) -> dict[str, float]:
    """The plain figures of an ``evaluate`` object, for a tracker."""
    return {name: float(value) for name, value in document.items() if isinstance(value, int | float)}


def _judge(inspector: Inspector, sample: ImageSample, pixels: PixelHistogram) -> Judged:
    started = perf_counter()
    frame = sample.frame()
    inspection = inspector.inspect(frame)
    total_ms = (perf_counter() - started) * 1e3
    if sample.mask is not None:
        pixels.add(inspection.score_map, sample.mask())
    return Judged(sample, inspection.verdict, inspection.score, inspection.defects, brightness(frame), total_ms)


def _passed(judged: Judged) -> bool:
    return judged.verdict is Verdict.OK


def _ranking(good: Sequence[float], bad: Sequence[float]) -> dict[str, Any]:
    if not good or not bad:
        return {"auroc": None, "auroc_95": None, "ap": None, "ap_95": None}
    area = auroc(good, bad)
    return {
        "auroc": area,
        "auroc_95": list(auroc_interval(area, len(good), len(bad))),
        "ap": average_precision(good, bad),
        "ap_95": list(average_precision_interval(good, bad)),
    }


def _proportion(name: str, events: int, trials: int) -> dict[str, Any]:
    interval: Interval | None = proportion_interval(events, trials) if trials else None
    return {
        name: events / trials if trials else None,
        f"{name}_95": list(interval) if interval else None,
    }


def _brightness_auroc(judged: Iterable[Judged]) -> float:
    """AUROC of mean brightness alone, in the direction that suits it better: what any score has to beat."""
    listed = list(judged)
    area = auroc(
        [each.brightness for each in listed if each.sample.is_good],
        [each.brightness for each in listed if not each.sample.is_good],
    )
    return max(area, 1 - area)


def _by_type(judged: Sequence[Judged], good: Sequence[float]) -> dict[str, Any]:
    labels = sorted({each.sample.label for each in judged if not each.sample.is_good})
    return {label: _one_type([each for each in judged if each.sample.label == label], good) for label in labels}


def _one_type(judged: Sequence[Judged], good: Sequence[float]) -> dict[str, Any]:
    return {
        "n": len(judged),
        "auroc": auroc(good, [each.score for each in judged]) if good else None,
        **_proportion("escape", sum(map(_passed, judged)), len(judged)),
    }
