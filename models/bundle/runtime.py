"""From a bundle to an inspector that has proved itself on this machine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from andon.models.bundle.bundle import BANK, MANIFEST, MODEL, Bundle
from andon.models.bundle.goldens import Parity, measure_parity
from andon.models.bundle.storage import read_bundle
from andon.models.types.errors import BundleError
from andon.models.vision.graph import BANK_MULTIPLE, PatchGraph
from andon.models.vision.inspector import PatchInspector, PatchScorer
from andon.models.vision.preprocessing import INTENSITIES

VISION = "vision"


@dataclass(frozen=True)
class LoadedBundle:
    """A bundle whose goldens were reproduced here, ready to inspect."""

    bundle: Bundle
    inspector: PatchInspector


def load_bundle(path: Path) -> LoadedBundle:
    """Read the bundle at ``path``, check it and its goldens, and return its inspector.

    Raises
    ------
    BundleError
        The bundle is damaged, or this machine does not reproduce its goldens.
    """
    bundle = read_bundle(path)
    inspector = make_inspector(bundle)
    parity = measure_parity(inspector.scorer, bundle.files, inspector.threshold)
    if not parity.holds:
        raise BundleError("bundle.parity", str(path), found=f"{parity.worst:.2e}", expected=f"{parity.tolerance:.0e}")
    return LoadedBundle(bundle, inspector)


def make_inspector(bundle: Bundle) -> PatchInspector:
    """Make the inspector of ``bundle``, without running its goldens."""
    manifest = bundle.manifest
    if (manifest.kind, manifest.method) not in _MAKERS:
        raise BundleError("bundle.kind", MODEL, found=f"{manifest.kind}/{manifest.method}", expected="vision/patchcore")
    return _MAKERS[manifest.kind, manifest.method](bundle)


def check_parity(bundle: Bundle) -> Parity:
    """Measure how well this machine reproduces the goldens of ``bundle``."""
    inspector = make_inspector(bundle)
    return measure_parity(inspector.scorer, bundle.files, inspector.threshold)


def _patch_inspector(bundle: Bundle) -> PatchInspector:
    graph = PatchGraph(bundle.files[MODEL])
    bank = _checked_bank(bundle.bank(), graph.dimensions)
    manifest = bundle.manifest
    if manifest.preprocessing.intensity not in INTENSITIES:
        raise BundleError("bundle.manifest", MANIFEST, reason=f"intensity {manifest.preprocessing.intensity}")
    scorer = PatchScorer(graph, bank, manifest.preprocessing.intensity, manifest.regions)
    return PatchInspector(scorer, manifest.operating_point.threshold, manifest.gates)


def _checked_bank(bank: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    if bank.ndim != 2 or bank.shape[1] != dimensions or not len(bank) or len(bank) % BANK_MULTIPLE:
        raise BundleError("bundle.bank", BANK, found=str(list(bank.shape)), expected=dimensions)
    return bank


_MAKERS: Mapping[tuple[str, str], Callable[[Bundle], PatchInspector]] = {(VISION, "patchcore"): _patch_inspector}
