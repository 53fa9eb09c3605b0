import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from andon.datasets.splits.units import split_by_unit

UNITS = st.lists(st.sampled_from([f"板 {number}" for number in range(30)]), max_size=80)
FRACTIONS = st.floats(0.05, 0.95)
SEEDS = st.integers(0, 2**32)


@given(UNITS, FRACTIONS, SEEDS)
def test_a_unit_stands_on_one_side(units: list[str], fraction: float, seed: int) -> None:
    chosen = split_by_unit(units, fraction, seed)
    sides = set(zip(units, chosen.tolist(), strict=True))
    assert len(sides) == len(set(units))


@given(UNITS.flatmap(lambda units: st.tuples(st.just(units), st.permutations(units))), FRACTIONS, SEEDS)
def test_the_order_of_the_samples_does_not_matter(
    orders: tuple[list[str], list[str]], fraction: float, seed: int
) -> None:
    units, shuffled = orders
    chosen = dict(zip(units, split_by_unit(units, fraction, seed).tolist(), strict=True))
    assert split_by_unit(shuffled, fraction, seed).tolist() == [chosen[unit] for unit in shuffled]


@given(UNITS.filter(bool), FRACTIONS, SEEDS)
def test_the_share_of_units_is_the_fraction(units: list[str], fraction: float, seed: int) -> None:
    chosen = {unit for unit, is_chosen in zip(units, split_by_unit(units, fraction, seed), strict=True) if is_chosen}
    wanted = fraction * len(set(units))
    assert chosen
    assert abs(len(chosen) - wanted) <= max(0.5 + 1e-9, 1 - wanted)


def test_another_seed_gives_another_choice() -> None:
    units = [str(number) for number in range(40)]
    assert not np.array_equal(split_by_unit(units, 0.5, 0), split_by_unit(units, 0.5, 1))
