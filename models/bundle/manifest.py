"""What a bundle says of itself, as canonical JSON: no time, no run id, so that equal inputs give equal bytes."""

from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import rfc8785

from andon.models.types.errors import BundleError
from andon.models.types.vision import DataCard
from andon.models.vision.calibration import OperatingPoint
from andon.models.vision.gates import Gate
from andon.models.vision.scoring import Polygon

SCHEMA_VERSION = 1


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


@dataclass(frozen=True, slots=True)
class FileDigest:
    """Size and SHA-256 of one file of the bundle."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that is decided about a detector beside its graph and bank.

    ``regions`` are the polygons to look in, as fractions of width and height; none means everywhere. ``options`` are
    those of the fit. ``files`` holds every file of the bundle but the manifest and the signature.
    """

    schema_version: int
    kind: str
    method: str
    input: InputContract
    preprocessing: Preprocessing
    operating_point: OperatingPoint
    gates: tuple[Gate, ...]
    regions: tuple[Polygon, ...]
    classes: tuple[str, ...]
    data: DataCard
    options: dict[str, str | int | float]
    seed: int
    libraries: dict[str, str]
    files: dict[str, FileDigest]

    def encode(self) -> bytes:
        """Encode as canonical JSON (RFC 8785)."""
        return rfc8785.dumps(asdict(self))


def decode_manifest(encoded: bytes, subject: str) -> Manifest:
    """Decode a manifest.

    Raises
    ------
    BundleError
        Not JSON, a newer schema, or a member missing or of another type.
    """
    try:
        document = msgspec.json.decode(encoded)
        version = _schema_version(document, subject)
        if version > SCHEMA_VERSION:
            raise BundleError("bundle.newer_schema", subject, found=version, expected=SCHEMA_VERSION)
        return msgspec.convert(document, Manifest)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BundleError("bundle.manifest", subject, reason=str(error)) from error


def _schema_version(document: Any, subject: str) -> int:
    version = document.get("schema_version") if isinstance(document, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise BundleError("bundle.manifest", subject, reason="schema_version")
    return version
