"""Golden rows with the scores expected of them, and a golden sequence with the decisions expected on it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import msgspec
import numpy as np
import rfc8785

from andon.models.bundle.bundle import EXPECTED, GOLDEN_FOLDER, decode_array, encode_array
from andon.models.bundle.goldens import TOLERANCE, Parity
from andon.models.health.baseline import Baseline
from andon.models.health.mahalanobis import Distances, Floats
from andon.models.health.operating import Row
from andon.models.health.settings import FeatureContract, HealthSettings
from andon.models.health.state import HealthState
from andon.models.health.watching import HealthModel, observe_all
from andon.models.types.errors import BundleError, InputError

FEATURES = f"{GOLDEN_FOLDER}/features.npy"
SCORES = f"{GOLDEN_FOLDER}/scores.npy"
CONTRIBUTIONS = f"{GOLDEN_FOLDER}/contributions.npy"
SEQUENCE = f"{GOLDEN_FOLDER}/sequence.npy"

DISTANCES = (0.0, 0.1, 1.0, 3.0, 10.0, 100.0)
"""Of the golden rows from their baseline: at it, where differences cancel; within what is normal; and far outside."""


@dataclass(frozen=True, slots=True)
class GoldenSequence:
    """Rows of one machine, and what became of each: its phase, and whether it was anomalous.

    ``columns`` names the measures of the sequence's array.
    """

    asset: str
    columns: tuple[str, ...]
    phases: tuple[str, ...]
    anomalous: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """The decisions on the sequence, and the difference allowed to scores as a share of max(score, 1)."""

    tolerance: float
    sequence: GoldenSequence


def golden_files(model: HealthModel, asset: str, rows: Sequence[Row], seed: int) -> dict[str, bytes]:
    """Score made-up rows about each baseline, judge ``rows`` of ``asset``, and return the files of the golden folder."""
    baselines = list(model.baselines.values())
    features = np.stack([_around(baseline, np.random.default_rng(seed)) for baseline in baselines])
    measured = [_measured(model, baseline, each) for baseline, each in zip(baselines, features, strict=True)]
    columns = measures_of(model.contract, model.settings)
    sequence = np.array([[_number(row.get(name)) for name in columns] for row in rows])
    expected = Expected(TOLERANCE, _judged(model, asset, columns, sequence))
    return {
        FEATURES: encode_array(features),
        SCORES: encode_array(np.stack([each.score for each in measured])),
        CONTRIBUTIONS: encode_array(np.stack([each.contributions for each in measured])),
        SEQUENCE: encode_array(sequence),
        EXPECTED: rfc8785.dumps(asdict(expected)),
    }


def measure_parity(model: HealthModel, files: Mapping[str, bytes]) -> Parity:
    """Score the goldens among ``files`` and compare scores, contributions and decisions with the expected ones.

    A score of 1 is one standard deviation: differences are shares of max(score, 1), and those of contributions of its
    square. Decisions must be equal; one that is not counts as a difference of 1.

    Raises
    ------
    BundleError
        The goldens cannot be read, or none is there.
    """
    try:
        expected = msgspec.json.decode(files[EXPECTED], type=Expected)
        features, scores, contributions, sequence = (
            decode_array(files[name], name, np.float64) for name in (FEATURES, SCORES, CONTRIBUTIONS, SEQUENCE)
        )
        differences = [
            _difference(_measured(model, baseline, rows), Distances(score, parts))
            for baseline, rows, score, parts in zip(
                model.baselines.values(), features, scores, contributions, strict=True
            )
        ]
        golden = expected.sequence
        unequal = _judged(model, golden.asset, golden.columns, sequence) != golden
    except (KeyError, ValueError, msgspec.DecodeError, InputError) as error:
        raise BundleError("bundle.goldens", EXPECTED, reason=str(error)) from error
    return Parity(float(np.max([*differences, float(unequal)])), expected.tolerance, scores.size + len(sequence))


def measures_of(contract: FeatureContract, settings: HealthSettings) -> tuple[str, ...]:
    """Name the measures that a row must have: the features, then those that tell how the machine runs."""
    axes = (axis.name for axis in settings.gate.axes)
    return tuple(dict.fromkeys((*contract.names, *axes)))


def _around(baseline: Baseline, generator: np.random.Generator) -> Floats:
    """Make rows that lie at ``DISTANCES`` from ``baseline``, in random directions."""
    directions = generator.normal(size=(len(DISTANCES), len(baseline.mean)))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    whitened = directions * np.array(DISTANCES)[:, None]
    return np.asarray(baseline.mean + whitened @ np.linalg.pinv(baseline.whitener))


def _measured(model: HealthModel, baseline: Baseline, features: Floats) -> Distances:
    return model.score(features, baseline.mean, baseline.whitener)


def _judged(model: HealthModel, asset: str, columns: tuple[str, ...], sequence: Floats) -> GoldenSequence:
    rows = [dict(zip(columns, values, strict=True)) for values in sequence.tolist()]
    _, observations = observe_all(model, HealthState(asset), rows)
    phases = tuple(str(each.phase) for each in observations)
    return GoldenSequence(asset, columns, phases, tuple(each.anomalous for each in observations))


def _difference(found: Distances, expected: Distances) -> float:
    scale = np.maximum(expected.score, 1.0)
    scores = np.abs(found.score - expected.score) / scale
    contributions = np.abs(found.contributions - expected.contributions).max(axis=1) / scale**2
    return float(np.max([scores, contributions]))


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
