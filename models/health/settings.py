"""How health is watched: what is measured, when it may be judged, and how strictly. Everything here fits a manifest."""

from dataclasses import dataclass, field
from enum import StrEnum


class Source(StrEnum):
    """Where features come from: the channels of a process sample, or the indicators of a vibration snapshot."""

    COLUMNS = "columns"
    INDICATORS = "indicators"


class Transform(StrEnum):
    """What is done to a measure before its distance is taken. ``log`` is for indicators that are positive and skewed."""

    IDENTITY = "identity"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class FeatureContract:
    """Which measures a model takes, in which order.

    Parameters
    ----------
    names
        Measures by name. Leave temperatures out: they follow the weather and the load by hours.
    transforms
        One for each name.
    window
        Samples of a snapshot that indicators are computed from; None for process samples.
    rate_hz
        Samples a second of the snapshot, or rows a second of process samples; None where it does not matter.
    """

    source: Source
    names: tuple[str, ...]
    transforms: tuple[Transform, ...]
    window: int | None = None
    rate_hz: float | None = None


@dataclass(frozen=True, slots=True)
class OperatingAxis:
    """A measure that tells how a machine runs, such as its speed or load.

    Parameters
    ----------
    name
        The measure; it need not be a feature.
    edges
        Ascending limits between bins; each bin has its own baseline.
    stopped_below
        The machine stands where the measure is below this; None where the measure does not tell.
    max_step
        A larger change from row to row is a transient; None where any change is allowed.
    """

    name: str
    edges: tuple[float, ...] = ()
    stopped_below: float | None = None
    max_step: float | None = None


@dataclass(frozen=True, slots=True)
class GateSettings:
    """When rows may be judged: after ``settle_rows`` rows of one operating state, and not while the machine stands."""

    axes: tuple[OperatingAxis, ...] = ()
    settle_rows: int = 0


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """How strictly a machine is judged.

    The defaults suit process samples, such as a pump's pressures and flows at 1 Hz. ``tests/bench/study_health.py`` chose
    them on one folder of SKAB and on generated streams, where values around them do as well. For snapshots of vibration
    take ``SNAPSHOTS``.

    Parameters
    ----------
    commissioning_rows
        Rows of an operating state from which a new machine's baseline is learned. SKAB's protocol gives 400. At least
        ``1 / target``, or no row could ever lie above the conformal threshold.
    smoothing
        Weight of a new row in the moving average that is scored (1: no smoothing). 0.2 averages over about 9 rows.
    tracking
        Weight of a new row in the level that a row is compared with: 0 keeps the baseline's mean for good, 0.02 follows
        the last 50 rows. The level stands still during an alarm of the CUSUM, so a fault that comes within
        ``1 / tracking`` rows is not absorbed; one that comes more slowly is left to ``drift_share``.
    target
        The share of rows that the conformal threshold lets be alarms: its budget of false alarms.
    gamma
        Step of the threshold's adaptation; Gibbs and Candes (2021) take 0.005, at which it forgets within 200 rows.
    cusum_reference
        Standardised score above which the CUSUM rises.
    cusum_decision
        The sum above which it alarms. It is kept at twice that, so that an alarm ends soon after its cause.
    drift_share
        Share of its first level by which a measure may drift away in the long run. ISO 10816-3 takes 25 % (of the limit of
        zone B) for a significant change, its criterion II.
    drift_deviations
        The least such allowance, in standard deviations of the rows learned from, for measures whose level is about zero.
    """

    gate: GateSettings = field(default_factory=GateSettings)
    commissioning_rows: int = 400
    smoothing: float = 0.2
    tracking: float = 0.02
    target: float = 0.01
    gamma: float = 0.005
    cusum_reference: float = 3.5
    cusum_decision: float = 10.0
    drift_share: float = 0.25
    drift_deviations: float = 6.0


SNAPSHOTS = HealthSettings(commissioning_rows=200, tracking=0.0)
"""For indicators of vibration, minutes to hours apart, where wear is as slow as anything: the baseline never moves.

Learned from 100 rows, the CUSUM alarms up to 1.2 % of the rows of a generated healthy stream without drift; from 200, none.
"""


@dataclass(frozen=True, slots=True)
class BaselineKey:
    """Which baseline an entry of the arrays is: that of an asset in an operating state, learned from ``n_rows`` rows."""

    asset: str
    state: str
    n_rows: int
