"""The generated set: machines, their records and how they are split."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andon.datasets.synthetic.bearings import machines as module
from andon.datasets.synthetic.bearings.draws import BEARINGS, DAMPING, RESONANCE_HZ, RPM, SNR_DB, random_scenario
from andon.datasets.synthetic.bearings.generator import generate
from andon.datasets.synthetic.bearings.machines import GROWTH_DB, Fleet, SyntheticMachine, open_synthetic_records
from andon.datasets.synthetic.bearings.scenario import FAULTS, Scenario, SyntheticRecord
from andon.models.types.errors import DataError
from andon.models.types.vibration import BearingOrders, Fault
from andon.models.types.vision import Split

SMALL = Fleet(healthy=2, each_fault=1, records=3, healthy_first=1, duration_s=0.5)

GEOMETRIES = {"6206": (9, 9.525, 46.0), "6308": (8, 15.081, 65.0), "6203": (8, 6.7462, 28.4988)}
"""Balls, their diameter and that of their pitch circle, in mm."""


@pytest.mark.parametrize("designation", GEOMETRIES)
def test_the_orders_of_the_bearings_are_those_of_their_geometry(designation: str) -> None:
    balls, ball_mm, pitch_mm = GEOMETRIES[designation]
    ratio = ball_mm / pitch_mm
    orders = BEARINGS[designation]
    assert orders.bpfo == pytest.approx(balls * (1 - ratio) / 2, rel=2e-3)
    assert orders.bpfi == pytest.approx(balls * (1 + ratio) / 2, rel=2e-3)
    assert orders.bsf == pytest.approx((1 - ratio**2) / (2 * ratio), rel=2e-3)
    assert orders.ftf == pytest.approx((1 - ratio) / 2, rel=2e-3)


@pytest.mark.parametrize("orders", BEARINGS.values(), ids=BEARINGS)
def test_both_races_together_are_struck_by_each_ball(orders: BearingOrders) -> None:
    balls = orders.bpfo + orders.bpfi
    assert balls == pytest.approx(round(balls), abs=1e-3)
    assert orders.ftf == pytest.approx(orders.bpfo / round(balls), abs=1e-3)


@given(st.sampled_from((Fault.NONE, *FAULTS)), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_a_drawn_scenario_keeps_to_the_ranges_and_can_be_generated(fault: Fault, seed: int) -> None:
    scenario = random_scenario(np.random.default_rng(seed), fault)
    assert scenario == random_scenario(np.random.default_rng(seed), fault)
    assert RPM[0] <= scenario.rpm <= RPM[1]
    assert SNR_DB[0] <= scenario.snr_db <= SNR_DB[1]
    assert abs(scenario.slip) <= 0.01
    assert all(RESONANCE_HZ[0] <= mode.frequency_hz <= RESONANCE_HZ[1] for mode in scenario.resonances)
    assert all(DAMPING[0] <= mode.damping <= DAMPING[1] for mode in scenario.resonances)
    record = generate(scenario, seed)
    assert record.label is fault
    assert np.isfinite(record.signal.samples).all()
    assert record.signal.samples.std() > 0.02


def test_drawn_machines_differ_in_what_matters() -> None:
    drawn = [random_scenario(np.random.default_rng(seed), Fault.NONE) for seed in range(40)]
    assert {scenario.orders.bpfo for scenario in drawn} == {orders.bpfo for orders in BEARINGS.values()}
    assert {len(scenario.gears) for scenario in drawn} == {0, 1}
    assert {len(scenario.resonances) for scenario in drawn} == {1, 2, 3}
    assert {scenario.hum.line_hz for scenario in drawn if scenario.hum} == {50.0, 60.0}
    assert len({scenario.rpm for scenario in drawn}) == 40


def test_machines_stand_in_one_part_and_every_part_has_every_fault() -> None:
    data = open_synthetic_records("bearing")
    parts: dict[str, set[Split]] = defaultdict(set)
    labels: dict[Split, set[str]] = defaultdict(set)
    for split in Split:
        for sample in data.samples(split):
            parts[sample.unit].add(split)
            labels[split].add(sample.label)
    assert len(parts) == 60
    assert all(len(stands_in) == 1 for stands_in in parts.values())
    assert all(labels[split] == {Fault.NONE, *FAULTS} for split in Split)
    sizes = [len(data.samples(split)) for split in (Split.TRAIN, Split.CALIBRATION, Split.TEST)]
    assert sizes == [150, 50, 100]


def test_another_seed_splits_and_draws_otherwise() -> None:
    one, other = (open_synthetic_records("bearing", seed, SMALL) for seed in (0, 1))
    assert one.machines[0].scenario != other.machines[0].scenario
    assert one.card.checksum != other.card.checksum
    big, other_big = (open_synthetic_records("bearing", seed) for seed in (0, 1))
    assert big.split_of != other_big.split_of


def test_the_card_counts_what_the_set_holds() -> None:
    data = open_synthetic_records("bearing", 0, SMALL)
    names = [sample.name for split in Split for sample in data.samples(split)]
    assert len(names) == len(set(names)) == sum(data.card.counts.values()) == 9 * 3
    faulty = {label.split("/")[1]: count for label, count in data.card.counts.items() if not label.endswith("/none")}
    assert faulty == dict.fromkeys(FAULTS, 2)
    assert data.card.checksum == open_synthetic_records("bearing", 0, SMALL).card.checksum
    assert (data.card.name, data.card.licence) == ("synthetic:bearing", "Apache-2.0")


def test_records_are_generated_when_read(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Scenario] = []

    def counted(scenario: Scenario, seed: int) -> SyntheticRecord:
        seen.append(scenario)
        return generate(scenario, seed)

    monkeypatch.setattr(module, "generate", counted)
    samples = open_synthetic_records("bearing", 0, SMALL).samples(Split.TEST)
    assert not seen
    signal = samples[0].signal()
    assert len(seen) == 1
    assert (signal.asset, signal.sensor, signal.duration_s) == (samples[0].unit, "drive end", 0.5)


def test_a_machine_is_healthy_first_and_then_gets_worse() -> None:
    machine = SyntheticMachine.draw(0, 7, Fault.INNER_RACE, 1.0)
    records = [machine.record(number, healthy_first=2) for number in range(5)]
    assert [record.label for record in records] == [Fault.NONE] * 2 + [Fault.INNER_RACE] * 3
    levels = [record.snr_db for record in records[2:]]
    assert np.diff(np.array(levels, dtype=float)) == pytest.approx([GROWTH_DB] * 2, abs=0.01)
    orders = [record.fault_hz / record.signal.rpm for record in records[2:] if record.fault_hz and record.signal.rpm]
    assert orders == pytest.approx([orders[0]] * 3)
    assert len({record.signal.rpm for record in records}) == 5


def test_the_description_of_a_machine_says_what_its_records_show() -> None:
    for number in range(10):
        machine = SyntheticMachine.draw(0, number, Fault.NONE, 1.0)
        described, record = machine.described(), machine.record(0, healthy_first=1)
        assert described.asset == record.signal.asset
        assert described.min_rpm is not None
        assert described.max_rpm is not None
        assert record.signal.rpm is not None
        assert described.min_rpm * 0.99 <= record.signal.rpm <= described.max_rpm * 1.01
        assert described.bearings[0].orders == record.signal.orders
        assert described.teeth == tuple(gear.teeth for gear in machine.scenario.gears)


def test_another_name_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        open_synthetic_records("pump")
    assert (caught.value.code, caught.value.subject) == ("data.unknown_set", "synthetic:pump")
