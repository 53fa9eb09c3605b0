"""Condition monitoring from block to alert rules: snapshots a second with sensor check, indicators, health and rules."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median

import numpy as np
from tests.bench.figures import print_figure, seconds

from andon.models.alerts.case import AlertPolicy
from andon.models.health.fitting import fit_health
from andon.models.health.graph import HealthGraph
from andon.models.health.graph_building import health_graph
from andon.models.health.settings import SNAPSHOTS, FeatureContract, Source, Transform
from andon.models.health.watching import HealthModel
from andon.models.monitoring.features import DEFAULT_FEATURES, feature_rows
from andon.models.monitoring.watch import ConditionWatch, HealthMemory, watched_name
from andon.models.stream.engine import StreamEngine
from andon.models.stream.windows import StreamOptions
from andon.models.types.vibration import Machine, Signal, Unit

WINDOW, RATE_HZ, SENSORS, WINDOWS, ROUNDS = 16_384, 25_600.0, 256, 8, 5
SENSOR = "drive end"
START = datetime(2026, 1, 1, tzinfo=UTC)


def main(_: Sequence[str] = ()) -> None:
    """Print one JSON object a figure."""
    generator = np.random.default_rng(0)
    model, pool = _model(generator), generator.standard_normal((64, WINDOW))
    watch = ConditionWatch(model, Machine, HealthMemory(model))
    engine = StreamEngine(watch, AlertPolicy(), StreamOptions(window=WINDOW, hop=WINDOW))
    rounds = [seconds(partial(_drain, engine, _blocks(pool, number))) for number in range(ROUNDS + 1)][1:]
    print_figure(
        f"monitoring end to end, snapshots of {WINDOW} samples a second: sensor check, {len(DEFAULT_FEATURES)} indicators, health, rules",
        value=round(SENSORS * WINDOWS / median(rounds)),
        bound=">= 1000",
        sensors=SENSORS,
        spread=[round(SENSORS * WINDOWS / each) for each in (max(rounds), min(rounds))],
    )


def _model(generator: np.random.Generator) -> HealthModel:
    contract = FeatureContract(
        Source.INDICATORS, DEFAULT_FEATURES, (Transform.LOG,) * len(DEFAULT_FEATURES), WINDOW, RATE_HZ
    )
    healthy = generator.standard_normal((SNAPSHOTS.commissioning_rows, WINDOW))
    rows = [row for (row,) in feature_rows(healthy, RATE_HZ, Unit.G, None, contract)]
    names = (watched_name(f"asset-{number}", SENSOR) for number in range(SENSORS))
    return fit_health(dict.fromkeys(names, rows), contract, SNAPSHOTS, HealthGraph(health_graph()).distances)


def _blocks(pool: np.ndarray, round_number: int) -> Iterator[Signal]:
    for index in range(WINDOWS):
        time = START + timedelta(seconds=600 * (round_number * WINDOWS + index))
        for number in range(SENSORS):
            samples = pool[(7 * index + number) % len(pool)]
            yield Signal(samples, RATE_HZ, Unit.G, SENSOR, f"asset-{number}", time)


def _drain(engine: StreamEngine, blocks: Iterator[Signal]) -> None:
    for block in blocks:
        engine.push(block)
    engine.flush()
