"""Is this picture fit to be judged? A frame that is not gets RETAKE with the reason, never OK."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from andon.models.types.vision import Frame


@dataclass(frozen=True, slots=True)
class Gate:
    """The taught range of one measure; ``high`` is None where only the low side counts.

    ``measure`` is ``"exposure"``, mean grey level from 0 to 255, or ``"focus"``, natural logarithm of the variance of the
    Laplacian (Pech-Pacheco et al., ICPR 2000).
    """

    measure: str
    low: float
    high: float | None

    def passes(self, value: float) -> bool:
        """Whether ``value`` is in the range."""
        return self.low <= value and (self.high is None or value <= self.high)


_LEAST_MARGIN = {"exposure": 16.0, "focus": float(np.log(2.0))}
"""Ten alike frames say little about the next: at least 16 grey levels, and half the taught variance of the Laplacian."""


def measure_frame(frame: Frame) -> dict[str, float]:
    """Measure ``frame``, at the size of the model's input, for every gate."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    variance = float(cv2.Laplacian(grey, cv2.CV_32F).var())
    return {"exposure": float(grey.mean()), "focus": float(np.log(variance + 1.0))}


def teach_gates(measurements: Iterable[Mapping[str, float]]) -> tuple[Gate, ...]:
    """Set each gate to the range seen on good frames, widened on either side by that range's own width."""
    seen = list(measurements)
    return tuple(_teach(measure, [each[measure] for each in seen]) for measure in _LEAST_MARGIN)


def failed_gate(frame: Frame, gates: Sequence[Gate]) -> str | None:
    """Name the first measure of ``frame`` outside its gate, or None."""
    if not gates:
        return None
    values = measure_frame(frame)
    return next((gate.measure for gate in gates if not gate.passes(values[gate.measure])), None)


def _teach(measure: str, values: Sequence[float]) -> Gate:
    low, high = min(values), max(values)
    margin = max(high - low, _LEAST_MARGIN[measure])
    return Gate(measure, low - margin, None if measure == "focus" else high + margin)
