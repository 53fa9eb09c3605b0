"""Each limit of ISO 10816-3:2009 and ISO 10816-1, from the standards' tables."""

import itertools
import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.models.types.errors import AssetError
from andon.models.types.vibration import MachineClass
from andon.models.vibration.integration import Band
from andon.models.vibration.zones import (
    LIMITS,
    Boundaries,
    Levels,
    Zone,
    ZoneVerdict,
    evaluation_band,
    judge,
    limits_of,
    machine_class_name,
    machine_class_of,
    parse_machine_class,
    zone_of,
)

VELOCITY_MM_S = {
    "iso10816-3:1:rigid": (2.3, 4.5, 7.1),
    "iso10816-3:1:flexible": (3.5, 7.1, 11.0),
    "iso10816-3:2:rigid": (1.4, 2.8, 4.5),
    "iso10816-3:2:flexible": (2.3, 4.5, 7.1),
    "iso10816-1:I": (0.71, 1.8, 4.5),
    "iso10816-1:II": (1.12, 2.8, 7.1),
    "iso10816-1:III": (1.8, 4.5, 11.2),
    "iso10816-1:IV": (2.8, 7.1, 18.0),
}
DISPLACEMENT_UM = {
    "iso10816-3:1:rigid": (29, 57, 90),
    "iso10816-3:1:flexible": (45, 90, 140),
    "iso10816-3:2:rigid": (22, 45, 71),
    "iso10816-3:2:flexible": (37, 71, 113),
}
STEPS = tuple(itertools.pairwise(Zone))
GROUP_2_RIGID = MachineClass("iso10816-3", "2", "rigid")


def steps_of(table: Mapping[str, tuple[float, ...]]) -> list[tuple[str, float, Zone, Zone]]:
    return [(name, limit, *step) for name, row in table.items() for limit, step in zip(row, STEPS, strict=True)]


@pytest.mark.parametrize(("name", "limit", "below", "above"), steps_of(VELOCITY_MM_S))
def test_velocity_limit(name: str, limit: float, below: Zone, above: Zone) -> None:
    machine_class = parse_machine_class(name)
    assert zone_of(machine_class, limit) is below
    assert zone_of(machine_class, limit * 1.001) is above


@pytest.mark.parametrize(("name", "limit", "below", "above"), steps_of(DISPLACEMENT_UM))
def test_displacement_limit(name: str, limit: float, below: Zone, above: Zone) -> None:
    machine_class = parse_machine_class(name)
    assert zone_of(machine_class, 0.0, limit) is below
    assert zone_of(machine_class, 0.0, limit * 1.001) is above


def test_no_class_is_left_out_of_these_tables() -> None:
    assert {machine_class_name(each) for each in LIMITS} == VELOCITY_MM_S.keys()
    with_displacement = {machine_class_name(each) for each, limits in LIMITS.items() if limits.displacement_um}
    assert with_displacement == DISPLACEMENT_UM.keys()


@given(st.sampled_from(sorted(DISPLACEMENT_UM)), st.floats(0, 30), st.floats(0, 300))
def test_the_worse_of_both_governs(name: str, velocity_mm_s: float, displacement_um: float) -> None:
    machine_class = parse_machine_class(name)
    alone = {zone_of(machine_class, velocity_mm_s), zone_of(machine_class, 0.0, displacement_um)}
    assert zone_of(machine_class, velocity_mm_s, displacement_um) == max(alone)


def test_iso_10816_1_has_no_limits_of_displacement() -> None:
    assert zone_of(MachineClass("iso10816-1", "II"), 1.0, 1e6) is Zone.A


def test_what_is_no_number_is_never_a_good_machine() -> None:
    assert zone_of(GROUP_2_RIGID, math.nan) is Zone.D
    assert zone_of(GROUP_2_RIGID, 1.0, math.nan) is Zone.D


