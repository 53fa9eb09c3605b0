"""Golden images with the scores and maps expected of them."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import msgspec
import numpy as np
import rfc8785

from andon.models.bundle.bundle import EXPECTED, GOLDEN_FOLDER, decode_array, encode_array
from andon.models.bundle.goldens import TOLERANCE, Parity
from andon.models.types.errors import BundleError, ImageError
from andon.models.types.vision import Frame, ScoreMap
from andon.models.vision.decoding import decode_image
from andon.models.vision.inspector import PatchScorer
from andon.models.vision.overlays import encode_png


@dataclass(frozen=True, slots=True)
class Golden:
    """One golden input, by the names of its files, and the score expected of it."""

    input: str
    score_map: str
    score: float


@dataclass(frozen=True, slots=True)
class Expected:
    """The goldens, and the difference allowed as a share of max(score, threshold)."""

    tolerance: float
    goldens: tuple[Golden, ...]


def golden_files(scorer: PatchScorer, images: Iterable[Frame]) -> dict[str, bytes]:
    """Score ``images`` (uint8, the size of the model's input) and return the files of the golden folder by name."""
    files: dict[str, bytes] = {}
    goldens = []
    for number, image in enumerate(images):
        scored = scorer.score(image)
        golden = Golden(f"{GOLDEN_FOLDER}/{number:02}.png", f"{GOLDEN_FOLDER}/{number:02}.npy", scored.score)
        files[golden.input] = encode_png(image)
        files[golden.score_map] = encode_array(_thinned(scored.score_map))
        goldens.append(golden)
    files[EXPECTED] = rfc8785.dumps(asdict(Expected(TOLERANCE, tuple(goldens))))
    return files


def measure_parity(scorer: PatchScorer, files: Mapping[str, bytes], threshold: float) -> Parity:
    """Score the goldens among ``files`` and compare scores and maps with the expected ones.

    Raises
    ------
    BundleError
        The goldens cannot be read, or none is there.
    """
    try:
        expected = msgspec.json.decode(files[EXPECTED], type=Expected)
        differences = [_difference(scorer, files, golden, threshold) for golden in expected.goldens]
        return Parity(float(np.max(differences)), expected.tolerance, len(differences))
    except (KeyError, ValueError, msgspec.DecodeError, ImageError) as error:
        raise BundleError("bundle.goldens", EXPECTED, reason=str(error)) from error


def _difference(scorer: PatchScorer, files: Mapping[str, bytes], golden: Golden, threshold: float) -> float:
    scored = scorer.score(decode_image(files[golden.input], golden.input))
    expected_map = decode_array(files[golden.score_map], golden.score_map, np.float32)
    worst = max(abs(scored.score - golden.score), float(np.abs(_thinned(scored.score_map) - expected_map).max()))
    return worst / max(golden.score, threshold)


def _thinned(score_map: ScoreMap) -> ScoreMap:
    """Every eighth row and column: finer than the cells, a sixty-fourth of the bytes."""
    return np.ascontiguousarray(score_map[4::8, 4::8])
