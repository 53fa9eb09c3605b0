"""Which part of a bearing the squared envelope spectrum speaks of, and how surely."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andon.models.types.vibration import BearingOrders, Fault
from andon.models.vibration.comb import SEARCH, Comb, Spectrum, best_comb, without_lines
from andon.models.vibration.comb_null import comb_null
from andon.models.vibration.envelope import ics2, modulation_spectrum, record_envelope
from andon.models.vibration.mains import MAINS_HZ, MAINS_WIDTH

MIN_PERIODS = 100
"""A record with fewer periods of a fault says nothing of it."""

SIGNIFICANCE = 0.05
IMPULSIVE_QUANTILE = 1.645
"""Standard deviations of the 95 % quantile of a normal distribution."""

SHAFT_WIDTH = 0.0015
"""Half-width of the shaft's lines as a share of their frequency: the wander of a drive at steady load."""

SIDEBANDS = 2
"""To each side: a load zone of half the circumference modulates with its first harmonics."""

N_DECOYS = 60
"""Enough for one in twenty to be a count of three."""

DECOY_RANGE = (2.2, 7.8)
DECOY_DISTANCE = 0.022
"""Decoys keep this share away from what they must not be: a little more than the slip of a comb."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The best comb for one fault. ``excess`` counts noise's standard deviations; ``p_value`` is for this fault alone."""

    fault: Fault
    comb: Comb
    excess: float
    p_value: float


@dataclass(frozen=True, slots=True)
class BearingEvidence:
    """What a record says of one bearing.

    Parameters
    ----------
    findings
        Of the faults that the record is long enough for, strongest first; may be empty.
    too_short_for
        The faults that the record is too short for.
    out_of_reach
        Those whose harmonics the spectrum does not hold, because the rate is too low.
    p_value
        Of the strongest finding among all that were tried; 1 without findings.
    stands_out
        Whether, beside being periodic, fewer than one in twenty decoys rises as high.
    impulsive
        Whether the envelope's spread exceeds the 95 % quantile of Gaussian noise of that length.
    ics2
        That spread.
    """

    findings: tuple[Finding, ...]
    too_short_for: tuple[Fault, ...]
    out_of_reach: tuple[Fault, ...]
    p_value: float
    stands_out: bool
    impulsive: bool
    ics2: float


def fault_fundamentals(orders: BearingOrders) -> dict[Fault, float]:
    """At which order each fault shows; a rolling element hits both races in each of its turns."""
    return {
        Fault.OUTER_RACE: orders.bpfo,
        Fault.INNER_RACE: orders.bpfi,
        Fault.ROLLING_ELEMENT: 2 * orders.bsf,
        Fault.CAGE: orders.ftf,
    }


def bearing_evidence(
    samples: NDArray[np.floating[Any]],
    rate_hz: float,
    shaft_hz: float,
    orders: BearingOrders,
    mains_hz: Sequence[float] = MAINS_HZ,
) -> BearingEvidence:
    """Look for the faults of one bearing in a record.

    Parameters
    ----------
    samples
        ``[n]``, acceleration, finite and not constant.
    shaft_hz
        Revolutions a second.
    mains_hz
        Frequencies of the mains that may be near; twice those and their multiples are no evidence.

    Notes
    -----
    The p-value is that of the highest excess among the faults tried, by Sidak's formula from tabulated distributions of the
    same search in noise. A low one alone does not name a fault: healthy machines carry faint lines, and gears fill the
    spectrum. So the comb has to stand out from decoys as well, and the envelope has to be impulsive.
    """
    envelope = record_envelope(samples, rate_hz)
    squared, resolution_hz = envelope.squared, envelope.resolution_hz
    spectrum = unexplained(modulation_spectrum(squared), resolution_hz, shaft_hz, mains_hz)
    view = _View(spectrum, resolution_hz, shaft_hz, orders)
    within = [fault for fault, order in fault_fundamentals(orders).items() if view.reaches(order)]
    long_enough = [
        fault for fault in within if fault_fundamentals(orders)[fault] * shaft_hz / resolution_hz >= MIN_PERIODS
    ]
    findings = _ranked([view.finding(fault) for fault in long_enough], view)
    p_value = 1 - (1 - min(each.p_value for each in findings)) ** len(findings) if findings else 1.0
    spread = float(ics2(squared))
    return BearingEvidence(
        findings=findings,
        too_short_for=tuple(fault for fault in within if fault not in long_enough),
        out_of_reach=tuple(fault for fault in fault_fundamentals(orders) if fault not in within),
        p_value=p_value,
        stands_out=p_value < SIGNIFICANCE and _stands_out(findings[0], view),
        impulsive=spread > impulsive_from(len(squared)),
        ics2=spread,
    )


def unexplained(
    modulations: NDArray[np.floating[Any]], resolution_hz: float, shaft_hz: float, mains_hz: Iterable[float]
) -> Spectrum:
    """What is left of a ``modulation_spectrum`` without the harmonics of the shaft and of twice the mains."""
    top_hz = len(modulations) * resolution_hz
    shaft_lines = np.arange(shaft_hz, top_hz, shaft_hz)[:100]
    without_shaft = without_lines(modulations.astype(np.float64), resolution_hz, shaft_lines, SHAFT_WIDTH)
    mains = [number * 2 * hz for hz in mains_hz for number in range(1, SEARCH.harmonics + 1)]
    return without_lines(without_shaft, resolution_hz, mains, MAINS_WIDTH)