@given(st.sampled_from(sorted(VELOCITY_MM_S)), st.floats(0, 50))
def test_alarm_follows_the_baseline_up_to_its_ceiling(name: str, baseline: float) -> None:
    limits = limits_of(parse_machine_class(name)).velocity_mm_s
    _, b_c, c_d = VELOCITY_MM_S[name]
    alarm = limits.alarm(baseline)
    assert alarm == pytest.approx(baseline + 0.25 * b_c if baseline < b_c else 1.25 * b_c)
    assert limits.trip == pytest.approx(1.25 * c_d)


def test_an_alarm_of_group_2_on_rigid_support() -> None:
    limits = Boundaries(1.4, 2.8, 4.5)
    assert limits.alarm(1.0) == pytest.approx(1.7)
    assert limits.alarm(4.0) == pytest.approx(3.5)
    assert limits.trip == pytest.approx(5.625)


@pytest.mark.parametrize("machine_class", LIMITS)
def test_a_class_is_read_as_it_is_written(machine_class: MachineClass) -> None:
    assert parse_machine_class(f" {machine_class_name(machine_class).upper()} ") == machine_class


@pytest.mark.parametrize(
    "text", ["", "iso10816-3", "iso10816-3:3:rigid", "iso10816-3:2:soft", "iso10816-1:V", "2:rigid"]
)
def test_another_class_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(AssetError, match="machine_class") as caught:
        parse_machine_class(text)
    assert caught.value.params["found"] == text
    assert "iso10816-3:2:rigid" in str(caught.value.params["known"])
    assert caught.value.subject == "--machine"


def test_a_class_that_was_built_wrong_is_refused_too() -> None:
    with pytest.raises(AssetError, match="machine_class"):
        zone_of(MachineClass("iso10816-3", "2"), 1.0)


@pytest.mark.parametrize(
    ("power_kw", "group"), [(14.9, None), (15, "2"), (75, "2"), (300, "2"), (300.1, "1"), (50_000, "1"), (50_001, None)]
)
def test_the_group_follows_from_the_power(power_kw: float, group: str | None) -> None:
    found = machine_class_of(power_kw, "flexible")
    assert found == (MachineClass("iso10816-3", group, "flexible") if group else None)


def test_no_class_without_power_or_support() -> None:
    assert machine_class_of(None, "rigid") is None
    assert machine_class_of(75, "") is None
    assert machine_class_of(75, "springs") is None
    assert machine_class_of(math.nan, "rigid") is None


@pytest.mark.parametrize(("rpm", "low_hz"), [(None, 10.0), (600.0, 10.0), (2970.0, 10.0), (599.9, 2.0), (150.0, 2.0)])
def test_slow_machines_are_judged_from_2_hz(rpm: float | None, low_hz: float) -> None:
    assert evaluation_band(rpm) == Band(low_hz, 1000.0)


GOOD = {"velocity_rms_mm_s": 3.0, "displacement_rms_um": 10.0, "rate_hz": 12_000.0, "rpm": 1480.0}


def test_a_record_is_judged() -> None:
    assert judge(GROUP_2_RIGID, Levels(**GOOD)) == ZoneVerdict(Zone.C)


@pytest.mark.parametrize(
    ("reason", "changed"),
    [
        ("zone.speed", {"rpm": 119.0}),
        ("zone.speed", {"rpm": 15_001.0}),
        ("zone.low_rate", {"rate_hz": 1999.0}),
        ("zone.short_record", {"velocity_rms_mm_s": None, "displacement_rms_um": None}),
    ],
)
def test_a_record_that_cannot_be_judged_says_why(reason: str, changed: dict[str, float | None]) -> None:
    assert judge(GROUP_2_RIGID, Levels(**{**GOOD, **changed})) == ZoneVerdict(None, reason)  # type: ignore[arg-type]


def test_without_a_class_there_is_no_zone() -> None:
    assert judge(None, Levels(**GOOD)) == ZoneVerdict(None, "zone.no_class")


def test_an_unknown_speed_does_not_stand_in_the_way() -> None:
    assert judge(GROUP_2_RIGID, Levels(3.0, 10.0, 2000.0)) == ZoneVerdict(Zone.C)
