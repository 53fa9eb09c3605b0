"""Put a bundle on the best device of a profile that this machine has and that reproduces the goldens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import onnxruntime

from andon.hardware.profiles.profile import DeviceProfile
from andon.models.bundle.bundle import AnyBundle
from andon.models.bundle.goldens import Parity
from andon.models.bundle.runtime import LoadedBundle, open_bundle, require_parity
from andon.models.graphs.placement import CPU_PROVIDER, Placement, nodes_taken, open_session
from andon.models.types.errors import AndonError, BundleError, ResourceError


class DeviceError(ResourceError):
    """A device cannot be used: onnxruntime was built without it, or did not find it, or it takes nothing of the graph."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """onnxruntime as it is installed here, or what stands in for it.

    Parameters
    ----------
    available
        Names of the execution providers that it was built with.
    open_session
        Makes a session of a graph's bytes on a placement.
    """

    available: tuple[str, ...]
    open_session: Callable[[bytes, Placement], onnxruntime.InferenceSession]


def installed_runtime() -> Runtime:
    """Describe the onnxruntime of this environment."""
    return Runtime(tuple(onnxruntime.get_available_providers()), open_session)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an execution provider is not used."""

    provider: str
    error: AndonError


@dataclass(frozen=True, slots=True)
class Placed:
    """A bundle that is ready to judge.

    Parameters
    ----------
    placement
        What it runs on.
    nodes
        Nodes of its graph by the execution provider that runs them; empty where onnxruntime cannot say.
    parity
        How well it reproduces its goldens there.
    refusals
        What was to be used before that, and why it is not.
    """

    loaded: LoadedBundle
    placement: Placement
    nodes: Mapping[str, int]
    parity: Parity
    refusals: tuple[Refusal, ...] = ()

    @property
    def provider(self) -> str:
        """The execution provider that runs it."""
        return self.placement.providers[0].name


def place_bundle(bundle: AnyBundle, subject: str, profile: DeviceProfile, runtime: Runtime) -> Placed:
    """Try what ``profile`` names in order, and take the first that runs the graph and reproduces the goldens.

    Threads of a provider keep to the cores of the thread that calls this: call it within ``bound_to(profile.cores)``.

    Parameters
    ----------
    subject
        What errors call the bundle.

    Raises
    ------
    BundleError
        Not even the CPU runs the graph, or reproduces its goldens.
    """
    *better, last = profile.placements
    refusals: list[Refusal] = []
    for placement in better:
        try:
            return _proved(bundle, subject, placement, runtime, refusals)
        except (BundleError, DeviceError) as error:
            refusals.append(Refusal(placement.providers[0].name, error))
    return _proved(bundle, subject, last, runtime, refusals)


def _proved(bundle: AnyBundle, subject: str, placement: Placement, runtime: Runtime, refusals: list[Refusal]) -> Placed:
    nodes: dict[str, int] = {}

    def make_session(model: bytes) -> onnxruntime.InferenceSession:
        session = _opened(model, placement, runtime)
        nodes.update(nodes_taken(session))
        _check_taken(placement, session.get_providers(), nodes)
        return session

    loaded = open_bundle(bundle, make_session)
    return Placed(loaded, placement, nodes, require_parity(loaded, subject), tuple(refusals))


def _opened(model: bytes, placement: Placement, runtime: Runtime) -> onnxruntime.InferenceSession:
    name = placement.providers[0].name
    if name not in runtime.available:
        raise DeviceError("profile.absent", name, found=", ".join(runtime.available))
    try:
        return runtime.open_session(model, placement)
    except (RuntimeError, ValueError) as error:  # an option that the provider does not know
        raise DeviceError(
            "profile.refused", name, reason=" ".join(str(error).split()).rpartition(") ")[2][:200]
        ) from error


def _check_taken(placement: Placement, started: list[str], nodes: Mapping[str, int]) -> None:
    """Onnxruntime goes on without a provider that finds no device, and only its log says so."""
    name = placement.providers[0].name
    if name not in started:
        raise DeviceError("profile.not_started", name, found=", ".join(started))
    if nodes and not nodes.get(name) and name != CPU_PROVIDER:
        raise DeviceError("profile.no_nodes", name, found=", ".join(f"{each} {count}" for each, count in nodes.items()))
