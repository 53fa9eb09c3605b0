"""An exported graph in onnxruntime: a frame and a memory bank in, features and distances out."""

from typing import cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from andon.models.types.errors import BundleError
from andon.models.types.vision import Frame

BANK_MULTIPLE = 16
"""The graph searches the bank in groups of sixteen: `ArgMax` over 2,000 columns costs three times as much as this."""


class PatchGraph:
    """The PatchCore graph of a bundle. Safe to call from several threads at once.

    The graph has the inputs ``image`` (uint8 ``[1, height, width, 3]``) and ``bank`` (float32 ``[m, d]``, m a multiple of
    16) and the outputs ``features`` (float32 ``[rows * columns, d]``) and ``distances`` (float32 ``[rows, columns]``).

    One thread a call: parallel calls on a small pool cost half the processor time of one call on all cores.

    Parameters
    ----------
    model
        The ONNX file's bytes. Never a path: what stands beside a file on disk must not be reachable from it.
    """

    def __init__(self, model: bytes, subject: str = "model.onnx") -> None:
        self._subject = subject
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            shapes = {port.name: port.shape for port in self._session.get_inputs()}
            (_, self.height, self.width, _), (_, self.dimensions) = shapes["image"], shapes["bank"]
            outputs = {port.name: port.shape for port in self._session.get_outputs()}
            self.rows, self.columns = outputs["distances"]
        except (KeyError, ValueError, *_RUNTIME_ERRORS) as error:
            raise BundleError("bundle.graph", subject, reason=_one_line(error)) from error

    def features(self, image: Frame) -> NDArray[np.float32]:
        """Describe each place of ``image`` (``[height, width, 3]``): float32 ``[rows * columns, d]``."""
        no_bank = np.zeros((BANK_MULTIPLE, self.dimensions), np.float32)
        return self._run("features", image, no_bank)

    def distances(self, image: Frame, bank: NDArray[np.float32]) -> NDArray[np.float32]:
        """Measure each place's distance to its nearest neighbour in ``bank``: float32 ``[rows, columns]``."""
        return self._run("distances", image, bank)

    def _run(self, output: str, image: Frame, bank: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            (result,) = self._session.run([output], {"image": image[None], "bank": bank})
        except _RUNTIME_ERRORS as error:
            raise BundleError("bundle.graph", self._subject, reason=_one_line(error)) from error
        return cast(NDArray[np.float32], result)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


_RUNTIME_ERRORS = (
    onnxruntime.capi.onnxruntime_pybind11_state.Fail,
    onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument,
    onnxruntime.capi.onnxruntime_pybind11_state.InvalidGraph,
    onnxruntime.capi.onnxruntime_pybind11_state.InvalidProtobuf,
    onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented,
    onnxruntime.capi.onnxruntime_pybind11_state.RuntimeException,
)
