"""Data grades decide who may take what where."""

from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.datasets.cards.known import known_sets
from andon.serving.security.errors import ForbiddenError
from andon.serving.security.grades import Destination, Grade, may_export
from andon.serving.security.roles import Role


@pytest.mark.parametrize(
    ("grade", "role", "destination", "code"),
    [
        ("public", Role.VIEWER, "abroad", ""),
        ("internal", Role.VIEWER, "here", ""),
        ("internal", Role.OPERATOR, "inside", "security.grade_role"),
        ("internal", Role.ENGINEER, "inside", ""),
        ("internal", Role.ENGINEER, "outside", "security.grade_role"),
        ("internal", Role.ADMIN, "abroad", ""),
        ("important", Role.ENGINEER, "here", ""),
        ("important", Role.ADMIN, "inside", ""),
        ("important", Role.ADMIN, "outside", "security.grade_stays"),
        ("core", Role.ENGINEER, "here", "security.grade_role"),
        ("core", Role.ADMIN, "here", ""),
        ("core", Role.ADMIN, "inside", "security.grade_stays"),
    ],
)
def test_who_may_take_what_where(grade: str, role: Role, destination: str, code: str) -> None:
    decision = may_export(Grade(grade), role, Destination(destination))
    assert (decision.allowed, decision.code) == (not code, code)


@given(st.sampled_from(list(Destination)), st.sampled_from(list(Role)))
def test_a_higher_grade_allows_nothing_that_a_lower_one_does_not(destination: Destination, role: Role) -> None:
    allowed = [may_export(grade, role, destination).allowed for grade in Grade]
    assert all(lower or not higher for lower, higher in pairwise(allowed))


@given(st.sampled_from(list(Grade)), st.sampled_from(list(Role)))
def test_farther_is_never_easier(grade: Grade, role: Role) -> None:
    allowed = [may_export(grade, role, destination).allowed for destination in Destination]
    assert all(near or not far for near, far in pairwise(allowed))


@given(st.sampled_from(list(Grade)), st.sampled_from(list(Destination)))
def test_a_higher_role_may_do_what_a_lower_one_may(grade: Grade, destination: Destination) -> None:
    allowed = [may_export(grade, role, destination).allowed for role in Role]
    assert all(higher or not lower for lower, higher in pairwise(allowed))


def test_important_and_core_data_do_not_leave_the_country_by_anybody() -> None:
    for grade, role in product((Grade.IMPORTANT, Grade.CORE), Role):
        assert not may_export(grade, role, Destination.ABROAD).allowed


def test_a_refusal_says_what_was_found_and_expected() -> None:
    decision = may_export(Grade.INTERNAL, Role.VIEWER, Destination.OUTSIDE)
    with pytest.raises(ForbiddenError) as refused:
        decision.require("ledger")
    assert refused.value.params == {
        "subject": "ledger",
        "grade": "internal",
        "destination": "outside",
        "found": "viewer",
        "expected": "admin",
    }
    may_export(Grade.PUBLIC, Role.VIEWER, Destination.OUTSIDE).require("ledger")


def test_the_grades_are_those_of_the_data_cards() -> None:
    assert {known.provenance.grade for known in known_sets().values()} <= {grade.value for grade in Grade}
