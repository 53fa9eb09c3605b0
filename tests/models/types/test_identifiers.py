from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from andon.models.types.identifiers import new_id, uuid7

NS = st.integers(0, 2**47 * 10**6)
NOISE = st.integers(0, 2**62 - 1)


@given(NS, NOISE)
def test_it_holds_its_time_version_and_variant(unix_ns: int, noise: int) -> None:
    made = uuid7(unix_ns, noise)
    assert made.int >> 80 == unix_ns // 10**6
    assert made.version == 7
    assert made.variant == RFC_4122
    assert made.int & (2**62 - 1) == noise


@given(NS, st.integers(250, 10**12), NOISE, NOISE)
def test_a_later_one_sorts_behind(unix_ns: int, later_ns: int, first: int, second: int) -> None:
    assert str(uuid7(unix_ns, first)) < str(uuid7(unix_ns + later_ns, second))


def test_new_ones_differ() -> None:
    made = {new_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(UUID(each).version == 7 for each in made)
