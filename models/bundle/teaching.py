"""Teach a new detector from a feature graph and good images: onnxruntime only, so it works at the edge."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from andon.models.bundle.bundle import MODEL, Bundle, VisionBundle, encode_array, file_digests
from andon.models.bundle.manifest import (
    BANK,
    PATCHCORE,
    SCHEMA_VERSION,
    InputContract,
    Preprocessing,
    VisionManifest,
)
from andon.models.bundle.vision_goldens import golden_files
from andon.models.types.progress import Progress, silent
from andon.models.types.vision import DataCard, Frame, ImageSample
from andon.models.vision.fitting import FitOptions, Fitted, Report, fit
from andon.models.vision.graph import PatchGraph
from andon.models.vision.inspector import PatchScorer
from andon.models.vision.preprocessing import fit_to

RUNTIME_LIBRARIES = ("numpy", "onnx", "onnxruntime", "opencv-python", "opencv-python-headless", "pillow", "scipy")


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What a detector is taught from.

    Parameters
    ----------
    model
        The ONNX feature graph's bytes.
    good
        Good images; the bank is chosen from them.
    held_out
        Good images to calibrate on; none where ``good`` is to be split.
    card
        Where they come from.
    libraries
        Versions of what made the graph.
    """

    model: bytes
    good: Sequence[ImageSample]
    held_out: Sequence[ImageSample]
    card: DataCard
    libraries: Mapping[str, str]


def teach(
    lesson: Lesson, options: FitOptions, progress: Progress = silent, report: Report = lambda _: None
) -> tuple[VisionBundle, Fitted]:
    """Fit, calibrate and pack a detector.

    Returns
    -------
    Bundle
        The same bytes for the same lesson and options.
    Fitted
        With the scores of the images that set the threshold.

    Raises
    ------
    DataError
        Too few good images.
    BundleError
        The graph cannot be loaded.
    """
    graph = PatchGraph(lesson.model)
    fitted = fit(graph, lesson.good, lesson.held_out, options, progress, report)
    scorer = PatchScorer(graph, fitted.bank, fitted.intensity, options.regions)
    files = {
        MODEL: lesson.model,
        BANK: encode_array(fitted.bank),
        **golden_files(scorer, _golden_images(fitted, graph, options.seed)),
    }
    manifest = VisionManifest(
        schema_version=SCHEMA_VERSION,
        kind=PATCHCORE[0],
        method=PATCHCORE[1],
        input=InputContract(graph.height, graph.width),
        preprocessing=Preprocessing(fitted.intensity),
        operating_point=fitted.operating_point,
        gates=fitted.gates,
        regions=options.regions,
        classes=("anomaly",),
        data=lesson.card,
        options={name: value for name, value in asdict(options).items() if name not in ("seed", "regions")},
        seed=options.seed,
        libraries={**lesson.libraries, **installed_versions(RUNTIME_LIBRARIES)},
        files=file_digests(files),
    )
    return Bundle(manifest, files), fitted


def installed_versions(distributions: Sequence[str]) -> dict[str, str]:
    """Versions of those of ``distributions`` that are installed, and of Andon."""
    return {name: found for name in ("andon", *distributions) if (found := _version(name))}


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _golden_images(fitted: Fitted, graph: PatchGraph, seed: int) -> Iterator[Frame]:
    """One image of the bank, where distances cancel; the lowest, middle and highest held-out; one defaced; one of noise."""
    ranked = [
        sample
        for _, sample in sorted(
            zip(fitted.calibration.values, fitted.calibration.samples, strict=True),
            key=lambda pair: (pair[0], pair[1].name),
        )
    ]
    middle = ranked[len(ranked) // 2]
    for sample in (fitted.bank_samples[0], ranked[0], middle, ranked[-1]):
        yield fit_to(sample.frame(), graph.height, graph.width)
    yield _defaced(fit_to(middle.frame(), graph.height, graph.width))
    yield np.random.default_rng(seed).integers(0, 256, (graph.height, graph.width, 3), dtype=np.uint8)


def _defaced(image: Frame) -> Frame:
    """Paint a square of inverted contrast in the middle: a gross defect on any part."""
    painted = image.copy()
    rows, columns = (slice(size * 2 // 5, size * 3 // 5) for size in image.shape[:2])
    painted[rows, columns] = 255 - painted[rows, columns]
    return painted
