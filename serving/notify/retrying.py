"""When to try again."""

from dataclasses import dataclass
from random import Random

_LARGEST_EXPONENT = 32


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double from attempt to attempt, each shortened at random by up to a half, so that many senders do not come at once.

    That is "equal jitter" of Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog (2015).
    """

    first_s: float
    longest_s: float

    def delay_s(self, failures: int, random: Random) -> float:
        """Return how long to wait after so many failures in a row, from 1.

        >>> 4.0 <= Backoff(2.0, 60.0).delay_s(3, Random(1)) <= 8.0
        True
        """
        longest = min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, _LARGEST_EXPONENT))
        return longest * (1 - random.random() / 2)
