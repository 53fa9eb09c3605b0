"""An exported graph in onnxruntime: a frame and a memory bank in, features and distances out."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from andon.models.graphs.placement import SessionMaker, open_session
from andon.models.graphs.session import GraphSession, Port
from andon.models.types.errors import BundleError
from andon.models.types.vision import Frame

BANK_MULTIPLE = 16
"""The graph searches the bank in groups of sixteen: `ArgMax` over 2,000 columns costs three times as much as this."""

INPUTS = (Port("image", "uint8", ("batch", "height", "width", "channels")), Port("bank", "float32", ("m", "d")))
OUTPUTS = (Port("features", "float32", ("places", "features")), Port("distances", "float32", ("rows", "columns")))


class PatchGraph:
    """The PatchCore graph of a bundle. Safe to call from several threads at once.

    The graph has the inputs ``image`` (uint8 ``[1, height, width, 3]``) and ``bank`` (float32 ``[m, d]``, m a multiple of
    16) and the outputs ``features`` (float32 ``[rows * columns, d]``) and ``distances`` (float32 ``[rows, columns]``).

    One thread a call: parallel calls on a small pool cost half the processor time of one call on all cores.

    Parameters
    ----------
    model
        The ONNX file's bytes. Never a path: what stands beside a file on disk must not be reachable from it.
    make_session
        Decides what the graph runs on.
    """

    def __init__(self, model: bytes, subject: str = "model.onnx", make_session: SessionMaker = open_session) -> None:
        self._session = GraphSession(model, subject, INPUTS, OUTPUTS, make_session)
        (_, height, width, _), (_, dimensions) = self._session.shape("image"), self._session.shape("bank")
        sizes = (height, width, dimensions, *self._session.shape("distances"))
        if not all(isinstance(size, int) for size in sizes):
            raise BundleError("bundle.graph", subject, reason=f"sizes {sizes}")
        self.height, self.width, self.dimensions, self.rows, self.columns = cast(tuple[int, ...], sizes)

    def features(self, image: Frame) -> NDArray[np.float32]:
        """Describe each place of ``image`` (``[height, width, 3]``): float32 ``[rows * columns, d]``."""
        no_bank = np.zeros((BANK_MULTIPLE, self.dimensions), np.float32)
        return self._run("features", image, no_bank)

    def distances(self, image: Frame, bank: NDArray[np.float32]) -> NDArray[np.float32]:
        """Measure each place's distance to its nearest neighbour in ``bank``: float32 ``[rows, columns]``."""
        return self._run("distances", image, bank)

    def _run(self, output: str, image: Frame, bank: NDArray[np.float32]) -> NDArray[np.float32]:
        (result,) = self._session.run([output], {"image": image[None], "bank": bank})
        return cast(NDArray[np.float32], result)
