import math
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.models.messages.catalogue import LANGUAGES, catalogue
from andon.models.types.errors import AssetError
from andon.models.types.vibration import BearingOrders
from andon.models.vibration.fault_orders import BearingGeometry, fault_orders, parse_geometry, parse_orders

INCH_MM = 25.4
# The published orders are rounded, and those of CWRU not all from one geometry: its cage order of the 6205 times nine is
# 3.5845, its outer race's 3.5848. One and a half units of the fourth digit span what they can mean.
ROUNDING = 1.5e-4


@st.composite
def geometries(draw: st.DrawFn) -> BearingGeometry:
    """Any bearing that can be built, its elements touching at the thinnest pitch circle."""
    n = draw(st.integers(3, 60))
    d = draw(st.floats(0.5, 100))
    pitch = d / math.sin(math.pi / n) * draw(st.floats(1.001, 5))
    return BearingGeometry(n, d, pitch, draw(st.floats(0, 85)))


@pytest.mark.parametrize(
    ("geometry", "published"),
    [
        (BearingGeometry(9, 0.3126 * INCH_MM, 1.537 * INCH_MM), (3.5848, 5.4152, 2.3568, 0.39828)),
        (BearingGeometry(8, 0.2656 * INCH_MM, 1.122 * INCH_MM), (3.0530, 4.9469, 1.9937, 0.3817)),
    ],
    ids=["6205", "6203"],
)
def test_published_orders_to_the_fourth_digit(geometry: BearingGeometry, published: tuple[float, ...]) -> None:
    assert astuple(fault_orders(geometry)) == pytest.approx(published, abs=ROUNDING)


def test_the_bearing_of_mfpt_to_the_digits_published() -> None:
    orders = fault_orders(BearingGeometry(8, 0.235 * INCH_MM, 1.245 * INCH_MM))
    assert [round(order, 3) for order in astuple(orders)] == [3.245, 4.755, 2.555, 0.406]


def test_a_thrust_bearing_shows_half_its_elements_on_either_race() -> None:
    orders = fault_orders(BearingGeometry(12, 10, 60, 90))
    assert (orders.bpfo, orders.bpfi, orders.bsf, orders.ftf) == pytest.approx((6, 6, 3, 0.5))


@given(geometries())
def test_the_races_share_the_elements_and_the_cage_carries_them(geometry: BearingGeometry) -> None:
    orders = fault_orders(geometry)
    assert orders.bpfo + orders.bpfi == pytest.approx(geometry.n_elements)
    assert orders.ftf == pytest.approx(orders.bpfo / geometry.n_elements)


@given(geometries())
def test_the_cage_is_slower_than_half_the_shaft_and_the_outer_race_than_the_inner(geometry: BearingGeometry) -> None:
    orders = fault_orders(geometry)
    assert 0 < orders.ftf < 0.5
    assert orders.ftf < orders.bpfo < geometry.n_elements / 2 < orders.bpfi


@given(geometries())
def test_an_element_rolls_on_both_races_without_slip(geometry: BearingGeometry) -> None:
    """Seen from the cage, races and elements move by one length a second where they touch."""
    orders = fault_orders(geometry)
    lean = geometry.element_d_mm * math.cos(math.radians(geometry.contact_angle_deg))
    inner_d, outer_d = geometry.pitch_d_mm - lean, geometry.pitch_d_mm + lean
    assert (1 - orders.ftf) * inner_d == pytest.approx(orders.bsf * geometry.element_d_mm)
    assert orders.ftf * outer_d == pytest.approx(orders.bsf * geometry.element_d_mm)


@given(geometries(), st.floats(1e-3, 1e3))
def test_only_the_shape_matters_not_the_size(geometry: BearingGeometry, scale: float) -> None:
    scaled = BearingGeometry(
        geometry.n_elements, geometry.element_d_mm * scale, geometry.pitch_d_mm * scale, geometry.contact_angle_deg
    )
    assert astuple(fault_orders(scaled)) == pytest.approx(astuple(fault_orders(geometry)))


@given(geometries())
def test_orders_and_geometry_are_read_as_written(geometry: BearingGeometry) -> None:
    orders = fault_orders(geometry)
    assert parse_orders(",".join(map(repr, astuple(orders)))) == orders
    assert parse_geometry(";".join(map(repr, astuple(geometry)))) == geometry
    with_comma = ";".join(repr(value).replace(".", ",") for value in astuple(orders))
    assert parse_orders(with_comma) == orders


def test_spaces_and_full_width_forms_are_read() -> None:
    expected = BearingOrders(3.245, 4.755, 2.555, 0.406)
    assert parse_orders(" 3.245, 4.755 ,2.555,.406 ") == expected
    assert parse_orders("３.245，4.755，2.555，0.406") == expected
    assert parse_orders("3,245；4,755；2,555；0,406") == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "asset.orders_form"),
        ("3.2,4.7,2.5", "asset.orders_form"),
        ("3.2,4.7,2.5,.4,1", "asset.orders_form"),
        ("3.2,4.7,x,.4", "asset.orders_form"),
        ("3.2,4.7,nan,.4", "asset.orders_form"),
        ("3.2,inf,2.5,.4", "asset.orders_form"),
        ("3.2,4.7,0,.4", "asset.orders_form"),
        ("-3.2,4.7,2.5,.4", "asset.orders_form"),
        ("4.755,3.245,2.555,.406", "asset.orders_races"),
        ("107.4,162.2,70.6,11.9", "asset.orders_cage"),
        (".406,3.245,4.755,2.555", "asset.orders_cage"),
    ],
)
def test_what_are_no_orders_is_refused(text: str, code: str) -> None:
    with pytest.raises(AssetError) as caught:
        parse_orders(text)
    assert (caught.value.code, caught.value.subject) == (code, text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("9,7.94,39.04", "asset.geometry_form"),
        ("6205", "asset.geometry_form"),
        ("8.5,7.94,39.04,0", "asset.geometry_form"),
        ("nan,7.94,39.04,0", "asset.geometry_form"),
        ("inf,7.94,39.04,0", "asset.geometry_form"),
        ("2,7.94,39.04,0", "asset.geometry_elements"),
        ("9,0,39.04,0", "asset.geometry_elements"),
        ("9,nan,39.04,0", "asset.geometry_elements"),
        ("9,39.04,7.94,0", "asset.geometry_pitch"),
        ("20,7.94,39.04,0", "asset.geometry_pitch"),
        ("9,7.94,inf,0", "asset.geometry_pitch"),
        ("9,7.94,39.04,-1", "asset.geometry_angle"),
        ("9,7.94,39.04,91", "asset.geometry_angle"),
        ("9,7.94,39.04,nan", "asset.geometry_angle"),
    ],
)
def test_what_is_no_bearing_is_refused(text: str, code: str) -> None:
    with pytest.raises(AssetError) as caught:
        parse_geometry(text)
    assert caught.value.code == code


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_message_says_what_was_found_and_what_would_fit(language: str) -> None:
    with pytest.raises(AssetError) as caught:
        parse_geometry("9,39.04,7.94,0")
    said = catalogue(language).error(caught.value)
    assert "7.94" in said
    assert "114.1" in said  # 39.04 / sin(20 degrees)


@given(st.text(max_size=30))
def test_any_text_gives_orders_or_an_asset_error(text: str) -> None:
    for parse in (parse_orders, parse_geometry):
        try:
            parse(text)
        except AssetError as error:
            assert error.code.startswith("asset.")
