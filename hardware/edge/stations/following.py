"""Recipes that follow the releases of a bundle: what runs, what is tried beside it, and what came of either."""

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

from andon.datasets.registry.stores import BundleSource
from andon.hardware.edge.stations.judging import Judged, RecipeInUse
from andon.hardware.edge.stations.recipes import PlacedInspector, bundle_document, placed_inspector
from andon.hardware.edge.threads import check_runs
from andon.hardware.edge.updates.shadow import Shadow
from andon.hardware.edge.updates.slots import Slots
from andon.hardware.edge.updates.updater import Running, Updater, UpdateSettings
from andon.hardware.profiles.profile import DeviceProfile
from andon.models.bundle.runtime import LoadedInspector
from andon.models.types.camera import CameraSettings
from andon.models.types.errors import BundleError
from andon.models.types.vision import Inspection

logger = logging.getLogger(__name__)

END_S = 5.0
"""What fetching may still take when the agent ends: what was not fetched whole is fetched again."""

User = tuple[str, str]
"""A recipe and its station."""

Prepare = Callable[[PlacedInspector], Mapping[User, RecipeInUse]]
"""Makes the recipes of all users of a version; raises ``ResourceError``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """How a bundle is followed.

    Parameters
    ----------
    folder
        Where the versions lie.
    poll_s
        How often the source is asked.
    """

    folder: Path
    settings: UpdateSettings
    poll_s: float
    device: DeviceProfile


class FollowedBundle:
    """The versions of one bundle on this box, for all recipes that use it; follows while it is used in a ``with`` statement.

    Whatever a version needs to judge is made where it is loaded, beside the line: it takes over from one part to the next.
    """

    def __init__(self, following: Following, source: BundleSource, prepare: Prepare) -> None:
        self._following, self._prepare = following, prepare
        self._prepared: dict[str, Mapping[User, RecipeInUse]] = {}
        self.updater = Updater(Slots(following.folder), source, following.settings, _now, self._load)
        self._shadow = Shadow(following.device.cores)
        self._stop = Event()
        self._thread = Thread(target=self._follow, name=f"updates {following.settings.name}", daemon=True)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Load what runs, and begin to follow. Raises ``ResourceError`` where the disk cannot be used."""
        try:
            self.updater.start()
        except BundleError as error:  # no part is judged by it, and a release to come is taken
            logger.error("nothing to run", extra={"fields": {"code": error.code, "reason": str(error)}})
        self._open.enter_context(self._shadow)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remember what was counted."""
        self._stop.set()
        self.updater.changed.set()
        self._thread.join(END_S)
        self._open.close()
        self.updater.stop()

    def check(self) -> None:
        """Return where releases are followed. Raises ``ThreadEndedError`` where they are not any more, whatever the reason."""
        check_runs(self._thread)

    def current(self, user: User) -> RecipeInUse:
        """What judges now. Raises ``BundleError`` where nothing can yet."""
        active = self.updater.active
        if active is None:
            raise BundleError("update.none_yet", self._following.settings.name, source=self._following.settings.by)
        return self._prepared[active.digest][user]

    def compare(self, judged: Judged) -> None:
        """Let the candidate judge a part too."""
        candidate = self.updater.candidate
        if candidate is not None and isinstance(candidate.loaded, LoadedInspector):
            self._offer(candidate, candidate.loaded, judged)

    def _offer(self, candidate: Running, loaded: LoadedInspector, judged: Judged) -> None:
        def compared(found: Inspection | None) -> None:
            self.updater.compared(candidate.digest, judged.found.value, found.verdict.value if found else None)

        self._shadow.offer(loaded.inspector, judged.shot.frame, compared)

    def _follow(self) -> None:
        self.updater.run(self._stop, self._following.poll_s)

    def _load(self, path: Path) -> LoadedInspector:
        placed = placed_inspector(path, self._following.device)
        digest = placed.loaded.bundle.digest
        running = [each.digest for each in (self.updater.active, self.updater.candidate) if each]
        kept = {each: self._prepared[each] for each in running}
        self._prepared = {**kept, digest: self._prepare(placed)}
        return placed.loaded


@dataclass(frozen=True, slots=True)
class FollowedRecipe:
    """A recipe whose bundle is whichever version runs."""

    name: str
    settings: CameraSettings
    station: str
    bundle: FollowedBundle

    def current(self) -> RecipeInUse:
        """What judges now. Raises ``BundleError`` where nothing can yet."""
        return self.bundle.current((self.name, self.station))

    def judged(self, judged: Judged) -> None:
        """Count a part, and let a candidate judge it too."""
        self.bundle.updater.judged(judged.recipe.bundle.digest)
        self.bundle.compare(judged)

    def failed(self, used: RecipeInUse) -> None:
        """Count a part that could not be judged."""
        self.bundle.updater.judged(used.bundle.digest, failed=True)

    def late(self, used: RecipeInUse) -> None:
        """Count a part that was too late."""
        self.bundle.updater.judged(used.bundle.digest, missed_takt=True)

    def document(self) -> dict[str, Any]:
        """Say which version runs, and how the update stands."""
        updater = self.bundle.updater
        running = bundle_document(self.current()) if updater.active else {"provider": None}
        return {**running, **updater.document()}


def _now() -> datetime:
    return datetime.now(UTC)
