"""From a bundle to what judges by it, once it has proved itself on this machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from andon.models.bundle import health_goldens, vision_goldens
from andon.models.bundle.bundle import MANIFEST, MODEL, AnyBundle, Bundle, HealthBundle, VisionBundle
from andon.models.bundle.goldens import Parity
from andon.models.bundle.manifest import (
    BANK,
    CALIBRATION,
    DRIFT_LIMITS,
    HEALTH,
    MEANS,
    PATCHCORE,
    WHITENERS,
    HealthManifest,
    VisionManifest,
)
from andon.models.bundle.storage import read_bundle
from andon.models.graphs.placement import SessionMaker, open_session
from andon.models.health.fitting import BaselineArrays, unpack
from andon.models.health.graph import HealthGraph
from andon.models.health.watching import HealthModel
from andon.models.types.errors import BundleError
from andon.models.vision.graph import BANK_MULTIPLE, PatchGraph
from andon.models.vision.inspector import PatchInspector, PatchScorer
from andon.models.vision.preprocessing import INTENSITIES


@dataclass(frozen=True)
class LoadedInspector:
    """A vision bundle, ready to inspect."""

    kind: ClassVar[str] = "/".join(PATCHCORE)

    bundle: VisionBundle
    inspector: PatchInspector

    def parity(self) -> Parity:
        """Measure how well this machine reproduces the goldens."""
        return vision_goldens.measure_parity(self.inspector.scorer, self.bundle.files, self.inspector.threshold)


@dataclass(frozen=True)
class LoadedHealth:
    """A bundle of a health model, ready to judge machines."""

    kind: ClassVar[str] = "/".join(HEALTH)

    bundle: HealthBundle
    model: HealthModel

    def parity(self) -> Parity:
        """Measure how well this machine reproduces the goldens."""
        return health_goldens.measure_parity(self.model, self.bundle.files)


LoadedBundle = LoadedInspector | LoadedHealth
"""A bundle of any kind, ready for use."""

Loaded = TypeVar("Loaded", bound=LoadedBundle)


def load_bundle(path: Path) -> LoadedBundle:
    """Read the bundle at ``path``, whatever its kind, and check it and its goldens.

    Raises
    ------
    BundleError
        The bundle is damaged, or this machine does not reproduce its goldens.
    """
    loaded = open_bundle(read_bundle(path))
    require_parity(loaded, str(path))
    return loaded


def require_parity(loaded: LoadedBundle, subject: str) -> Parity:
    """Let a bundle prove itself by its goldens, and say how well it does. Raises ``BundleError`` where that is not well enough."""
    parity = loaded.parity()
    if not parity.holds:
        raise BundleError("bundle.parity", subject, found=f"{parity.worst:.2e}", expected=f"{parity.tolerance:.0e}")
    return parity


def load_inspector(path: Path) -> LoadedInspector:
    """Load the vision bundle at ``path`` as ``load_bundle`` does; one of another kind is a ``BundleError``."""
    return _expect(LoadedInspector, load_bundle(path), path)


def _expect(kind: type[Loaded], loaded: LoadedBundle, path: Path) -> Loaded:
    if not isinstance(loaded, kind):
        raise BundleError("bundle.kind", str(path), found=loaded.bundle.manifest.label, expected=kind.kind)
    return loaded


def load_health(path: Path) -> LoadedHealth:
    """Load the health model at ``path`` as ``load_bundle`` does; a bundle of another kind is a ``BundleError``."""
    return _expect(LoadedHealth, load_bundle(path), path)


def open_bundle(bundle: AnyBundle, make_session: SessionMaker = open_session) -> LoadedBundle:
    """Make what judges by ``bundle`` on what ``make_session`` decides, without running its goldens."""
    match bundle.manifest:
        case VisionManifest() as manifest:
            vision = Bundle(manifest, bundle.files, bundle.signature)
            return LoadedInspector(vision, make_inspector(vision, make_session))
        case HealthManifest() as manifest:
            health = Bundle(manifest, bundle.files, bundle.signature)
            return LoadedHealth(health, make_health_model(health, make_session))


def check_parity(bundle: AnyBundle) -> Parity:
    """Measure how well this machine reproduces the goldens of ``bundle``."""
    return open_bundle(bundle).parity()


def make_inspector(bundle: VisionBundle, make_session: SessionMaker = open_session) -> PatchInspector:
    """Make the inspector of ``bundle``, without running its goldens."""
    graph = PatchGraph(bundle.files[MODEL], make_session=make_session)
    bank = _checked_bank(bundle.array(BANK, np.float32), graph.dimensions)
    manifest = bundle.manifest
    if manifest.preprocessing.intensity not in INTENSITIES:
        raise BundleError("bundle.manifest", MANIFEST, reason=f"intensity {manifest.preprocessing.intensity}")
    scorer = PatchScorer(graph, bank, manifest.preprocessing.intensity, manifest.regions)
    return PatchInspector(scorer, manifest.operating_point.threshold, manifest.gates)


def make_health_model(bundle: HealthBundle, make_session: SessionMaker = open_session) -> HealthModel:
    """Make the health model of ``bundle``, without running its goldens."""
    manifest = bundle.manifest
    n, d = len(manifest.baselines), len(manifest.features.names)
    _check_health(manifest)
    arrays = BaselineArrays(
        means=_shaped(bundle, MEANS, (n, d)),
        whiteners=_shaped(bundle, WHITENERS, (n, d, d)),
        scores=_shaped(bundle, CALIBRATION, (n, None)),
        drift_limits=_shaped(bundle, DRIFT_LIMITS, (n, d)),
    )
    score = HealthGraph(bundle.files[MODEL], make_session=make_session).distances
    return HealthModel(manifest.features, manifest.settings, unpack(manifest.baselines, arrays), score)


def _check_health(manifest: HealthManifest) -> None:
    """Refuse what a manifest can say but nothing can be made of."""
    keys = [(key.asset, key.state) for key in manifest.baselines]
    if not keys or len(set(keys)) != len(keys):
        raise BundleError("bundle.manifest", MANIFEST, reason="baselines")
    if not manifest.features.names or len(manifest.features.names) != len(manifest.features.transforms):
        raise BundleError("bundle.manifest", MANIFEST, reason="features")


def _shaped(bundle: HealthBundle, name: str, expected: tuple[int | None, ...]) -> NDArray[np.float64]:
    """Read an array of float64 whose shape is as ``expected``, None for any extent."""
    array = bundle.array(name, np.float64)
    shape = tuple(found if size is None else size for found, size in zip(array.shape, expected, strict=False))
    if array.shape != shape or array.ndim != len(expected):
        listed = ", ".join("m" if size is None else str(size) for size in expected)
        raise BundleError("bundle.baselines", name, found=str(list(array.shape)), expected=f"[{listed}]")
    return array


def _checked_bank(bank: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    if bank.ndim != 2 or bank.shape[1] != dimensions or not len(bank) or len(bank) % BANK_MULTIPLE:
        raise BundleError("bundle.bank", BANK, found=str(list(bank.shape)), expected=dimensions)
    return bank
