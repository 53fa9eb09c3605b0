"""What a bundle says of itself, as canonical JSON: no time, no run id, so that equal inputs give equal bytes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import msgspec
import rfc8785

from andon.models.alerts.case import AlertPolicy
from andon.models.health.settings import BaselineKey, FeatureContract, HealthSettings
from andon.models.types.errors import BundleError
from andon.models.types.vision import DataCard
from andon.models.vision.calibration import OperatingPoint
from andon.models.vision.gates import Gate
from andon.models.vision.scoring import Polygon

SCHEMA_VERSION = 1
"""Rises where a reader would misread what it knows. Another kind of bundle is none of its business: see ``KINDS``."""

BANK = "bank.npy"
MEANS, WHITENERS = "means.npy", "whiteners.npy"
CALIBRATION, DRIFT_LIMITS = "calibration.npy", "drift_limits.npy"


@dataclass(frozen=True, slots=True)
class FileDigest:
    """Size and SHA-256 of one file of the bundle."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What every bundle says: what it is, what it was made from and with, and which files belong to it.

    ``options`` are those of the fit. ``files`` holds every file of the bundle but the manifest and the signature.
    """

    parts: ClassVar[tuple[str, ...]] = ()
    """The files that a bundle of this kind cannot do without, beside its graph and goldens."""

    schema_version: int
    kind: str
    method: str
    data: DataCard
    options: dict[str, str | int | float]
    seed: int
    libraries: dict[str, str]
    files: dict[str, FileDigest]

    @property
    def label(self) -> str:
        """Kind and method in one word."""
        return f"{self.kind}/{self.method}"

    def encode(self) -> bytes:
        """Encode as canonical JSON (RFC 8785)."""
        return rfc8785.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class InputContract:
    """What the graph takes: ``dtype`` ``[1, height, width, 3]`` in ``layout``, channels in the order ``channels``."""

    height: int
    width: int
    dtype: str = "uint8"
    layout: str = "NHWC"
    channels: str = "RGB"


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a frame is brought to the input contract.

    ``shrink`` and ``grow`` name the interpolation; ``intensity`` is ``"as-is"``, or ``"standardised"`` for a mean of 127
    and a standard deviation of 40 over all values of the resized image.
    """

    intensity: str
    shrink: str = "area"
    grow: str = "bilinear"


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionManifest(Manifest):
    """Everything that is decided about a detector beside its graph and bank.

    ``regions`` are the polygons to look in, as fractions of width and height; none means everywhere.
    """

    parts: ClassVar[tuple[str, ...]] = (BANK,)

    input: InputContract
    preprocessing: Preprocessing
    operating_point: OperatingPoint
    gates: tuple[Gate, ...]
    regions: tuple[Polygon, ...]
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthManifest(Manifest):
    """Everything that is decided about a health model beside its graph and the arrays of its baselines.

    ``features`` are the measures that the graph takes, in order; ``baselines`` says what each entry of the arrays is;
    ``alerts`` are the rules that the budget of false alarms was chosen with.
    """

    parts: ClassVar[tuple[str, ...]] = (MEANS, WHITENERS, CALIBRATION, DRIFT_LIMITS)

    features: FeatureContract
    settings: HealthSettings
    baselines: tuple[BaselineKey, ...]
    alerts: AlertPolicy = field(default_factory=AlertPolicy)


VISION, EQUIPMENT = "vision", "equipment"
PATCHCORE, HEALTH = (VISION, "patchcore"), (EQUIPMENT, "health")

AnyManifest = VisionManifest | HealthManifest

KINDS: Mapping[tuple[str, str], type[VisionManifest] | type[HealthManifest]] = {
    PATCHCORE: VisionManifest,
    HEALTH: HealthManifest,
}
"""The manifest of each kind and method that this version of Andon knows."""


def decode_manifest(encoded: bytes, subject: str) -> AnyManifest:
    """Decode a manifest of any kind.

    Raises
    ------
    BundleError
        Not JSON, a newer schema, a kind that is not known, or a member missing or of another type.
    """
    try:
        document = msgspec.json.decode(encoded)
        version = _schema_version(document, subject)
        if version > SCHEMA_VERSION:
            raise BundleError("bundle.newer_schema", subject, found=version, expected=SCHEMA_VERSION)
        return msgspec.convert(document, _kind(msgspec.convert(document, _Kind), subject))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError("bundle.manifest", subject, reason=str(error)) from error


class _Kind(msgspec.Struct):
    kind: str
    method: str


def _kind(found: _Kind, subject: str) -> type[VisionManifest] | type[HealthManifest]:
    if (found.kind, found.method) not in KINDS:
        expected = ", ".join("/".join(kind) for kind in KINDS)
        raise BundleError("bundle.kind", subject, found=f"{found.kind}/{found.method}", expected=expected)
    return KINDS[found.kind, found.method]


def _schema_version(document: Any, subject: str) -> int:
    version = document.get("schema_version") if isinstance(document, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise BundleError("bundle.manifest", subject, reason="schema_version")
    return version
