"""A station that runs releases of a bundle, and a folder that they come from."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from andon.datasets.registry.folder_store import FolderStore
from andon.hardware.edge.updates.policy import UpdatePolicy
from andon.hardware.edge.updates.slots import Slots
from andon.hardware.edge.updates.state import Phase
from andon.hardware.edge.updates.updater import Load, Updater, UpdateSettings
from andon.models.bundle.bundle import Bundle, VisionBundle
from andon.models.bundle.manifest import BANK
from andon.models.bundle.runtime import load_bundle
from andon.models.bundle.signature import Release, sign_bundle
from andon.models.signing.keys import SigningKey, generate_key

NAME = "plates"
START = datetime(2026, 3, 2, 6, tzinfo=UTC)
POLICY = UpdatePolicy(
    shadow_parts=4, allowed_differing=1, probation_parts=3, probation_s=60.0, allowed_takt_misses=1, retry_s=600.0
)

MakeRelease = Callable[..., VisionBundle]


@dataclass
class Clock:
    """A clock that the test sets."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture(scope="session")
def key() -> SigningKey:
    return generate_key()


@pytest.fixture(scope="session")
def release(tiny_bundle: VisionBundle, key: SigningKey) -> MakeRelease:
    """Sign the bundle with another digest for each number: ``release(2)``, ``release(2, version=1, name="boards")``."""

    def make(number: int, version: int | None = None, name: str = NAME, by: SigningKey = key) -> VisionBundle:
        manifest = replace(tiny_bundle.manifest, seed=1000 + (number if version is None else version))
        return sign_bundle(Bundle(manifest, tiny_bundle.files), Release(name, number, START), by)

    return make


@dataclass
class Station:
    """A box with a station, whose process may be started anew."""

    folder: Path
    store: FolderStore
    key: SigningKey
    clock: Clock = field(default_factory=Clock)
    policy: UpdatePolicy = POLICY
    load: Load = load_bundle

    def __post_init__(self) -> None:
        self.updater = self.make()

    def make(self) -> Updater:
        settings = UpdateSettings(name=NAME, trusted=[self.key.public], policy=self.policy)
        return Updater(Slots(self.folder), self.store, settings, self.clock, self.load)

    def restart(self) -> Updater:
        """As after a kill: nothing is said to the process before."""
        self.updater = self.make()
        self.updater.start()
        return self.updater

    def publish(self, bundle: VisionBundle) -> str:
        self.store.promote(NAME, self.store.put(bundle, NAME))
        return bundle.digest

    def update_to(self, bundle: VisionBundle) -> str:
        """Bring a release all the way until it is kept."""
        digest = self.publish(bundle)
        self.updater.poll()
        self.shadow()
        self.probation()
        assert self.updater.active
        assert (self.updater.active.digest, self.phase) == (digest, Phase.KEPT)
        return digest

    def shadow(self, new: str | None = "OK", parts: int = POLICY.shadow_parts) -> None:
        """Judge parts by both versions."""
        for _ in range(parts):
            if self.updater.candidate:
                self.updater.compared(self.updater.candidate.digest, "OK", new)
        self.updater.work()

    def probation(self, parts: int = POLICY.probation_parts, **how: bool) -> None:
        """Judge parts by the new version, for long enough."""
        self.clock.pass_s(POLICY.probation_s)
        for _ in range(parts):
            assert self.updater.active
            self.updater.judged(self.updater.active.digest, **how)
        self.updater.work()

    def version(self, digest: str) -> Path:
        """Where a version is kept, if it is."""
        return self.folder / "versions" / digest

    @property
    def kept(self) -> set[str]:
        """The versions that are kept."""
        return {path.name for path in (self.folder / "versions").iterdir()}

    @property
    def phase(self) -> Phase:
        return self.updater.state.phase

    @property
    def running(self) -> str | None:
        """What runs, on disk and in memory alike."""
        digest = self.updater.active.digest if self.updater.active else None
        assert Slots(self.folder).current == digest
        return digest


@pytest.fixture
def station(tmp_path: Path, key: SigningKey) -> Station:
    """A station before its first version."""
    made = Station(tmp_path / "station", FolderStore(tmp_path / "store"), key)
    made.updater.start()
    return made


@pytest.fixture
def running_station(station: Station, release: MakeRelease) -> Station:
    """A station that runs release 1 and had none before."""
    station.publish(release(1))
    station.updater.poll()
    assert station.phase is Phase.KEPT
    return station


def without_signature(bundle: VisionBundle) -> VisionBundle:
    return replace(bundle, signature=None)


def spoil_bank(folder: Path) -> None:
    """Change a byte of a bundle."""
    path = folder / BANK
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
