"""Goldens: the proof, on the target itself, that it scores as the fitting process did."""

from dataclasses import dataclass

TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Parity:
    """How far this machine's scores are from the expected ones, as a share of the score.

    What the share is of where a score is about zero, each kind says.
    """

    worst: float
    tolerance: float
    n_goldens: int

    @property
    def holds(self) -> bool:
        """Whether the worst difference is within the tolerance; a difference that is not a number is not."""
        return self.worst <= self.tolerance
