"""A camera that shows the images of a data set."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from andon.models.types.vision import Frame, ImageSample


@dataclass(frozen=True)
class ReplayCamera:
    """A ``FrameSource`` that delivers the frames of ``samples`` in their order, each once."""

    samples: Sequence[ImageSample]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open."""

    def frames(self) -> Iterator[Frame]:
        """Deliver the frames; one that cannot be read raises ``ImageError``."""
        for sample in self.samples:
            yield sample.frame()
