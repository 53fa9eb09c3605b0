"""A machine that four measures describe, and a model fitted to it."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from andon.models.health.fitting import fit_health
from andon.models.health.operating import Row
from andon.models.health.settings import FeatureContract, HealthSettings, Source, Transform
from andon.models.health.watching import HealthModel

NAMES = ("velocity_mm_s", "pressure_bar", "flow_l_min", "current_a")
LEVELS = np.array([2.0, 5.0, 120.0, 30.0])
NOISE = np.array([0.05, 0.1, 1.0, 0.5])
PROCESS = HealthSettings()
CONTRACT = FeatureContract(
    Source.COLUMNS, NAMES, (Transform.LOG, Transform.IDENTITY, Transform.IDENTITY, Transform.IDENTITY), rate_hz=1.0
)


def machine_rows(count: int, seed: int = 0, shift: Sequence[float] = (0, 0, 0, 0)) -> list[Row]:
    """Rows of the machine, each measure ``shift`` standard deviations of its noise away from its level."""
    noise = np.random.default_rng(seed).normal(size=(count, len(NAMES)))
    return [dict(zip(NAMES, row, strict=True)) for row in (LEVELS + NOISE * (noise + shift)).tolist()]


def ramped_rows(count: int, measure: int, deviations: float, seed: int = 1) -> list[Row]:
    """Rows of the machine in which one measure moves away evenly, in the end by so many standard deviations."""
    ramp = np.zeros((count, len(NAMES)))
    ramp[:, measure] = np.linspace(0, deviations, count)
    noise = np.random.default_rng(seed).normal(size=(count, len(NAMES)))
    return [dict(zip(NAMES, row, strict=True)) for row in (LEVELS + NOISE * (noise + ramp)).tolist()]


@cache
def fitted(settings: HealthSettings = PROCESS) -> HealthModel:
    """Fit a model to 400 rows of the machine ``P-101``."""
    return fit_health({"P-101": machine_rows(400)}, CONTRACT, settings)
