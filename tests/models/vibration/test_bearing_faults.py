"""The part that is damaged is named, and lines that have another cause name none."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from andon.datasets.synthetic.bearings.draws import BEARINGS
from andon.datasets.synthetic.bearings.generator import generate
from andon.datasets.synthetic.bearings.scenario import Gear, Hum, Scenario, SyntheticRecord
from andon.models.types.vibration import BearingOrders, Fault
from andon.models.vibration.bearing_faults import (
    DECOY_DISTANCE,
    DECOY_RANGE,
    MIN_PERIODS,
    N_DECOYS,
    SIGNIFICANCE,
    BearingEvidence,
    bearing_evidence,
    decoy_orders,
    fault_fundamentals,
)
from andon.models.vibration.comb import SEARCH
from andon.models.vibration.mains import MAINS_HZ

RATE_HZ, DURATION_S, SHAFT_HZ = 8192.0, 4.0, 29.3
RACES = (Fault.OUTER_RACE, Fault.INNER_RACE, Fault.ROLLING_ELEMENT)
ORDERS = BEARINGS["6205"]
LOUD = Scenario(duration_s=4.0, snr_db=0.0, gears=(Gear(31, 0.2),), hum=Hum(50.0, 0.02), wander=0.001)


def evidence(record: SyntheticRecord, samples: np.ndarray | None = None) -> BearingEvidence:
    signal = record.signal
    assert signal.rpm is not None
    assert signal.orders is not None
    given = signal.samples if samples is None else samples
    return bearing_evidence(given, signal.rate_hz, signal.rpm / 60, signal.orders)


def modulated(depths_by_hz: Mapping[float, float], seed: int = 0, duration_s: float = DURATION_S) -> np.ndarray:
    """Noise whose power follows a line at each frequency, and a half and a third as high ones at its next multiples."""
    time = np.arange(int(RATE_HZ * duration_s)) / RATE_HZ
    power = np.ones(len(time))
    for hz, depth in depths_by_hz.items():
        power += sum(depth / number * np.cos(2 * np.pi * number * hz * time + number) for number in (1, 2, 3, 4))
    return np.asarray(np.sqrt(np.maximum(power, 0)) * np.random.default_rng(seed).normal(size=len(time)))


def of_noise(samples: np.ndarray, orders: BearingOrders = ORDERS, mains_hz: tuple[float, ...] = ()) -> BearingEvidence:
    return bearing_evidence(samples, RATE_HZ, SHAFT_HZ, orders, mains_hz)


def is_periodic(found: BearingEvidence) -> bool:
    """Whether noise would seldom show a comb like the strongest."""
    return found.p_value < SIGNIFICANCE


def names(found: BearingEvidence) -> Fault | None:
    """The fault that a diagnosis would name."""
    return found.findings[0].fault if is_periodic(found) and found.stands_out and found.impulsive else None


@pytest.mark.parametrize("bearing", BEARINGS)
@pytest.mark.parametrize("fault", RACES)
def test_each_part_is_named_beside_gear_shaft_and_mains(fault: Fault, bearing: str) -> None:
    record = generate(replace(LOUD, fault=fault, orders=BEARINGS[bearing], slip=-0.008), 1)
    found = evidence(record)
    assert names(found) is fault
    assert found.p_value < 1e-3
    assert found.findings[0].comb.frequency_hz == pytest.approx(record.fault_hz, rel=0.002)
    assert found.too_short_for == (Fault.CAGE,)


def test_a_cage_is_named_in_a_long_record() -> None:
    record = generate(replace(LOUD, fault=Fault.CAGE, duration_s=12.0), 2)
    found = evidence(record)
    assert names(found) is Fault.CAGE
    assert found.too_short_for == ()
    assert found.findings[0].comb.frequency_hz == pytest.approx(record.fault_hz, rel=0.003)


@pytest.mark.parametrize("seed", range(6))
def test_sidebands_of_an_inner_race_are_no_other_fault(seed: int) -> None:
    """In a 6203 the sidebands below the inner race's order, 3.95 and 2.95, lie beside 2 BSF, 3.99, and BPFO, 3.05."""
    scenario = replace(LOUD, fault=Fault.INNER_RACE, orders=BEARINGS["6203"], load_extent=0.3, snr_db=3.0)
    found = evidence(generate(replace(scenario, wander=0.0005 * seed, slip=0.003 * seed - 0.008), seed))
    assert names(found) is Fault.INNER_RACE
    assert min(each.p_value for each in found.findings[1:]) < 0.01, "alone, another would pass for a fault"