def impulsive_from(n_independent: int) -> float:
    """95 % quantile of ICS2 in Gaussian noise of which ``n_independent`` samples of the analytic signal are independent.

    The squared envelope of Gaussian noise is exponentially distributed, for which the ratio of spread and mean has the variance
    1 / n (delta method).
    """
    return 1 + IMPULSIVE_QUANTILE / math.sqrt(n_independent)


@lru_cache(maxsize=64)
def decoy_orders(orders: BearingOrders) -> tuple[float, ...]:
    """Orders at which nothing of the bearing or the shaft can show: away from half-integers and from the faults' multiples.

    Returns
    -------
    tuple of float
        At most ``N_DECOYS``, from ``DECOY_RANGE``.
    """
    harmonics = range(1, SEARCH.harmonics + 1)
    forbidden = [k * order / j for order in fault_fundamentals(orders).values() for k in harmonics for j in (1, 2)]
    forbidden += [k / 2 for k in range(1, 40)]
    candidates = np.geomspace(*DECOY_RANGE, 2000)
    near = np.abs(candidates[:, None] / np.array(forbidden) - 1).min(axis=1)
    free = candidates[near > DECOY_DISTANCE]
    return (
        tuple(free[np.linspace(0, len(free) - 1, min(N_DECOYS, len(free))).astype(int)].tolist()) if len(free) else ()
    )


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """The spectrum of one record as one bearing on one shaft must be looked for in it."""

    spectrum: Spectrum
    resolution_hz: float
    shaft_hz: float
    orders: BearingOrders

    def reaches(self, order: float) -> bool:
        """Whether the spectrum holds all teeth of a comb with this fundamental, with their background."""
        top_hz = (SEARCH.harmonics + 0.5) * (1 + SEARCH.slip) * order * self.shaft_hz
        return top_hz < (len(self.spectrum) - 1) * self.resolution_hz

    def comb(self, order: float) -> Comb:
        return best_comb(self.spectrum, self.resolution_hz, order * self.shaft_hz)

    def finding(self, fault: Fault) -> Finding:
        comb, null = self.comb(fault_fundamentals(self.orders)[fault]), comb_null()
        return Finding(fault, comb, null.excess(comb.score, comb.periods), null.p_value(comb.score, comb.periods))

    def without(self, finding: Finding, n_harmonics: int) -> "_View":
        """The view without the lines that ``finding`` explains: its harmonics and their sidebands."""
        steps_hz = [side * order * self.shaft_hz for side, order in _sidebands(finding.fault, self.orders)]
        family = [
            number * finding.comb.frequency_hz + step_hz
            for number in range(1, n_harmonics + 1)
            for step_hz in (0.0, *steps_hz)
        ]
        return replace(self, spectrum=without_lines(self.spectrum, self.resolution_hz, family, SHAFT_WIDTH))

    def without_all_of(self, finding: Finding) -> "_View":
        """The same with all the harmonics that the spectrum holds."""
        top_hz = (len(self.spectrum) - 1) * self.resolution_hz
        return self.without(finding, int(top_hz / finding.comb.frequency_hz))


def _sidebands(fault: Fault, orders: BearingOrders) -> list[tuple[int, float]]:
    """Number and distance of a fault's sidebands: the inner race passes the load zone with the shaft, an element with the cage."""
    modulating = {Fault.INNER_RACE: 1.0, Fault.ROLLING_ELEMENT: orders.ftf}
    sides = [side for side in range(-SIDEBANDS, SIDEBANDS + 1) if side]
    return [(side, modulating[fault]) for side in sides if fault in modulating]


def _ranked(findings: Sequence[Finding], view: _View) -> tuple[Finding, ...]:
    """Strongest first; those that noise does not explain by what is left of them without the lines of any other.

    A sideband of one fault may lie where another fault's harmonic is looked for: in a 6203 those below the inner race's order are
    1 % from twice the rolling element's and 2 % from the outer race's.
    """
    rivals = [finding for finding in findings if finding.p_value < SIGNIFICANCE]
    left = {
        finding.fault: min(
            (
                view.without(other, SEARCH.harmonics).finding(finding.fault).excess
                for other in rivals
                if other is not finding
            ),
            default=finding.excess,
        )
        for finding in rivals
    }
    return tuple(sorted(findings, key=lambda finding: (-left.get(finding.fault, -np.inf), -finding.excess)))


def _stands_out(finding: Finding, view: _View) -> bool:
    # The fault's own higher harmonics and sidebands are no rivals: a cage alone has a dozen where decoys are looked for.
    null, rest = comb_null(), view.without_all_of(finding)
    combs = [rest.comb(order) for order in decoy_orders(view.orders) if rest.reaches(order)]
    higher = sum(null.excess(comb.score, comb.periods) >= finding.excess for comb in combs)
    return (1 + higher) / (1 + len(combs)) < SIGNIFICANCE
