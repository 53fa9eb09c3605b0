"""What an inspection takes and gives."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
"""An image: ``[height, width, 3]``, uint8, RGB."""

Mask = NDArray[np.bool_]
"""Which pixels belong to something: ``[height, width]``, bool."""

ScoreMap = NDArray[np.float32]
"""Anomaly score of each place: ``[height, width]``, float32; higher is worse."""

GOOD = "good"
"""The label of a part without a defect; any other label names a defect type."""


class Verdict(StrEnum):
    """What is to be done with the part."""

    OK = "OK"
    NG = "NG"
    RETAKE = "RETAKE"


class Split(StrEnum):
    """What a sample may be used for."""

    TRAIN = "train"
    CALIBRATION = "calibration"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Defect:
    """A connected region whose score is above the threshold.

    ``bbox`` is ``(x1, y1, x2, y2)`` in pixels of the original image, half-open; ``area_px`` counts its pixels there;
    ``score`` is the highest in the region.
    """

    bbox: tuple[int, int, int, int]
    score: float
    area_px: int
    label: str = "anomaly"


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds that each stage of an inspection took."""

    decode: float = 0.0
    gates: float = 0.0
    score: float = 0.0

    @property
    def total(self) -> float:
        """The sum of the stages."""
        return self.decode + self.gates + self.score


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """The verdict on one frame, with what led to it.

    ``score`` is raw: neither clamped nor normalised, higher is worse. ``reason`` is a message code where the verdict is
    RETAKE. ``score_map`` has the size of the model's input.
    """

    verdict: Verdict
    score: float
    threshold: float
    reason: str | None
    defects: tuple[Defect, ...]
    score_map: ScoreMap
    milliseconds: Timings


@dataclass(frozen=True, slots=True)
class ImageSample:
    """One labelled image of a data set, read when asked for.

    Parameters
    ----------
    name
        The file's path, or a name that is unique in the set.
    label
        ``"good"``, or the defect type.
    unit
        The physical thing it shows (module, board, lot): samples of one unit never stand on both sides of a split.
    digest
        SHA-256 of its contents, in hexadecimal; computed when called.
    frame
        Reads it. Raises ``ImageError`` where that is not possible.
    mask
        Reads the mask of its defects at the frame's size, or None where the set has none.
    """

    name: str
    label: str
    unit: str
    digest: Callable[[], str]
    frame: Callable[[], Frame]
    mask: Callable[[], Mask] | None = None

    @property
    def is_good(self) -> bool:
        """Whether the part has no defect."""
        return self.label == GOOD


@dataclass(frozen=True, slots=True)
class DataCard:
    """Where a data set comes from and what may be done with it.

    ``grade`` follows the grading of industrial data: ``public``, ``internal``, ``important`` or ``core``. ``checksum`` is
    SHA-256 over the set's contents. ``split`` says in a sentence by what unit the parts were split.
    """

    name: str
    source: str
    licence: str
    non_commercial: bool
    checksum: str
    grade: str
    split: str
    counts: dict[str, int]


class Dataset(Protocol):
    """A set of labelled images, split by physical unit."""

    @property
    def card(self) -> DataCard:
        """Source, licence, checksum and grade."""

    def samples(self, split: Split) -> Sequence[ImageSample]:
        """List the samples of one split, in a fixed order; empty where the set has none."""


class FrameSource(Protocol):
    """A camera, or what stands in for one; open while it is used in a ``with`` statement."""

    def __enter__(self) -> Self:
        """Open it."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""

    def frames(self) -> Iterator[Frame]:
        """Deliver frames until there are no more."""


class Inspector(Protocol):
    """Judges frames. Safe to call from several threads at once."""

    def inspect(self, frame: Frame) -> Inspection:
        """Judge one frame."""
