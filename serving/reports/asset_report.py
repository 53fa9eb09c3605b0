"""Gather what a report says of a machine."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from andon.datasets.store.assets import Assets, KeptAsset, TrendPoint
from andon.datasets.store.database import Database
from andon.datasets.store.ledger import head_of, origins
from andon.models.alerts.case import AlertEvent
from andon.models.ledger.chain import Head
from andon.models.types.vibration import Machine
from andon.serving.reports.running import Gap, Hours, gaps_of, hours_of

MAIN = ("velocity_rms_mm_s", "rms_m_s2", "kurtosis")
"""The indicators whose trend a report shows: what ISO 10816 judges, and what a bearing raises first."""
POINTS = 120
MOST_GAPS = 10


BY_THE_RULES = frozenset(AlertEvent)
"""What happens to a case without anybody doing it."""


@dataclass(frozen=True, slots=True)
class IndicatorTrend:
    """How an indicator of a sensor went on."""

    sensor: str
    name: str
    points: Sequence[TrendPoint]

    @property
    def first(self) -> float:
        """Mean of the first stretch."""
        return self.points[0].mean

    @property
    def last(self) -> float:
        """Mean of the last stretch."""
        return self.points[-1].mean

    @property
    def highest(self) -> float:
        """The highest value."""
        return max(each.high for each in self.points)


@dataclass(frozen=True, slots=True)
class AssetReport:
    """What happened to a machine in a stretch of time.

    Parameters
    ----------
    severities, zones
        Counts of snapshots; those without a zone are not among the latter.
    gaps
        The longest; ``gap_count`` counts all.
    heads
        Where the ledger's chains end as the report is made.
    """

    asset: KeptAsset
    machine: Machine
    since: datetime
    until: datetime
    snapshots: int
    hours: Hours
    severities: Mapping[str, int]
    zones: Mapping[str, int]
    trends: Sequence[IndicatorTrend]
    cases: Sequence[Mapping[str, Any]]
    gaps: Sequence[Gap]
    gap_count: int
    heads: Sequence[Head]

    @property
    def actions(self) -> list[Mapping[str, Any]]:
        """What people did, in order."""
        done = [each for case in self.cases for each in case["events"] if each["event"] not in BY_THE_RULES]
        return sorted((each for each in done if each["time"] >= self.since), key=lambda each: each["time"])


def asset_report(
    database: Database, machine: Machine, asset: str, since: datetime, until: datetime, customer: str | None
) -> AssetReport:
    """Gather a report.

    Parameters
    ----------
    machine
        What the register knows of it.
    customer
        Whose machines may be seen; None for all.

    Raises
    ------
    NotFoundError
        There is no such machine, or none of that customer's.
    ResourceError
        The database cannot be reached.
    """
    kept = Assets(database)
    found = kept.get(asset, customer)
    snapshots = kept.snapshots(asset, since, until)
    gaps = gaps_of(snapshots, since, until)
    return AssetReport(
        asset=found,
        machine=machine,
        since=since,
        until=until,
        snapshots=len(snapshots),
        hours=hours_of(snapshots, since, until),
        severities=Counter(each.severity for each in snapshots),
        zones=Counter(each.zone for each in snapshots if each.zone),
        trends=[
            IndicatorTrend(sensor, name, kept.trend(asset, sensor, name, since, until, POINTS))
            for sensor, name in kept.measured(asset, since, until)
            if name in MAIN
        ],
        cases=kept.cases(asset, since, until),
        gaps=gaps[:MOST_GAPS],
        gap_count=len(gaps),
        heads=[head_of(database, origin) for origin in origins(database)],
    )