@pytest.mark.parametrize("gain", [1e-6, 1e6])
def test_gain_has_no_influence(gain: float) -> None:
    record = generate(replace(LOUD, fault=Fault.OUTER_RACE, snr_db=-6.0), 3)
    found, louder = evidence(record), evidence(record, gain * record.signal.samples)
    assert louder.findings[0].excess == pytest.approx(found.findings[0].excess, rel=1e-3)
    assert louder.ics2 == pytest.approx(found.ics2, rel=1e-3)


def test_colour_and_an_offset_have_little_influence() -> None:
    record = generate(replace(LOUD, fault=Fault.OUTER_RACE), 3)
    coloured = lfilter([1.0, -0.9], [1.0, -1.6, 0.8], record.signal.samples) + 5.0
    found, other = evidence(record), evidence(record, coloured)
    assert names(found) is names(other) is Fault.OUTER_RACE
    assert other.ics2 == pytest.approx(found.ics2, abs=0.02)


@pytest.mark.parametrize("ratio", [30.0, 300.0])
@pytest.mark.parametrize("fault", [Fault.NONE, Fault.OUTER_RACE])
def test_a_strong_mesh_neither_hides_a_fault_nor_makes_an_impact(fault: Fault, ratio: float) -> None:
    """Its leakage, whitened, is an impact at the record's ends, which are therefore cut off."""
    scenario = replace(LOUD, fault=fault, gears=(Gear(31, ratio * LOUD.noise_g),), wander=0.0)
    found = evidence(generate(scenario, 6))
    assert found.impulsive is (fault is not Fault.NONE)
    assert names(found) is (None if fault is Fault.NONE else fault)


@pytest.mark.parametrize("hz", [100.0, 120.0])
def test_twice_the_mains_is_no_evidence(hz: float) -> None:
    """A torque that pulses with the mains, 0.5 % beside the inner race: without the mask it would be a fault."""
    orders = replace(ORDERS, bpfi=hz * 1.005 / SHAFT_HZ, bpfo=hz * 0.7 / SHAFT_HZ)
    pulsing = modulated({hz: 0.3})
    unmasked = of_noise(pulsing, orders)
    assert unmasked.findings[0].fault is Fault.INNER_RACE
    assert unmasked.p_value < 0.001
    assert of_noise(pulsing, orders, MAINS_HZ).p_value > 0.05


@pytest.mark.parametrize("seed", range(3))
def test_multiples_of_the_shaft_are_no_evidence(seed: int) -> None:
    """The outer race of a 6203 is 1.8 % from three times the shaft's speed."""
    found = of_noise(modulated({3 * SHAFT_HZ: 0.15}, seed), BEARINGS["6203"])
    assert found.p_value > 0.05
    beside = of_noise(modulated({3.04 * SHAFT_HZ: 0.15}, seed), BEARINGS["6203"])
    assert beside.findings[0].fault is Fault.OUTER_RACE
    assert beside.p_value < 0.01


def test_a_fault_must_stand_out_from_other_frequencies() -> None:
    """A torn spectrum rises everywhere: then the one at the fault's place says nothing."""
    fault_hz = ORDERS.bpfo * SHAFT_HZ
    assert of_noise(modulated({fault_hz: 0.3})).stands_out
    decoys = {order * SHAFT_HZ: 0.3 for order in decoy_orders(ORDERS)[::12]}
    among_others = of_noise(modulated(decoys | {fault_hz: 0.15}))
    assert is_periodic(among_others)
    assert not among_others.stands_out


