"""The signal graph in onnxruntime: spectra, indicators and shaft harmonics of a batch of equally long signals."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from andon.models.graphs.session import Array, GraphSession, Port
from andon.models.types.errors import BundleError, InputError, OptionError

INPUTS = (
    Port("samples", "float32", ("batch", "points")),
    Port("rate_hz", "float64"),
    Port("speed_hz", "float64", ("batch",)),
)
OUTPUTS = (
    Port("amplitude_m_s2", "float32", ("batch", "lines")),
    Port("squared_envelope", "float32", ("batch", "lines")),
    Port("indicators", "float32", ("batch", "indicator")),
    Port("harmonics_m_s2", "float32", ("batch", "harmonic")),
)
INDICATORS = (
    "rms_m_s2",
    "peak_m_s2",
    "crest",
    "kurtosis",
    "skewness",
    "shape_factor",
    "impulse_factor",
    "ics2",
    "velocity_rms_mm_s",
    "displacement_rms_um",
)
"""What the columns of ``indicators`` are, named as in ``andon.models.vibration.indicators``.

``ics2`` is that of ``andon.models.vibration.envelope``; velocity and displacement are in 10-1,000 Hz."""

NOTE = "indicators"
"""Where the graph itself names them."""

HARMONICS = 3
"""Unbalance stands at once the speed, misalignment at twice, and three times tells looseness from them."""

LEAST_POINTS = 64
"""So that a matrix of the transform has at least eight rows; no one diagnoses from fewer samples."""


class SignalAnalysis(NamedTuple):
    """What the graph makes of a batch.

    Parameters
    ----------
    amplitude_m_s2
        float32 ``[batch, points / 2 + 1]``: peak amplitude at ``k rate_hz / points``, linear trend removed, under a periodic
        Hann window.
    squared_envelope
        float32, the same shape: squared envelope spectrum ``|DFT(e - 1)| 2 / points`` of the prewhitened signal, where e is the
        squared envelope over its mean. It reaches half the rate; ``modulation_spectrum`` computes the lower half of that,
        at half the rate, with what lies above mirrored into it.
    indicators
        float32 ``[batch, 10]``, see ``INDICATORS``; of the signal about its mean, zero where nothing moves.
    harmonics_m_s2
        float32 ``[batch, 3]``: peak amplitude at one, two and three times the shaft's speed; zero where the speed is zero or
        the rate too low.
    """

    amplitude_m_s2: NDArray[np.float32]
    squared_envelope: NDArray[np.float32]
    indicators: NDArray[np.float32]
    harmonics_m_s2: NDArray[np.float32]


class SignalGraph:
    """The signal graph of a bundle. Safe to call from several threads at once.

    Parameters
    ----------
    model
        The ONNX file's bytes.

    Attributes
    ----------
    points
        Samples of a signal, a power of two.

    Raises
    ------
    BundleError
        onnxruntime cannot load the graph, or it has another contract.
    """

    def __init__(self, model: bytes, subject: str = "model.onnx") -> None:
        self._session = GraphSession(model, subject, INPUTS, OUTPUTS)
        points = self._session.shape("samples")[1]
        if not isinstance(points, int) or not _can_be_halved(points):
            raise BundleError("graph.port", subject, found=f"samples[batch, {points}]", expected="samples[batch, 2^k]")
        named = self._session.metadata.get(NOTE, "")
        if named != ",".join(INDICATORS):
            raise BundleError("graph.port", subject, found=f"indicators({named})", expected=",".join(INDICATORS))
        self.points = points

    def analyse(self, samples: ArrayLike, rate_hz: float, speed_hz: ArrayLike = 0.0) -> SignalAnalysis:
        """Analyse a batch of signals.

        Parameters
        ----------
        samples
            ``[batch, points]``, m/s2, finite.
        rate_hz
            Samples a second, the same for all.
        speed_hz
            Speed of the shaft, ``[batch]`` or one for all; zero where nobody knows, which makes the harmonics zero.

        Raises
        ------
        InputError
            The shapes do not fit, or a value is not finite.
        """
        signals = np.asarray(samples, np.float32)
        speeds = np.broadcast_to(np.asarray(speed_hz, np.float64), signals.shape[:1])
        feeds: dict[str, Array] = {"samples": signals, "rate_hz": np.asarray(rate_hz, np.float64), "speed_hz": speeds}
        for name, values in feeds.items():
            if not np.isfinite(values).all():
                raise InputError("graph.finite", name)
        return SignalAnalysis(*self._session.run([port.name for port in OUTPUTS], feeds))


def check_points(points: int) -> None:
    """Refuse a length that the graph cannot be made for.

    Raises
    ------
    OptionError
        ``points`` is not a power of two of at least 64.
    """
    if not _can_be_halved(points):
        raise OptionError("graph.points", "points", found=points, least=LEAST_POINTS)


def _can_be_halved(points: int) -> bool:
    return points >= LEAST_POINTS and points.bit_count() == 1
