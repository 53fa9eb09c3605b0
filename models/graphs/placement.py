"""What a graph runs on: execution providers of onnxruntime, threads and cores."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import onnxruntime

CPU_PROVIDER = "CPUExecutionProvider"

_FAULTY_FUSION = "MatmulTransposeFusion"
"""Before 1.32 at the latest, onnxruntime fuses products of float64 to one that it cannot compute, and does not load the graph."""

SessionMaker = Callable[[bytes], onnxruntime.InferenceSession]
"""Makes a session of an ONNX file's bytes."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An execution provider by onnxruntime's name, such as ``OpenVINOExecutionProvider``, with its own options."""

    name: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a graph runs.

    Parameters
    ----------
    providers
        The first runs what it can of the graph, the next what is left.
    threads
        Threads of onnxruntime's CPU provider that work on one call, the caller's among them.
    cores
        Logical processors, from 0, that its own threads may use; none for all. The caller's thread is the caller's affair.
    """

    providers: tuple[Provider, ...] = (Provider(CPU_PROVIDER),)
    threads: int = 1
    cores: tuple[int, ...] = ()

    @property
    def affinities(self) -> str:
        """The cores of each thread but the caller's as onnxruntime reads them: counted from 1, threads parted by ``;``.

        >>> Placement(threads=3, cores=(0, 2)).affinities
        '1,3;1,3'
        """
        return ";".join([",".join(str(core + 1) for core in self.cores)] * (self.threads - 1))


ON_CPU = Placement()
"""One thread a call: services and edge devices run calls side by side, and a small product gains nothing from more."""


def open_session(model: bytes, placement: Placement = ON_CPU) -> onnxruntime.InferenceSession:
    """Make a session of ``model`` on ``placement``.

    onnxruntime's own way out, to run on the CPU what a device did not take, is closed as far as it can be: who asks for a
    device must learn that it is not used. See ``nodes_taken`` for the rest.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = placement.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if placement.cores and placement.threads > 1:
        options.add_session_config_entry("session.intra_op_thread_affinities", placement.affinities)
    providers = [(each.name, dict(each.options)) for each in placement.providers]
    return onnxruntime.InferenceSession(
        model, options, providers=providers, enable_fallback=0, disabled_optimizers=[_FAULTY_FUSION]
    )


def nodes_taken(session: onnxruntime.InferenceSession) -> Mapping[str, int]:
    """Count the graph's nodes by the provider that runs them.

    A provider that started but found no device takes none and is no error to onnxruntime.

    Returns
    -------
    Mapping
        Empty where onnxruntime is older than 1.24 and cannot say.
    """
    taken: dict[str, int] = {}
    if hasattr(session, "get_provider_graph_assignment_info"):
        for part in session.get_provider_graph_assignment_info():
            taken[part.ep_name] = taken.get(part.ep_name, 0) + len(part.get_nodes())
    return taken