def test_a_faint_steady_modulation_is_periodic_but_not_impulsive() -> None:
    """Over a long record a line of 6 % shows clearly, and hardly spreads the envelope: by 0.7 d^2, against 1.645 / sqrt(n)."""
    fault_hz = ORDERS.bpfi * SHAFT_HZ
    found = [of_noise(modulated({fault_hz: 0.06}, seed, duration_s=16.0)) for seed in range(6)]
    assert all(is_periodic(each) and each.stands_out for each in found)
    assert sum(each.impulsive for each in found) <= 3
    assert of_noise(modulated({fault_hz: 0.3}, duration_s=16.0)).impulsive


@pytest.mark.parametrize("fault", RACES)
def test_a_hundred_periods_are_the_least(fault: Fault) -> None:
    order = fault_fundamentals(ORDERS)[fault]
    # The ends that fade are cut off: the record has to be two per cent longer.
    least_s = MIN_PERIODS / (order * SHAFT_HZ) / 0.98
    for share, is_enough in ((1.01, True), (0.99, False)):
        found = of_noise(modulated({}, duration_s=least_s * share))
        assert (fault in [each.fault for each in found.findings]) is is_enough
        assert (fault in found.too_short_for) is not is_enough


def test_a_record_too_short_for_all_says_so() -> None:
    found = of_noise(modulated({}, duration_s=0.2))
    assert found.findings == ()
    assert set(found.too_short_for) == set(Fault) & set(fault_fundamentals(ORDERS))
    assert found.p_value == 1
    assert not found.stands_out


def test_what_the_rate_does_not_hold_is_not_looked_for() -> None:
    """The envelope's spectrum ends at a quarter of the rate; the fourth tooth needs half a fundamental beside it."""
    rate_hz = 4 * 4.7 * ORDERS.bpfo * SHAFT_HZ
    samples = np.random.default_rng(0).normal(size=int(10 * rate_hz))
    found = bearing_evidence(samples, rate_hz, SHAFT_HZ, ORDERS)
    assert {each.fault for each in found.findings} == {Fault.OUTER_RACE, Fault.CAGE}
    assert found.too_short_for == ()


@pytest.mark.parametrize("n", range(8, 40))
def test_tiny_records_do_no_harm(n: int) -> None:
    found = of_noise(np.random.default_rng(n).normal(size=n))
    assert found.findings == ()


def test_the_p_value_counts_all_the_faults_that_were_tried() -> None:
    """Sidak's formula."""
    found = of_noise(modulated({}, seed=8))
    assert len(found.findings) == 3
    least = min(each.p_value for each in found.findings)
    assert found.p_value == pytest.approx(1 - (1 - least) ** 3)
    assert [each.excess for each in found.findings] == sorted((each.excess for each in found.findings), reverse=True)


@settings(max_examples=60, deadline=None)
@given(
    n_elements=st.integers(6, 20),
    ratio=st.floats(0.1, 0.4),
)
def test_decoys_keep_their_distance(n_elements: int, ratio: float) -> None:
    orders = BearingOrders(
        n_elements * (1 - ratio) / 2, n_elements * (1 + ratio) / 2, (1 - ratio**2) / (2 * ratio), (1 - ratio) / 2
    )
    decoys = np.array(decoy_orders(orders))
    assert len(decoys) <= N_DECOYS
    assert np.all((decoys >= DECOY_RANGE[0]) & (decoys <= DECOY_RANGE[1]))
    assert np.all(np.diff(decoys) > 0)
    multiples = [
        number * order for order in fault_fundamentals(orders).values() for number in range(1, SEARCH.harmonics + 1)
    ]
    avoided = np.array([*multiples, *(order / 2 for order in multiples), *(number / 2 for number in range(1, 20))])
    if len(decoys):
        assert np.abs(decoys[:, None] / avoided - 1).min() > DECOY_DISTANCE


@pytest.mark.parametrize("bearing", BEARINGS)
def test_common_bearings_have_all_decoys(bearing: str) -> None:
    assert len(set(decoy_orders(BEARINGS[bearing]))) == N_DECOYS
