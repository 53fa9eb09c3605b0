"""How much a spectrum rises at the harmonics of a frequency that is known to about two per cent."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

Spectrum = NDArray[np.float64]
"""``[m]``, float64: an amplitude spectrum from zero on; NaN where a line is explained by something else."""


@dataclass(frozen=True, slots=True)
class Search:
    """How a comb is looked for.

    Parameters
    ----------
    harmonics
        How many teeth it has.
    slip
        Share by which the fundamental may be off: rolling elements slip and speeds are read from plates.
    jitter
        Share of its frequency within which the highest line counts for a tooth: impacts do not come in equal steps.
    """

    harmonics: int
    slip: float
    jitter: float


NOISE_RATIO = 2.0
"""What the highest of a few lines of noise has over the median of them all: such a tooth says nothing of the fundamental."""

SEARCH = Search(harmonics=4, slip=0.02, jitter=0.001)
"""Chosen on generated machines (``python -m tests.bench.study_diagnosis``, docs/adr/0010)."""


@dataclass(frozen=True, slots=True)
class Tooth:
    """One harmonic: its frequency, and by how much its amplitude exceeds the background, as a ratio."""

    frequency_hz: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Comb:
    """The comb that fits best.

    ``score`` is the mean over the teeth of the logarithm of their ratios; ``periods`` is how many periods of the fundamental
    the record holds, on which the score of mere noise depends and on nothing else.
    """

    score: float
    frequency_hz: float
    periods: float
    teeth: tuple[Tooth, ...]


def best_comb(spectrum: Spectrum, resolution_hz: float, fundamental_hz: float, search: Search = SEARCH) -> Comb:
    """Find the comb near ``fundamental_hz`` that rises most over the background.

    Parameters
    ----------
    spectrum
        Must reach ``(harmonics + 1/2) fundamental_hz``.
    resolution_hz
        Distance between two lines: one over the record's duration.

    Notes
    -----
    The background of a tooth is the median over one fundamental around it: wide enough to be steady, and in a multiple of the
    fundamental, so that the distribution under noise depends on ``periods`` alone.
    """
    periods = fundamental_hz / resolution_hz
    candidates = np.arange(periods * (1 - search.slip), periods * (1 + search.slip), 0.5 / search.harmonics)
    numbers = range(1, search.harmonics + 1)
    backgrounds = [_background(spectrum, periods, number) for number in numbers]
    highest = [_highest(spectrum, candidates, number, search) for number in numbers]
    ratios = [_ratios(peaks, background) for peaks, background in zip(highest, backgrounds, strict=True)]
    scores = np.mean(np.log(ratios), axis=0)
    best = int(scores.argmax())
    teeth = [
        Tooth(
            _peak_line(spectrum, candidates[best] * number, number, periods, search) * resolution_hz, float(ratio[best])
        )
        for number, ratio in zip(numbers, ratios, strict=True)
    ]
    return Comb(
        float(scores[best]), _fundamental(teeth, float(candidates[best] * resolution_hz)), periods, tuple(teeth)
    )


def without_lines(spectrum: Spectrum, resolution_hz: float, lines_hz: Iterable[float], width: float) -> Spectrum:
    """Copy of ``spectrum`` with NaN at lines that are explained already.

    ``width`` is the half-width as a share of each line's frequency; at least one line of the spectrum to each side goes.
    """
    masked = spectrum.copy()
    for line_hz in lines_hz:
        half = max(1.0, width * line_hz / resolution_hz)
        centre = line_hz / resolution_hz
        masked[max(0, round(centre - half)) : max(0, round(centre + half) + 1)] = np.nan
    return masked


def _background(spectrum: Spectrum, periods: float, number: int) -> float:
    around = spectrum[round((number - 0.5) * periods) : round((number + 0.5) * periods) + 1]
    left = around[~np.isnan(around)]
    return float(np.median(left)) if len(left) else 0.0


def _reach(periods: float, number: int, search: Search) -> int:
    """Lines to each side among which the highest counts."""
    return max(1, round(search.jitter * number * periods))


def _highest(spectrum: Spectrum, candidates: NDArray[np.float64], number: int, search: Search) -> NDArray[np.float64]:
    """The highest line near the tooth of each candidate; zero where none is left."""
    reach = _reach(float(candidates.mean()), number, search)
    first = int(number * candidates[0]) - reach
    last = int(number * candidates[-1]) + reach + 2
    highest = maximum_filter1d(np.nan_to_num(spectrum[first:last]), 2 * reach + 1, mode="constant")
    near: NDArray[np.float64] = highest[np.rint(number * candidates).astype(np.intp) - first]
    return near


def _ratios(peaks: NDArray[np.float64], background: float) -> NDArray[np.float64]:
    """Ratios to the background; 1 where nothing is left to compare."""
    return np.where(peaks > 0, peaks / background, 1.0) if background > 0 else np.ones(len(peaks))


def _peak_line(spectrum: Spectrum, centre: float, number: int, periods: float, search: Search) -> int:
    reach = _reach(periods, number, search)
    first = round(centre) - reach
    return first + int(np.nan_to_num(spectrum[first : round(centre) + reach + 1]).argmax())


def _fundamental(teeth: list[Tooth], otherwise_hz: float) -> float:
    """Fit the fundamental to the teeth's frequencies, each weighted by the logarithm of its ratio over that of noise."""
    weights = np.log([max(1.0, tooth.ratio / NOISE_RATIO) for tooth in teeth])
    numbers = np.arange(1, len(teeth) + 1)
    frequencies = np.array([tooth.frequency_hz for tooth in teeth])
    total = float(weights @ numbers**2)
    return float((weights * numbers) @ frequencies / total) if total > 0 else otherwise_hz
