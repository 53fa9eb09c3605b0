"""How high a comb scores where there is nothing but noise.

The prewhitened record of Gaussian noise of any colour is white noise; the lines of its squared envelope spectrum are
asymptotically independent with Rayleigh amplitudes, and so are those of the noise's own spectrum. The score of the best
comb then depends only on how many periods of the fundamental the record holds. Its distribution is tabulated once, by the very
search that is used on records (``python -m tests.bench.study_diagnosis --table``).
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from andon.models.vibration.comb import SEARCH, Search, best_comb

TABLE = "comb_null.npz"
PERIODS = np.geomspace(12.5, 25_600, 23)
"""Where the distribution is tabulated; between them it is interpolated in the logarithm, beyond them the last one holds."""

N_DRAWS = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class CombNull:
    """Distribution of the best comb's score in noise.

    Parameters
    ----------
    periods
        ``[k]``, increasing.
    tails
        ``[q]``, decreasing: probabilities of a score at least as high.
    scores
        ``[k, q]``: those scores, increasing along the second axis.
    mean, spread
        ``[k]``: moments of the score.
    """

    periods: NDArray[np.float64]
    tails: NDArray[np.float64]
    scores: NDArray[np.float64]
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]

    def p_value(self, score: float, periods: float) -> float:
        """Probability that noise scores at least ``score``; never below ``1 / (1 + N_DRAWS)``."""
        return float(np.exp(np.interp(score, self._at(periods, self.scores), np.log(self.tails))))

    def excess(self, score: float, periods: float) -> float:
        """By how many of noise's standard deviations ``score`` exceeds noise's mean: comparable between fundamentals."""
        return float((score - self._at(periods, self.mean)) / self._at(periods, self.spread))

    def _at(self, periods: float, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Interpolate ``values``, ``[k, ...]``, in the logarithm of the periods; beyond the table its ends hold."""
        place = float(np.interp(np.log(periods), np.log(self.periods), np.arange(len(self.periods))))
        before = min(int(place), len(self.periods) - 2)
        share = place - before
        between: NDArray[np.float64] = (1 - share) * values[before] + share * values[before + 1]
        return between


def draw_scores(
    periods: float, n_draws: int, generator: np.random.Generator, search: Search = SEARCH
) -> NDArray[np.float64]:
    """Scores of the best comb in ``n_draws`` spectra of noise: ``[n_draws]``."""
    n_lines = int((search.harmonics + 1) * periods)
    return np.array([best_comb(generator.rayleigh(size=n_lines), 1.0, periods, search).score for _ in range(n_draws)])


def tabulate(periods: NDArray[np.float64], n_draws: int, seed: int, search: Search = SEARCH) -> CombNull:
    """Simulate the distribution at each of ``periods``."""
    generator = np.random.default_rng(seed)
    tails = np.geomspace(1, 1 / (1 + n_draws), 120)
    draws = [np.sort(draw_scores(each, n_draws, generator, search)) for each in periods]
    # p = (1 + #{draws >= score}) / (1 + N), read the other way round.
    ranks = np.clip(np.rint((1 - tails) * n_draws), 0, n_draws - 1).astype(np.intp)
    return CombNull(
        periods,
        tails,
        np.array([each[ranks] for each in draws]),
        np.array([each.mean() for each in draws]),
        np.array([each.std() for each in draws]),
    )


def encode(null: CombNull) -> bytes:
    """Encode as ``.npz`` of float32."""
    buffer = BytesIO()
    arrays = {name: getattr(null, name).astype(np.float32) for name in CombNull.__slots__}
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


@lru_cache(maxsize=1)
def comb_null() -> CombNull:
    """The table that is part of the product, for ``SEARCH``."""
    with np.load(BytesIO(files(__package__).joinpath(TABLE).read_bytes())) as table:
        return CombNull(**{name: table[name].astype(np.float64) for name in CombNull.__slots__})
