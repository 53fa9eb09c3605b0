"""A model in service: a loaded bundle under its name, with what it can be asked."""

from dataclasses import dataclass, field

from andon.datasets.condition.desk import HealthJudge
from andon.models.bundle.manifest import AnyManifest, HealthManifest, VisionManifest
from andon.models.bundle.runtime import LoadedBundle, LoadedHealth, LoadedInspector
from andon.models.health.watching import HealthModel
from andon.models.types.vision import Inspector
from andon.serving.engine.contract import AnyContract
from andon.serving.engine.health_contract import health_contract
from andon.serving.engine.inspector_contract import inspector_contract
from andon.serving.engine.statistics import Statistics

VERSION_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One loaded bundle under its name. It never changes: a new bundle makes a new model.

    ``contract`` is what the Open Inference Protocol can ask of it.
    """

    name: str
    digest: str
    manifest: AnyManifest
    contract: AnyContract
    statistics: Statistics = field(default_factory=Statistics)

    @property
    def version(self) -> str:
        """The version that clients name: the beginning of the bundle's digest."""
        return self.digest[:VERSION_DIGITS]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedInspector(Model):
    """A model that inspects images."""

    manifest: VisionManifest
    inspector: Inspector


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedHealth(Model):
    """A model that judges the health of machines."""

    manifest: HealthManifest
    health: HealthModel

    @property
    def judge(self) -> HealthJudge:
        """What judges signals."""
        return HealthJudge(self.name, self.digest, self.health, self.manifest.alerts)


def served(name: str, loaded: LoadedBundle) -> Model:
    """Put a bundle of any kind into service under ``name``."""
    digest = loaded.bundle.digest
    match loaded:
        case LoadedInspector(bundle, inspector):
            return ServedInspector(
                name=name,
                digest=digest,
                manifest=bundle.manifest,
                contract=inspector_contract(inspector, bundle.manifest.input),
                inspector=inspector,
            )
        case LoadedHealth(bundle, health):
            return ServedHealth(
                name=name, digest=digest, manifest=bundle.manifest, contract=health_contract(health), health=health
            )
