"""What a station has accepted decides what it accepts, and where it may go back to."""

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.hardware.edge.updates.journal import REMEMBERED, Acceptance, Journal, UpdateRefusedError
from andon.models.bundle.signature import Release, Signature

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def acceptance(digest: str, release: int, name: str = "plates") -> Acceptance:
    return Acceptance(digest, name, release, NOW, "key", NOW, "source")


def refusal(journal: Journal, digest: str, release: int, name: str = "plates") -> str | None:
    try:
        journal.check_new(Signature(Release(name, release, NOW), digest, "key", b""), "plates", "plates")
    except UpdateRefusedError as error:
        return error.code
    return None


def test_only_a_higher_release_is_new() -> None:
    journal = Journal().with_accepted(acceptance("a", 5))
    assert [refusal(journal, "b", number) for number in (4, 5, 6)] == ["update.older", "update.older", None]


def test_what_was_accepted_is_accepted_again_while_nothing_newer_was() -> None:
    journal = Journal().with_accepted(acceptance("a", 5))
    assert refusal(journal, "a", 5) is None
    assert refusal(journal.with_accepted(acceptance("b", 6)), "a", 5) == "update.older"


def test_another_product_has_its_own_numbers() -> None:
    journal = Journal().with_accepted(acceptance("a", 5, "boards"))
    assert refusal(journal, "b", 1) is None
    assert refusal(journal, "b", 9, "boards") == "update.other_name"


def test_what_was_withdrawn_is_neither_new_nor_to_be_gone_back_to() -> None:
    journal = Journal().with_accepted(acceptance("a", 5)).with_withdrawn("a", "update.errors")
    assert refusal(journal, "a", 6) == "update.withdrawn"
    with pytest.raises(UpdateRefusedError, match=r"update\.withdrawn"):
        journal.check_return("a", "a")
    with pytest.raises(UpdateRefusedError, match=r"update\.not_accepted"):
        journal.check_return("b", "b")


def test_saying_it_twice_says_it_once() -> None:
    once = Journal().with_accepted(acceptance("a", 5))
    later = replace(acceptance("a", 5), accepted=datetime(2027, 1, 1, tzinfo=UTC))
    assert len(once.with_accepted(later).acceptances) == 1


@given(st.lists(st.tuples(st.sampled_from("abcdefg"), st.integers(1, 20))))
def test_what_was_accepted_only_rises_and_is_never_forgotten(tried: list[tuple[str, int]]) -> None:
    journal, highest = Journal(), 0
    for digest, release in tried:
        if refusal(journal, digest, release) is None:
            assert release >= highest
            highest = release
            journal = journal.with_accepted(acceptance(digest, release))
        assert journal.highest.get("plates", 0) == highest
        assert msgspec.json.decode(msgspec.json.encode(journal), type=Journal) == journal


def test_it_does_not_grow_without_end() -> None:
    journal = Journal()
    for number in range(1, REMEMBERED + 50):
        journal = journal.with_accepted(acceptance(f"v{number}", number))
    assert len(journal.acceptances) == REMEMBERED
    assert refusal(journal, "v1", 1) == "update.older", "the highest release outlives its entry"
