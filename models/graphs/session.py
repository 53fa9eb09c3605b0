"""A graph in onnxruntime that is held to its contract: names and types when it is loaded, shapes whenever it runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from andon.models.graphs.cancelling import applied
from andon.models.graphs.placement import SessionMaker, open_session
from andon.models.types.errors import BundleError, InputError

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a graph.

    Parameters
    ----------
    element
        NumPy's name of the type, such as ``float32``.
    shape
        A letter for each dimension; the same letter means the same size at every input.
    """

    name: str
    element: str
    shape: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {self.element}[{', '.join(self.shape)}]"


class GraphSession:
    """A graph that keeps to its contract. Safe to call from several threads at once.

    Parameters
    ----------
    model
        The ONNX file's bytes. Never a path: what stands beside a file on disk must not be reachable from it.
    inputs, outputs
        What the graph must have. It may have more outputs, but no other inputs.
    make_session
        Decides what the graph runs on: one thread of the CPU where nothing else is said.

    Raises
    ------
    BundleError
        onnxruntime cannot load the graph, or it has another contract.
    """

    def __init__(
        self,
        model: bytes,
        subject: str,
        inputs: Sequence[Port],
        outputs: Sequence[Port],
        make_session: SessionMaker = open_session,
    ) -> None:
        self._subject = subject
        self._inputs = inputs
        try:
            self._session = make_session(model)
        except RUNTIME_ERRORS as error:
            raise BundleError("bundle.graph", subject, reason=_one_line(error)) from error
        found = {port.name: port for port in self._session.get_inputs()}
        given = {port.name: port for port in self._session.get_outputs()}
        self._check_ports(inputs, found)
        self._check_ports(outputs, given)
        self._shapes = {name: tuple(port.shape) for name, port in (*given.items(), *found.items())}
        for name in found.keys() - {port.name for port in inputs}:
            raise BundleError("graph.port", subject, found=_described(found[name]), expected="-")

    @property
    def metadata(self) -> Mapping[str, str]:
        """The notes that the graph carries."""
        notes: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map
        return notes

    def shape(self, name: str) -> tuple[int | str | None, ...]:
        """Sizes of the input or output ``name``: a number where the graph fixes it."""
        return self._shapes[name]

    def run(self, outputs: Sequence[str], feeds: Mapping[str, Array]) -> Sequence[Array]:
        """Compute ``outputs`` from ``feeds``, an array for each input.

        Raises
        ------
        InputError
            Shapes do not fit the graph or one another.
        ResourceError
            The run was cancelled.
        """
        self._check_shapes(feeds)
        cast = {port.name: np.ascontiguousarray(feeds[port.name], port.element) for port in self._inputs}
        cancellation = applied()
        try:
            with cancellation.running() as options:
                results: Sequence[Array] = self._session.run(list(outputs), cast, options)
        except RUNTIME_ERRORS as error:
            cancellation.check()
            raise BundleError("bundle.graph", self._subject, reason=_one_line(error)) from error
        return results

    def _check_ports(self, expected: Sequence[Port], found: Mapping[str, Any]) -> None:
        for port in expected:
            actual = found.get(port.name)
            if actual is None or actual.type != _TYPES[port.element] or len(actual.shape) != len(port.shape):
                description = "-" if actual is None else _described(actual)
                raise BundleError("graph.port", self._subject, found=description, expected=str(port))

    def _check_shapes(self, feeds: Mapping[str, Array]) -> None:
        sizes: dict[str, int] = {}
        for port in self._inputs:
            shape = feeds[port.name].shape
            fixed = [size if isinstance(size, int) else None for size in self.shape(port.name)]
            known = [sizes.get(letter, size) for letter, size in zip(port.shape, fixed, strict=True)]
            if len(shape) != len(known) or any(
                want not in (None, size) for want, size in zip(known, shape, strict=True)
            ):
                wanted = [letter if size is None else size for letter, size in zip(port.shape, known, strict=True)]
                raise InputError("graph.shape", port.name, found=_listed(shape), expected=_listed(wanted))
            sizes.update(zip(port.shape, shape, strict=True))


def _described(port: Any) -> str:
    return f"{port.name} {port.type}{_listed(port.shape)}"


def _listed(sizes: Sequence[object]) -> str:
    return f"[{', '.join(map(str, sizes))}]"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


_TYPES = {"uint8": "tensor(uint8)", "float32": "tensor(float)", "float64": "tensor(double)"}

RUNTIME_ERRORS = tuple(
    each
    for each in vars(onnxruntime.capi.onnxruntime_pybind11_state).values()
    if isinstance(each, type) and issubclass(each, Exception)
)
"""What onnxruntime raises for a graph that it, or a device, cannot load or run."""
