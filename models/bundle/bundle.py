"""A bundle in memory: its manifest and its files, checked against each other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from typing import Any, Generic, TypeVar

import numpy as np
import onnx
from google.protobuf.message import DecodeError, Message
from numpy.typing import NDArray

from andon.models.bundle.manifest import (
    AnyManifest,
    FileDigest,
    HealthManifest,
    Manifest,
    VisionManifest,
    decode_manifest,
)
from andon.models.types.errors import BundleError

MANIFEST = "manifest.json"
SIGNATURE = "signature.json"
MODEL = "model.onnx"
GOLDEN_FOLDER = "goldens"
EXPECTED = f"{GOLDEN_FOLDER}/expected.json"
MIN_OPSET = 18


Number = TypeVar("Number", np.float32, np.float64)
Manifest_co = TypeVar("Manifest_co", bound=Manifest, covariant=True)


@dataclass(frozen=True)
class Bundle(Generic[Manifest_co]):
    """The deployable unit.

    ``files`` maps each name (``model.onnx``, ``goldens/00.png``) to its contents. ``signature`` is ``signature.json`` as it was read:
    who believes it asks ``andon.models.bundle.signature``.
    """

    manifest: Manifest_co
    files: Mapping[str, bytes]
    signature: bytes | None = None

    @property
    def contents(self) -> dict[str, bytes]:
        """Every file as it is written: the manifest first."""
        signed = {} if self.signature is None else {SIGNATURE: self.signature}
        return {MANIFEST: self.manifest.encode(), **self.files, **signed}

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest, which holds the digest of every other file."""
        return sha256(self.manifest.encode()).hexdigest()

    def array(self, name: str, dtype: type[Number]) -> NDArray[Number]:
        """Read a part that is an array of ``dtype``."""
        return decode_array(self.files[name], name, dtype)


AnyBundle = Bundle[AnyManifest]
VisionBundle = Bundle[VisionManifest]
HealthBundle = Bundle[HealthManifest]


def file_digests(files: Mapping[str, bytes]) -> dict[str, FileDigest]:
    """Size and SHA-256 of each file."""
    return {name: FileDigest(len(data), sha256(data).hexdigest()) for name, data in sorted(files.items())}


def encode_array(array: NDArray[np.floating[Any]]) -> bytes:
    """Encode as ``.npy``."""
    buffer = BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def decode_array(encoded: bytes, subject: str, dtype: type[Number]) -> NDArray[Number]:
    """Decode a ``.npy`` of ``dtype``; pickled objects are refused."""
    try:
        array = np.load(BytesIO(encoded), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise BundleError("bundle.array", subject, reason=str(error), expected=dtype.__name__) from error
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        found = f"dtype {getattr(array, 'dtype', type(array).__name__)}"
        raise BundleError("bundle.array", subject, reason=found, expected=dtype.__name__)
    return array


def checked_bundle(contents: Mapping[str, bytes], subject: str) -> AnyBundle:
    """Check what was read from a folder or zip, and make a bundle of it.

    Names, sizes and digests first; only then is anything decoded.

    Raises
    ------
    BundleError
        The manifest or a file is missing, a file is not in the manifest, changed, or the graph has external data.
    """
    if MANIFEST not in contents:
        raise BundleError("bundle.no_manifest", subject)
    manifest = decode_manifest(contents[MANIFEST], f"{subject}/{MANIFEST}")
    files = {name: data for name, data in contents.items() if name not in (MANIFEST, SIGNATURE)}
    _check_names(manifest, files, subject)
    _check_digests(manifest, files, subject)
    _check_graph(files[MODEL], f"{subject}/{MODEL}")
    return Bundle(manifest, files, contents.get(SIGNATURE))


def _check_names(manifest: Manifest, files: Mapping[str, bytes], subject: str) -> None:
    for name in sorted({*manifest.files, *manifest.parts, MODEL, EXPECTED} - files.keys()):
        raise BundleError("bundle.missing_file", f"{subject}/{name}")
    for name in sorted(files.keys() - manifest.files.keys()):
        raise BundleError("bundle.extra_file", f"{subject}/{name}")


def _check_digests(manifest: Manifest, files: Mapping[str, bytes], subject: str) -> None:
    found = file_digests(files)
    for name, expected in manifest.files.items():
        if found[name] != expected:
            raise BundleError(
                "bundle.changed_file",
                f"{subject}/{name}",
                found=f"{found[name].size} B {found[name].sha256[:12]}",
                expected=f"{expected.size} B {expected.sha256[:12]}",
            )


def _check_graph(model: bytes, subject: str) -> None:
    try:
        graph = onnx.load_model_from_string(model)
    except (DecodeError, ValueError) as error:
        raise BundleError("bundle.graph", subject, reason=str(error)) from error
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data for tensor in _tensors(graph)):
        raise BundleError("bundle.external_data", subject)
    opset = max((entry.version for entry in graph.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    if opset < MIN_OPSET:
        raise BundleError("bundle.opset", subject, found=opset, expected=MIN_OPSET)


def _tensors(message: Message) -> Iterator[onnx.TensorProto]:
    """Every tensor below ``message``, wherever the format allows one: initialisers, attributes, subgraphs, functions."""
    if isinstance(message, onnx.TensorProto):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for child in value if field.is_repeated else (value,):
                yield from _tensors(child)
