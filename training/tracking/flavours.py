"""What MLflow is told of each kind of bundle: the code that predicts, what it takes and gives, and its own parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from mlflow.types.schema import Array, Map, Object, Property

from andon.models.bundle.health_goldens import measures_of
from andon.models.bundle.manifest import AnyManifest, HealthManifest, VisionManifest
from andon.models.health.rows import ASSET
from andon.models.vision.rows import IMAGE

BUNDLE_ARTIFACT = "bundle"

Column = DataType | Array | Object | Map

_HERE = Path(__file__).parent
_DEFECT = Object(
    [
        Property("bbox", Array(DataType.long)),
        Property("score", DataType.double),
        Property("area_px", DataType.long),
        Property("class", DataType.string),
    ]
)


@dataclass(frozen=True, slots=True)
class Flavour:
    """How bundles of one kind are logged.

    Parameters
    ----------
    code
        The file that is logged beside the bundle and defines the model; mlflow runs it, nothing else imports it.
    parameters
        What a run's parameters hold beside the options of the fit.
    """

    code: Path
    signature: ModelSignature
    parameters: Mapping[str, str | int | float]


def flavour_of(manifest: AnyManifest) -> Flavour:
    """Choose how a bundle is logged by its kind."""
    match manifest:
        case VisionManifest():
            return _inspection(manifest)
        case HealthManifest():
            return _health(manifest)


def _inspection(manifest: VisionManifest) -> Flavour:
    """A row is a verdict or an error, so no column of the answer is always there."""
    outputs: dict[str, Column] = {
        "verdict": DataType.string,
        "score": DataType.double,
        "threshold": DataType.double,
        "reason": DataType.string,
        "defects": Array(_DEFECT),
        "error": DataType.string,
    }
    return Flavour(
        code=_HERE / "pyfunc_model.py",
        signature=ModelSignature(Schema([ColSpec(DataType.binary, IMAGE)]), _optional(outputs)),
        parameters={"input_height": manifest.input.height, "input_width": manifest.input.width},
    )


def _health(manifest: HealthManifest) -> Flavour:
    """A row that is not judged has neither score nor contributions."""
    measures = measures_of(manifest.features, manifest.settings)
    outputs: dict[str, Column] = {
        "asset": DataType.string,
        "state": DataType.string,
        "phase": DataType.string,
        "score": DataType.double,
        "threshold": DataType.double,
        "anomalous": DataType.boolean,
        "contributions": Map(DataType.double),
    }
    asset = ColSpec(DataType.string, ASSET, required=False)
    return Flavour(
        code=_HERE / "pyfunc_health.py",
        signature=ModelSignature(
            Schema([*(ColSpec(DataType.double, name) for name in measures), asset]), _optional(outputs)
        ),
        parameters=_settings(manifest),
    )


def _settings(manifest: HealthManifest) -> dict[str, str | int | float]:
    values = {field.name: getattr(manifest.settings, field.name) for field in fields(manifest.settings)}
    return {
        **{name: value for name, value in values.items() if isinstance(value, int | float)},
        "features": ",".join(manifest.features.names),
        "baselines": len(manifest.baselines),
    }


def _optional(columns: Mapping[str, Column]) -> Schema:
    return Schema([ColSpec(kind, name, required=False) for name, kind in columns.items()])
