"""A health model of two pumps that the tests make up, and rows to judge."""

from hashlib import sha256

import numpy as np

from andon.models.bundle.bundle import HealthBundle
from andon.models.bundle.health_teaching import HealthLesson, teach_health
from andon.models.health.operating import Row
from andon.models.health.settings import (
    FeatureContract,
    GateSettings,
    HealthSettings,
    OperatingAxis,
    Source,
    Transform,
)
from andon.models.types.vision import DataCard

CARD = DataCard(
    name="two pumps",
    source="made up by the tests",
    licence="Apache-2.0",
    non_commercial=False,
    checksum=sha256(b"two pumps").hexdigest(),
    grade="public",
    split="each pump is its own unit",
    counts={"pump 1": 300, "泵 2": 200},
)
CONTRACT = FeatureContract(Source.COLUMNS, ("flow", "pressure", "ripple"), (Transform.IDENTITY,) * 2 + (Transform.LOG,))
GATE = GateSettings((OperatingAxis("rpm", edges=(2000.0,), stopped_below=50.0),), settle_rows=2)
SETTINGS = HealthSettings(gate=GATE, commissioning_rows=100)
ASSETS = {"pump 1": 1500.0, "泵 2": 2900.0}
"""Each pump runs at a speed of its own, in an operating state of its own."""


def pump_rows(asset: str, count: int, seed: int = 0, fault: float = 0.0) -> list[Row]:
    """Rows of a healthy pump, or of one whose flow falls by ``fault`` standard deviations; at the end it stops."""
    generator = np.random.default_rng(seed)
    load = generator.normal(size=count)
    rows: list[Row] = [
        {
            "rpm": ASSETS[asset],
            "flow": 30 + load[row] + 0.3 * generator.normal() - fault,
            "pressure": 4 - 0.2 * load[row] + 0.05 * generator.normal(),
            "ripple": float(np.exp(generator.normal() * 0.1)),
        }
        for row in range(count)
    ]
    return [*rows, *({**row, "rpm": 0.0, "ripple": None} for row in rows[:3])]


def taught_health(seed: int = 0) -> HealthBundle:
    """A model of both pumps."""
    rows = {asset: pump_rows(asset, CARD.counts[asset], seed) for asset in ASSETS}
    return teach_health(HealthLesson(rows, CONTRACT, SETTINGS, CARD, {"kept_share": 0.5}, seed))[0]
