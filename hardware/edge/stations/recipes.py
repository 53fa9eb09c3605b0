"""The recipes of a station: camera settings with a bundle, which stays the same or follows the releases of one."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from andon.datasets.store.opening import Store
from andon.datasets.store.recipes import Recipes
from andon.datasets.store.recorder import BundleRecord
from andon.hardware.edge.config.plans import Recipe
from andon.hardware.edge.stations.judging import Judged, RecipeInUse
from andon.hardware.profiles.affinity import bound_to
from andon.hardware.profiles.placing import Refusal, installed_runtime, place_bundle
from andon.hardware.profiles.profile import DeviceProfile
from andon.models.bundle.runtime import LoadedInspector
from andon.models.bundle.storage import read_bundle
from andon.models.types.camera import CameraSettings
from andon.models.types.errors import BundleError


class StationRecipe(Protocol):
    """A recipe as a station runs it. All but ``document`` is called between a trigger and its answer, and waits for nothing."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def settings(self) -> CameraSettings:
        """What it asks of the camera."""

    def current(self) -> RecipeInUse:
        """What judges now. Raises ``BundleError`` where nothing can yet."""

    def judged(self, judged: Judged) -> None:
        """Take note of a part that was judged."""

    def failed(self, used: RecipeInUse) -> None:
        """Take note of a part that could not be judged."""

    def late(self, used: RecipeInUse) -> None:
        """Take note of a part that was not judged within the takt."""

    def document(self) -> dict[str, Any]:
        """Say which bundle runs, and on what."""


@dataclass(frozen=True, slots=True)
class FixedRecipe:
    """A recipe whose bundle stays the same as long as the agent runs."""

    used: RecipeInUse

    @property
    def name(self) -> str:
        """Its name."""
        return self.used.name

    @property
    def settings(self) -> CameraSettings:
        """What it asks of the camera."""
        return self.used.settings

    def current(self) -> RecipeInUse:
        """What judges."""
        return self.used

    def judged(self, judged: Judged) -> None:
        """Nothing depends on it."""

    def failed(self, used: RecipeInUse) -> None:
        """Nothing depends on it."""

    def late(self, used: RecipeInUse) -> None:
        """Nothing depends on it."""

    def document(self) -> dict[str, Any]:
        """Say which bundle runs, and on what."""
        return bundle_document(self.used)


def bundle_document(used: RecipeInUse) -> dict[str, Any]:
    """Build what the status says of a bundle."""
    return {"bundle": used.bundle.name, "bundle_digest": used.bundle.digest, "provider": used.provider}


@dataclass(frozen=True, slots=True)
class PlacedInspector:
    """A vision bundle on a device.

    Parameters
    ----------
    refusals
        Devices that were to be used before, and why they are not.
    """

    loaded: LoadedInspector
    provider: str
    refusals: Sequence[Refusal]


def placed_inspector(path: Path, device: DeviceProfile) -> PlacedInspector:
    """Put the bundle at ``path`` on the box's device, where it proves itself.

    Raises
    ------
    BundleError
        It is damaged, inspects no images, or this box does not reproduce its goldens.
    """
    with bound_to(device.cores):
        placed = place_bundle(read_bundle(path), str(path), device, installed_runtime())
    if not isinstance(placed.loaded, LoadedInspector):
        found = placed.loaded.bundle.manifest.label
        raise BundleError("bundle.kind", str(path), found=found, expected=LoadedInspector.kind)
    return PlacedInspector(placed.loaded, placed.provider, placed.refusals)


def in_use(store: Store, recipe: Recipe, station: str, bundle_name: str, placed: PlacedInspector) -> RecipeInUse:
    """Keep what the recipe says for good, so that every record can name it. Raises ``ResourceError``."""
    bundle = placed.loaded.bundle
    document = {**asdict(recipe.settings), "camera": recipe.camera, "number": recipe.number}
    kept = Recipes(store.database).put(recipe.name, station, document, bundle.digest, datetime.now(UTC))
    record = BundleRecord(bundle.digest, bundle_name, bundle.manifest.label, bundle.manifest.encode())
    return RecipeInUse(recipe.name, kept, recipe.settings, record, placed.loaded.inspector, placed.provider)
