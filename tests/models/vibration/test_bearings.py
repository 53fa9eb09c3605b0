from dataclasses import astuple
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.models.types.errors import AssetError
from andon.models.types.vibration import Bearing
from andon.models.vibration.bearings import KnownBearing, find_bearing, known_bearings, parse_bearing
from andon.models.vibration.fault_orders import fault_orders, parse_geometry, parse_orders

CASES = ("6205", "6203", "NICE", "UER204", "ZA-2115", "PRONOSTIA", "ER16K", "NU206", "22205E1")
SUFFIXES = ("-2RS", "-2Z", " ZZ/C3", "ZZ", "/C3", " DDU", "-2RSR", "2RS", "-2RZ/C3", "-E-XL-TVP2", " C4")
MAKERS = ("", "SKF ", "FAG ", "NSK ", "ldk ", "Timken ")


def named(known: KnownBearing) -> str:
    return f"{known.maker} {known.designation}"


@pytest.mark.parametrize("known", known_bearings(), ids=named)
def test_every_entry_names_its_source_and_is_found_by_its_own_name(known: KnownBearing) -> None:
    assert len(known.source) > 20
    found = find_bearing(named(known).strip())
    assert (found.designation, found.maker) == (known.designation, known.maker)
    assert found.source.startswith(known.source)
    assert found.place == ""


def test_no_maker_has_two_entries_of_one_designation() -> None:
    names = [(known.basic, known.maker) for known in known_bearings()]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("known", known_bearings(), ids=named)
def test_orders_belong_together(known: KnownBearing) -> None:
    """Race orders add up to the elements, and the cage carries them; published orders are rounded to two digits at worst."""
    elements = round(known.orders.bpfo + known.orders.bpfi)
    assert known.orders.bpfo + known.orders.bpfi == pytest.approx(elements, abs=0.01)
    assert known.orders.ftf == pytest.approx(known.orders.bpfo / elements, abs=0.005)
    assert 0 < known.orders.ftf < 0.5 < known.orders.bsf < known.orders.bpfo < known.orders.bpfi


def test_makers_of_one_designation_are_close() -> None:
    pairs = [pair for pair in combinations(known_bearings(), 2) if pair[0].basic == pair[1].basic]
    assert len(pairs) >= 11
    for first, second in pairs:
        for name, closeness in (("bpfo", 0.01), ("bpfi", 0.01), ("ftf", 0.01), ("bsf", 0.03)):
            assert getattr(first.orders, name) == pytest.approx(getattr(second.orders, name), rel=closeness)


@given(st.sampled_from(CASES), st.sampled_from(SUFFIXES), st.sampled_from(MAKERS), st.booleans())
def test_suffixes_makers_and_case_do_not_hide_a_bearing(basic: str, suffix: str, maker: str, lower: bool) -> None:
    written = f"{maker}{basic}{suffix}"
    found = find_bearing(written.lower() if lower else written)
    assert basic in {known.basic for known in known_bearings() if known.designation == found.designation}


@pytest.mark.parametrize(
    ("written", "maker", "expected"),
    [
        ("6205", None, ("SKF", "6205-2RS")),
        ("NSK 6205 DDU", None, ("NSK", "6205")),
        ("6205", "nsk", ("NSK", "6205")),
        ("NSK 6205", "SKF", ("SKF", "6205-2RS")),
        ("Timken 6205", None, ("SKF", "6205-2RS")),
        ("６２０３－２Ｚ", "FAG", ("FAG", "6203")),
        ("za2115", None, ("Rexnord", "ZA-2115")),
        ("NU 206", None, ("FAG", "NU206")),
        ("ER-16K", None, ("MB", "ER16K")),
    ],
)
def test_the_maker_named_is_preferred(written: str, maker: str | None, expected: tuple[str, str]) -> None:
    found = find_bearing(written, maker)
    assert (found.maker, found.designation) == expected


@pytest.mark.parametrize("written", ["62055", "16205", "620", "205", "BL 6205", "NU 2206", "6312", "", "轴承"])
def test_another_number_is_not_taken_for_a_known_one(written: str) -> None:
    with pytest.raises(AssetError) as caught:
        find_bearing(written)
    assert caught.value.code == "asset.bearing_unknown"
    assert caught.value.subject == written


def test_the_nearest_are_named() -> None:
    with pytest.raises(AssetError) as caught:
        find_bearing("6209-2Z")
    near = str(caught.value.params["near"]).split(", ")
    assert set(near) <= {known.basic for known in known_bearings()}
    assert near[0].startswith("620")


def test_a_note_on_other_sources_goes_with_the_source() -> None:
    assert "9.525" in find_bearing("6206").source


def test_geometry_and_orders_are_told_apart() -> None:
    geometry, orders = "9,7.94,39.04,0", "3.585,5.415,2.357,0.398"
    assert parse_bearing(geometry, "SKF", "drawing").orders == fault_orders(parse_geometry(geometry))
    assert parse_bearing(orders) == Bearing("", parse_orders(orders), "")
    assert parse_bearing("3,585;5,415;2,357;,398").orders == parse_orders(orders)
    assert parse_bearing("16,8.4,71.5,15.17").orders == fault_orders(parse_geometry("16,8.4,71.5,15.17"))


def test_a_designation_may_bring_its_own_geometry() -> None:
    bearing = parse_bearing("6312-C3 = 8,22.225,96,0", "SKF", "maker's sheet")
    assert (bearing.designation, bearing.maker, bearing.source) == ("6312-C3", "SKF", "maker's sheet")
    assert astuple(bearing.orders) == pytest.approx(astuple(fault_orders(parse_geometry("8,22.225,96,0"))))


def test_a_designation_is_looked_up_with_its_maker() -> None:
    assert parse_bearing("6205-2RS", "NSK", "ignored") == find_bearing("6205", "NSK")


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("6312", "asset.bearing_unknown"),
        ("9,7.94,39.04", "asset.geometry_form"),
        ("6205,6206", "asset.geometry_form"),
        ("6312 = ", "asset.geometry_form"),
        ("6312 = eight", "asset.geometry_form"),
        ("9,39.04,7.94,0", "asset.geometry_pitch"),
        ("5.4,3.5,2.3,0.4", "asset.orders_races"),
    ],
)
def test_what_is_no_bearing_is_refused(written: str, code: str) -> None:
    with pytest.raises(AssetError) as caught:
        parse_bearing(written)
    assert caught.value.code == code


@given(st.text(max_size=20))
def test_any_text_gives_a_bearing_or_an_asset_error(written: str) -> None:
    try:
        assert parse_bearing(written).orders.bpfo > 0
    except AssetError as error:
        assert error.code.startswith("asset.")
