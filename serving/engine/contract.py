"""What a model takes and gives by the Open Inference Protocol, whatever its kind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from andon.serving.engine.tensors import Request, Values

Judged = TypeVar("Judged")


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output: its type, and the shape that one item has in it; -1 stands for any extent.

    One that is ``optional`` may be left out of a request.
    """

    name: str
    datatype: str
    shape: tuple[int, ...] = ()
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Output(Generic[Judged]):
    """An output, and how its values are taken from what was judged."""

    port: Port
    values: Callable[[Judged], Values]


@dataclass(frozen=True, slots=True)
class Batch(Generic[Judged]):
    """The items of a request, read and ready: how many there are, and what judges them."""

    count: int
    judge: Callable[[], Judged]


@dataclass(frozen=True, slots=True)
class Contract(Generic[Judged]):
    """What one model takes and gives.

    Parameters
    ----------
    max_batch
        Items a request.
    read
        Takes the items from a request; raises ``InputError`` where they are not as the inputs say.
    verdicts
        The verdict on each item, to be counted; none where the model gives scores only.
    """

    inputs: Sequence[Port]
    outputs: Sequence[Output[Judged]]
    max_batch: int
    read: Callable[[Request], Batch[Judged]]
    verdicts: Callable[[Judged], Sequence[str]]


AnyContract = Contract[Any]
"""The contract of a model of any kind. What was judged goes from its ``read`` to its ``outputs`` and nowhere else."""
