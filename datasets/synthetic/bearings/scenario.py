"""What is generated: the machine, its fault, and what is known of the record for certain."""

from dataclasses import dataclass

from andon.models.types.vibration import BearingOrders, Fault, Samples, Signal

BEARING_FAULTS = (Fault.OUTER_RACE, Fault.INNER_RACE, Fault.ROLLING_ELEMENT, Fault.CAGE)
SHAFT_FAULTS = (Fault.UNBALANCE, Fault.MISALIGNMENT, Fault.LOOSENESS)
FAULTS = (*BEARING_FAULTS, *SHAFT_FAULTS)
"""The faults that can be generated."""

ORDERS_6205 = BearingOrders(bpfo=3.5848, bpfi=5.4152, bsf=2.3568, ftf=0.39828)


@dataclass(frozen=True, slots=True)
class Mode:
    """A resonance of the structure. ``damping`` is the share of critical; ``gain`` weighs it against the other modes."""

    frequency_hz: float
    damping: float
    gain: float = 1.0


@dataclass(frozen=True, slots=True)
class Gear:
    """A gear on the shaft.

    Parameters
    ----------
    teeth
        Teeth of the wheel on this shaft.
    mesh_g
        Amplitude of the line at ``teeth`` x; its second harmonic has half of it.
    modulation
        Depth of the amplitude modulation by the shaft, which makes the sidebands: 0 to 1.
    """

    teeth: int
    mesh_g: float
    modulation: float = 0.3


@dataclass(frozen=True, slots=True)
class Hum:
    """Lines of the mains: ``amplitude_g`` at twice ``line_hz`` (magnetic pull) and a quarter of it at ``line_hz``."""

    line_hz: float
    amplitude_g: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """A machine and a record of it. The defaults describe a motor of 1,800 rpm on a 6205 bearing.

    Parameters
    ----------
    fault
        ``none`` or one of ``FAULTS``.
    rpm
        Speed at the middle of the record, before ``wander``.
    orders
        Kinematic fault orders of the bearing.
    snr_db
        Bearing faults only. Ten times the decimal logarithm of the mean square of the fault's contribution over the mean
        square of the background noise, both over the whole record and the whole band from 0 to ``rate_hz / 2``. The lines
        of shaft, gears and mains belong to neither. It is met exactly in every record.
    severity_mm_s
        Shaft faults only. Velocity RMS of the fault's lines together at ``rpm``.
    slip
        By which share the fault's order is off the kinematic one, signed; 0.01 is usual.
    jitter
        Standard deviation of each impact about its place, as a share of the period. It does not accumulate.
    interval_spread
        Standard deviation of the intervals between impacts, as a share of the period. Intervals are independent with the
        same mean: the uncertainty of the place accumulates, the mean rate does not drift.
    amplitude_spread
        Standard deviation of the impacts' strength over its mean.
    load_extent
        Stribeck's load factor epsilon: 0.5 is half the circumference (no clearance), less is a narrower zone.
    resonances
        Modes that an impact excites, and that colour the noise.
    background
        Further modes that colour the noise.
    noise_g
        RMS of the background noise over the whole band.
    colour
        RMS gain of the modes over the white part of the noise: 0 is white.
    shaft_mm_s
        Velocity RMS of the lines at 1x, 2x, ... of a machine without a shaft fault.
    run_up
        Relative change of the speed from start to end, linear: 0.1 is 10 % faster at the end than at the start, about.
    wander
        RMS of the slow relative change of the speed.
    gain
        Of the sensor: 1 where it is calibrated.

    Raises
    ------
    ValueError
        If the fault cannot be generated, or a mode lies at or above half the rate.
    """

    fault: Fault = Fault.NONE
    rpm: float = 1800.0
    orders: BearingOrders = ORDERS_6205
    rate_hz: float = 25_600.0
    duration_s: float = 2.0
    snr_db: float = 0.0
    severity_mm_s: float = 4.5
    slip: float = 0.0
    jitter: float = 0.003
    interval_spread: float = 0.003
    amplitude_spread: float = 0.2
    load_extent: float = 0.5
    resonances: tuple[Mode, ...] = (Mode(3000.0, 0.05),)
    background: tuple[Mode, ...] = (Mode(900.0, 0.1, 0.5), Mode(6500.0, 0.08, 0.5))
    noise_g: float = 0.1
    colour: float = 1.0
    shaft_mm_s: tuple[float, ...] = (0.4, 0.15, 0.08)
    gears: tuple[Gear, ...] = ()
    hum: Hum | None = None
    run_up: float = 0.0
    wander: float = 0.0
    gain: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be generated."""
        if self.fault not in (Fault.NONE, *FAULTS):
            raise ValueError(f"fault is {self.fault}; expected none or one of {', '.join(FAULTS)}")
        highest = max((mode.frequency_hz for mode in (*self.resonances, *self.background)), default=0.0)
        if highest >= self.rate_hz / 2:
            raise ValueError(f"a mode is at {highest:g} Hz; expected less than half the rate, {self.rate_hz / 2:g} Hz")


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticRecord:
    """A generated signal and the truth about it.

    Parameters
    ----------
    signal
        In g, with the mean speed and the kinematic orders.
    label
        The fault.
    fault_hz
        Mean rate of the impacts at the mean speed, slip included: for a rolling element two an own revolution (2 BSF).
        None without a bearing fault.
    impact_s
        When each impact happened, from the first sample; empty without a bearing fault.
    speed_rpm
        Speed at each sample, ``[n]``.
    snr_db
        As ``Scenario.snr_db`` defines it, for shaft faults too; None without a fault.
    severity_mm_s
        Of a shaft fault; None where there is none.
    """

    signal: Signal
    label: Fault
    fault_hz: float | None
    impact_s: Samples
    speed_rpm: Samples
    snr_db: float | None
    severity_mm_s: float | None
