"""Teach a health model from rows of healthy machines, and pack it: numpy, scipy and onnxruntime only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from andon.models.bundle.bundle import MODEL, Bundle, HealthBundle, encode_array, file_digests
from andon.models.bundle.health_goldens import golden_files
from andon.models.bundle.manifest import (
    CALIBRATION,
    DRIFT_LIMITS,
    HEALTH,
    MEANS,
    SCHEMA_VERSION,
    WHITENERS,
    HealthManifest,
)
from andon.models.bundle.teaching import installed_versions
from andon.models.health.fitting import fit_health, pack
from andon.models.health.graph import HealthGraph
from andon.models.health.graph_building import health_graph
from andon.models.health.operating import Row
from andon.models.health.settings import FeatureContract, HealthSettings
from andon.models.health.state import HealthState
from andon.models.health.watching import HealthModel, Phase, observe_all
from andon.models.types.vision import DataCard

RUNTIME_LIBRARIES = ("numpy", "onnx", "onnxruntime", "scipy")

GOLDEN_ROWS = 60
"""Judged rows of the golden sequence as they were, and as many once more with a fault."""

FAULT_DEVIATIONS = 8.0
"""The fault, in standard deviations of each measure: plain, so that no rounding can turn a decision."""


@dataclass(frozen=True, slots=True, eq=False)
class HealthLesson:
    """What a health model is taught from.

    Parameters
    ----------
    rows
        Measures of each machine's healthy time, in the order of time, by asset.
    card
        Where they come from.
    options
        What else decided the rows, such as a share kept for tests.
    seed
        Of the golden rows.
    """

    rows: Mapping[str, Sequence[Row]]
    contract: FeatureContract
    settings: HealthSettings
    card: DataCard
    options: Mapping[str, str | int | float] = field(default_factory=dict)
    seed: int = 0


def teach_health(lesson: HealthLesson) -> tuple[HealthBundle, HealthModel]:
    """Fit and pack a health model.

    Returns
    -------
    HealthBundle
        The same bytes for the same lesson.
    HealthModel
        What ``load_health`` makes of it.

    Raises
    ------
    OptionError, AssetError
        As ``fit_health`` raises them.
    """
    graph = health_graph()
    model = fit_health(lesson.rows, lesson.contract, lesson.settings, HealthGraph(graph).distances)
    keys, arrays = pack(model.baselines)
    asset = keys[0].asset
    files = {
        MODEL: graph,
        MEANS: encode_array(arrays.means),
        WHITENERS: encode_array(arrays.whiteners),
        CALIBRATION: encode_array(arrays.scores),
        DRIFT_LIMITS: encode_array(arrays.drift_limits),
        **golden_files(model, asset, _golden_sequence(model, asset, lesson.rows[asset]), lesson.seed),
    }
    manifest = HealthManifest(
        schema_version=SCHEMA_VERSION,
        kind=HEALTH[0],
        method=HEALTH[1],
        features=lesson.contract,
        settings=lesson.settings,
        baselines=keys,
        data=lesson.card,
        options=dict(lesson.options),
        seed=lesson.seed,
        libraries=installed_versions(RUNTIME_LIBRARIES),
        files=file_digests(files),
    )
    return Bundle(manifest, files), model


def _golden_sequence(model: HealthModel, asset: str, rows: Sequence[Row]) -> list[Row]:
    """Take rows up to the last that can be judged, as they were, then once more with every feature raised."""
    _, observations = observe_all(model, HealthState(asset), rows)
    end = max(place for place, each in enumerate(observations, start=1) if each.phase is Phase.JUDGED)
    healthy = rows[max(0, end - GOLDEN_ROWS - model.settings.gate.settle_rows) : end]
    axes = {axis.name for axis in model.settings.gate.axes}
    rises = {name: _rise(name, healthy) for name in model.contract.names if name not in axes}
    faulty = [{name: _raised(value, rises.get(name, 0.0)) for name, value in row.items()} for row in healthy]
    return [*healthy, *faulty]


def _rise(name: str, rows: Sequence[Row]) -> float:
    values = [value for row in rows if (value := row.get(name)) is not None]
    return float(FAULT_DEVIATIONS * np.nanstd(values))


def _raised(value: float | None, rise: float) -> float | None:
    return None if value is None else value + rise
