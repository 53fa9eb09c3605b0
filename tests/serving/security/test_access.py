"""The table of roles: what is in it, and what holds for all that is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.serving.security.access import SEPARATED, TABLE, UNAUDITED, role_needed, rule_of
from andon.serving.security.roles import ROLES, Role, granted

METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", ""])
PATHS = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from(["api", "v1", "v2", "health", "live", "keys", "docs", "..", "", "%2e", "a"]), max_size=6
    ).map(lambda pieces: "/" + "/".join(pieces)),
)
OPEN = {(method, path) for method, path, role in TABLE if role is None}


def filled(path: str) -> str:
    """An address of a row."""
    return path.replace("**", "x/y").replace("{", "").replace("}", "")


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", "/api/v1/inspections", "viewer"),
        ("HEAD", "/api/v1/inspections", "viewer"),
        ("GET", "/api/v1/parts/https%3A//id.example/01/09506000134352/21/A1", "viewer"),
        ("GET", "/api/v1/events", "viewer"),
        ("GET", "/metrics", "viewer"),
        ("GET", "/docs", "viewer"),
        ("POST", "/api/v1/inspections", "operator"),
        ("POST", "/api/v1/signals", "operator"),
        ("POST", "/v2/models/plates/infer", "operator"),
        ("POST", "/v2/models/plates/versions/1/infer", "operator"),
        ("POST", "/invocations", "operator"),
        ("POST", "/api/v1/alerts/1/acknowledge", "operator"),
        ("POST", "/api/v1/inspections/1/disposition", "operator"),
        ("POST", "/v2/repository/models/plates/load", "engineer"),
        ("POST", "/v2/repository/models/plates/unload", "engineer"),
        ("GET", "/api/v1/ledger/export", "engineer"),
        ("GET", "/api/v1/users", "admin"),
        ("POST", "/api/v1/keys", "admin"),
        ("GET", "/api/v1/audit", "admin"),
    ],
)
def test_the_role_of_a_path(method: str, path: str, role: str) -> None:
    assert role_needed(method, path) is ROLES[role]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/health/live"),
        ("GET", "/v2/health/ready"),
        ("GET", "/ping"),
        ("GET", "/auth/login"),
        ("POST", "/api/v1/sessions"),
        ("POST", "/api/v1/invitations/accept"),
    ],
)
def test_what_is_open_to_anybody(method: str, path: str) -> None:
    assert role_needed(method, path) is None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/health/live/"),
        ("GET", "/v2/health"),
        ("POST", "/v2/health/live"),
        ("GET", "//v2/health/live"),
        ("GET", "/v2/health/live\n"),
        ("GET", "/V2/health/live"),
        ("GET", "/v2/health/../keys"),
        ("DELETE", "/api/v1/alerts"),
        ("GET", "/api/v1/alerts/"),
        ("POST", "/auth/login"),
        ("GET", "/"),
        ("", ""),
    ],
)
def test_what_nobody_thought_about_is_for_administrators(method: str, path: str) -> None:
    assert role_needed(method, path) is Role.ADMIN


@given(METHODS, PATHS)
def test_only_the_open_rows_are_open(method: str, path: str) -> None:
    is_open = ("GET" if method == "HEAD" else method, path) in OPEN
    assert (role_needed(method, path) is None) == is_open


@pytest.mark.parametrize(("method", "path", "role"), TABLE)
def test_every_row_holds_for_its_own_addresses(method: str, path: str, role: Role | None) -> None:
    assert rule_of(method, filled(path)).action == f"{method} {path}"
    assert rule_of(method, filled(path)).role is role


def test_no_row_is_there_twice_and_the_lists_beside_name_rows() -> None:
    actions = [f"{method} {path}" for method, path, _ in TABLE]
    assert len(set(actions)) == len(actions)
    assert set(actions) >= UNAUDITED | SEPARATED


def test_roles_are_ordered() -> None:
    assert Role.VIEWER < Role.OPERATOR < Role.ENGINEER < Role.ADMIN
    assert list(ROLES) == ["viewer", "operator", "engineer", "admin"]


@given(st.text(), st.one_of(st.none(), st.text(min_size=1)))
def test_one_customers_callers_are_operators_at_most(role: str, customer: str | None) -> None:
    for word in (*ROLES, role):
        given_role = granted(word, customer)
        assert (given_role is None) == (word not in ROLES)
        assert given_role is None or given_role <= (Role.ADMIN if customer is None else Role.OPERATOR)
