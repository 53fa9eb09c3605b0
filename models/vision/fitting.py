"""Fit a memory bank to good images and calibrate it, through onnxruntime alone."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from os import cpu_count
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from andon.models.types.errors import DataError, ImageError
from andon.models.types.progress import Progress, silent
from andon.models.types.vision import Frame, ImageSample
from andon.models.vision.calibration import CROSS_FIT, HELD_OUT, OperatingPoint, calibrate
from andon.models.vision.coreset import k_centre
from andon.models.vision.gates import Gate, measure_frame, teach_gates
from andon.models.vision.graph import BANK_MULTIPLE, PatchGraph
from andon.models.vision.inspector import PatchScorer
from andon.models.vision.preprocessing import AS_IS, INTENSITIES, bright_level, choose_intensity, fit_to
from andon.models.vision.scoring import Polygon, region_mask

Bank = NDArray[np.float32]
Report = Callable[[ImageError], None]
"""Called with each image that had to be left out."""

Result = TypeVar("Result")

LOOKED_AT = 50
MIN_GOOD = 5
MIN_HELD_OUT = 2
MIN_GOOD_TO_HOLD_OUT = 100
FOLDS = 5


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How to fit.

    Parameters
    ----------
    overkill
        The share of good parts that may be rejected.
    seed
        Of the projection, the candidates and the split.
    bank_size
        Vectors kept. Fewer cost accuracy, more cost time: docs/adr/0003.
    max_candidates
        Vectors that the bank is chosen from, spread evenly over the images: bounds time and memory however many there are.
    regions
        Polygons to look in, as fractions of width and height; none means everywhere.
    """

    overkill: float = 0.01
    seed: int = 0
    bank_size: int = 4000
    max_candidates: int = 65_536
    regions: tuple[Polygon, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What calibration scored: one score a sample, in the samples' order."""

    samples: tuple[ImageSample, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A bank with its operating point and gates.

    ``intensity`` is what is done to an image's intensity first, a key of ``INTENSITIES``.
    ``calibration`` lists the good images by which the threshold was set; ``bank_samples`` those that the bank was chosen
    from.
    """

    bank: Bank
    intensity: str
    operating_point: OperatingPoint
    gates: tuple[Gate, ...]
    calibration: Scores
    bank_samples: tuple[ImageSample, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """One good image as the fit keeps it: some of its feature vectors and its gate measures."""

    sample: ImageSample
    vectors: Bank
    measures: dict[str, float]


def fit(
    graph: PatchGraph,
    good: Sequence[ImageSample],
    held_out: Sequence[ImageSample],
    options: FitOptions,
    progress: Progress = silent,
    report: Report = lambda _: None,
) -> Fitted:
    """Fit a bank to ``good`` and set the threshold on good images that are not in it.

    Those are ``held_out`` where there are any; else half of ``good``, by physical unit, where there are a hundred units or
    more; else every image is scored by a bank fitted without its fold. A unit's score is its highest image's, and the
    bound counts units.

    Raises
    ------
    DataError
        Fewer than five different good units can be read.
    """
    seen: set[str] = set()
    distinct, held_out = tuple(_distinct(good, seen, report)), tuple(_distinct(held_out, seen, report))
    if not held_out and len({sample.unit for sample in distinct}) >= MIN_GOOD_TO_HOLD_OUT:
        distinct, held_out = _halves(distinct, options.seed)
    intensity = _choose_intensity(distinct)
    described = describe(graph, distinct, intensity, options, progress, report)
    _require_enough(described, len(good))
    bank = build_bank(described, options, partial(progress, "fit.coreset"))
    scores = (
        score_samples(PatchScorer(graph, bank, intensity, options.regions), held_out, progress, report)
        if held_out
        else _cross_fit(graph, described, intensity, options, progress, report)
    )
    names, values = _by_unit(scores)
    if len(values) < MIN_HELD_OUT:
        raise DataError("fit.too_few_held_out", "calibration", found=len(values), expected=MIN_HELD_OUT)
    point = calibrate(values, names, options.overkill, HELD_OUT if held_out else CROSS_FIT)
    gates = teach_gates(each.measures for each in described)
    return Fitted(bank, intensity, point, gates, scores, tuple(each.sample for each in described))


def describe(
    graph: PatchGraph,
    samples: Sequence[ImageSample],
    intensity: str,
    options: FitOptions,
    progress: Progress = silent,
    report: Report = lambda _: None,
) -> list[Described]:
    """Extract features of ``samples``, keeping an even share of ``options.max_candidates`` vectors of each."""
    share = max(1, options.max_candidates // max(1, len(samples)))
    region = region_mask(options.regions, graph.rows, graph.columns)
    cells = np.arange(graph.rows * graph.columns) if region is None else np.flatnonzero(region)

    def one(numbered: tuple[int, ImageSample]) -> Described:
        index, sample = numbered
        image = fit_to(sample.frame(), graph.height, graph.width)
        vectors = graph.features(INTENSITIES[intensity](image))
        keep = np.random.default_rng([options.seed, index]).permutation(cells)[:share]
        return Described(sample, vectors[np.sort(keep)], measure_frame(image))

    numbered = list(enumerate(samples))
    return list(_read_in_parallel(one, numbered, partial(progress, "fit.features"), report))


def build_bank(described: Sequence[Described], options: FitOptions, progress: Callable[[int, int], None]) -> Bank:
    """Choose the memory bank: float32 ``[m, d]``, m a multiple of 16, the first vectors repeated to fill it up."""
    candidates = np.concatenate([each.vectors for each in described])
    size = min(options.bank_size, len(candidates))
    chosen = k_centre(candidates, size, options.seed, lambda done: progress(done, size))
    rows = -(-len(chosen) // BANK_MULTIPLE) * BANK_MULTIPLE
    return np.resize(chosen, (rows, chosen.shape[1]))


def score_samples(
    scorer: PatchScorer,
    samples: Sequence[ImageSample],
    progress: Progress = silent,
    report: Report = lambda _: None,
) -> Scores:
    """Score ``samples``, leaving out and reporting those that cannot be read."""

    def one(sample: ImageSample) -> tuple[ImageSample, float]:
        return sample, scorer.score(_model_image(scorer, sample)).score

    pairs = list(_read_in_parallel(one, samples, partial(progress, "fit.calibration"), report))
    return Scores(tuple(sample for sample, _ in pairs), tuple(value for _, value in pairs))


def _model_image(scorer: PatchScorer, sample: ImageSample) -> Frame:
    return fit_to(sample.frame(), scorer.height, scorer.width)


def _cross_fit(
    graph: PatchGraph,
    described: Sequence[Described],
    intensity: str,
    options: FitOptions,
    progress: Progress,
    report: Report,
) -> Scores:
    units = sorted({each.sample.unit for each in described})
    shuffled = np.random.default_rng(options.seed).permutation(len(units))
    fold_of = {units[unit]: position % FOLDS for position, unit in enumerate(shuffled.tolist())}
    parts = []
    for fold in range(min(FOLDS, len(units))):
        rest = [each for each in described if fold_of[each.sample.unit] != fold]
        bank = build_bank(rest, options, partial(progress, "fit.fold"))
        left_out = [each.sample for each in described if fold_of[each.sample.unit] == fold]
        parts.append(score_samples(PatchScorer(graph, bank, intensity, options.regions), left_out, progress, report))
    return Scores(
        tuple(sample for part in parts for sample in part.samples),
        tuple(value for part in parts for value in part.values),
    )


def _choose_intensity(samples: Sequence[ImageSample]) -> str:
    """Look at some of the images, evenly spread; those that cannot be read are reported when they are all read."""
    looked_at = samples[:: max(1, len(samples) // LOOKED_AT)]
    levels = list(_read_in_parallel(lambda sample: bright_level(sample.frame()), looked_at, _unheard, _unreported))
    return choose_intensity(levels) if levels else AS_IS


def _unheard(done: int, total: int) -> None:
    """Show no progress."""


def _unreported(error: ImageError) -> None:
    """Leave the report to the pass that reads every image."""


def _distinct(samples: Sequence[ImageSample], seen: set[str], report: Report) -> Iterator[ImageSample]:
    """Leave out copies: one in the bank and one among the held-out images would make the bound a lie."""
    for sample in samples:
        try:
            digest = sample.digest()
        except ImageError as error:
            report(error)
            continue
        if digest not in seen:
            seen.add(digest)
            yield sample


def _halves(samples: Sequence[ImageSample], seed: int) -> tuple[tuple[ImageSample, ...], tuple[ImageSample, ...]]:
    units = sorted({sample.unit for sample in samples})
    first = {units[index] for index in np.random.default_rng(seed).permutation(len(units))[: len(units) // 2]}
    return (
        tuple(sample for sample in samples if sample.unit in first),
        tuple(sample for sample in samples if sample.unit not in first),
    )


def _require_enough(described: Sequence[Described], n_given: int) -> None:
    units = {each.sample.unit for each in described}
    if len(units) < MIN_GOOD:
        raise DataError("fit.too_few_good", "good", found=len(units), given=n_given, expected=MIN_GOOD)


def _by_unit(scores: Scores) -> tuple[list[str], list[float]]:
    worst: dict[str, tuple[float, str]] = {}
    for sample, value in zip(scores.samples, scores.values, strict=True):
        if sample.unit not in worst or value > worst[sample.unit][0]:
            worst[sample.unit] = (value, sample.name)
    return [name for _, name in worst.values()], [value for value, _ in worst.values()]


def _read_in_parallel(
    work: Callable[..., Result], items: Sequence[object], progress: Callable[[int, int], None], report: Report
) -> Iterator[Result]:
    """Apply ``work`` to ``items`` on a thread a core, in their order, reporting those whose image cannot be used."""

    def attempt(item: object) -> Result | ImageError:
        try:
            return work(item)
        except ImageError as error:
            return error

    with ThreadPoolExecutor(cpu_count()) as pool:
        for done, outcome in enumerate(pool.map(attempt, items), start=1):
            progress(done, len(items))
            if isinstance(outcome, ImageError):
                report(outcome)
            else:
                yield outcome
