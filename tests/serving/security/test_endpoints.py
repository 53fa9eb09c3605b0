"""Invitations, sessions, users, keys and the audit trail over HTTP."""

from dataclasses import replace
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.serving.security.conftest import CHEAP, ELSEWHERE, OPTIONS, PASSWORD, Build, House

from andon.serving.security.options import RateLimits
from andon.serving.security.passwords import HashCosts, Passwords

CURRENT, SESSIONS, KEYS = "/api/v1/sessions/current", "/api/v1/sessions", "/api/v1/keys"
ALERTS = "/api/v1/alerts"


def sign_in(house: House, name: str = "anna", password: str = PASSWORD, address: str = ELSEWHERE) -> Any:
    client = house.client(address)
    answer = client.post(SESSIONS, json={"name": name, "password": password})
    client.headers["X-CSRF-Token"] = answer.json().get("csrf", "")
    return client, answer


def test_the_first_administrator_comes_by_an_invitation(house: House) -> None:
    client = house.client()
    body = {"token": house.invitation(), "name": "Anna", "password": PASSWORD}
    accepted = client.post("/api/v1/invitations/accept", json=body)
    assert accepted.status_code == 200
    assert {**accepted.json(), "csrf": ""} == {
        "name": "anna",
        "role": "admin",
        "customer": None,
        "kind": "user",
        "csrf": "",
        "expires": "2026-03-01T20:00:00.000Z",
    }
    assert client.get(CURRENT).json()["csrf"] == accepted.json()["csrf"]
    assert house.client().post("/api/v1/invitations/accept", json={**body, "name": "bert"}).status_code == 400


def test_an_invitation_ends_after_a_quarter_of_an_hour(house: House) -> None:
    body = {"token": house.invitation(), "name": "anna", "password": PASSWORD}
    house.moves.forward(minutes=15)
    answer = house.client().post("/api/v1/invitations/accept", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "security.invitation")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"password": "short"}, "security.password_length"),
        ({"password": "x" * 257}, "security.password_length"),
        ({"password": "anna12345678"}, "security.password_expected"),
        ({"name": "anonymous"}, "security.name"),
        ({"name": "key:line-3"}, "security.name"),
        ({"name": "a" * 65}, "security.name"),
        ({"language": "de"}, "serving.parameters"),
        ({"role": "admin"}, "serving.parameters"),
        ({"token": ""}, "serving.parameters"),
    ],
)
def test_what_cannot_be_used_leaves_the_invitation_as_it_is(house: House, change: dict[str, str], code: str) -> None:
    body = {"token": house.invitation(), "name": "anna", "password": PASSWORD}
    answer = house.client().post("/api/v1/invitations/accept", json={**body, **change})
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert house.client().post("/api/v1/invitations/accept", json=body).status_code == 200


def test_administrators_invite_others(house: House) -> None:
    anna = house.join()
    invited = anna.post("/api/v1/invitations", json={"role": "operator", "customer": "Acme"}).json()
    body = {"token": invited["token"], "name": "李雷", "password": PASSWORD}
    accepted = house.client().post("/api/v1/invitations/accept", json=body).json()
    assert (accepted["name"], accepted["role"], accepted["customer"]) == ("李雷", "operator", "Acme")


@pytest.mark.parametrize("path", ["/api/v1/invitations", KEYS])
def test_one_customers_people_and_keys_are_operators_at_most(house: House, path: str) -> None:
    body = {"role": "engineer", "customer": "Acme"} | ({"name": "x"} if path == KEYS else {})
    answer = house.join().post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "security.customer_role")


@pytest.mark.parametrize("role", ["viewer", "operator", "engineer"])
@pytest.mark.parametrize("path", [KEYS, "/api/v1/users", "/api/v1/audit"])
def test_only_administrators_see_who_may_do_what(house: House, role: str, path: str) -> None:
    assert house.with_key(house.key(role)).get(path).status_code == 403


# Sessions


def test_a_cookie_is_out_of_reach_of_scripts_and_of_other_sites(house: House) -> None:
    house.join()
    _, answer = sign_in(house)
    (cookie,) = SimpleCookie(answer.headers["set-cookie"]).values()
    assert (cookie.key, cookie["httponly"], cookie["samesite"], cookie["path"]) == ("andon", True, "lax", "/")
    assert (cookie["secure"], cookie["max-age"]) == ("", "43200")


def test_over_tls_the_cookie_is_for_tls_and_this_host_alone(build: Build) -> None:
    house = build(replace(OPTIONS, has_tls=True))
    body = {"token": house.invitation(), "name": "anna", "password": PASSWORD}
    answer = house.client().post("/api/v1/invitations/accept", json=body)
    (cookie,) = SimpleCookie(answer.headers["set-cookie"]).values()
    assert (cookie.key, cookie["secure"], cookie["path"], cookie["domain"]) == ("__Host-andon", True, "/", "")


def test_the_database_does_not_hold_what_the_cookie_holds(house: House) -> None:
    token = house.join().cookies["andon"]
    stored = house.security.accounts._database.engine.url.database
    assert stored
    with open(stored, "rb") as file, open(f"{stored}-wal", "rb") as log:  # noqa: PTH123
        kept = file.read() + log.read()
    assert b"anna" in kept
    assert token.encode() not in kept
    assert PASSWORD.encode() not in kept


def test_the_wrong_password_the_unknown_and_the_disabled_are_told_the_same(house: House) -> None:
    house.join("anna")
    house.join("bert")
    house.security.accounts.disable("bert", house.moves.clock.now())
    answers = [
        sign_in(house, *given)[1] for given in (("anna", "another battery"), ("nobody", PASSWORD), ("bert", PASSWORD))
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}
    assert answers[0].json()["code"] == "security.sign_in"
    assert answers[0].headers["WWW-Authenticate"]
    assert all("set-cookie" not in answer.headers for answer in answers)


def test_a_password_is_hashed_for_names_that_nobody_has(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[str | None] = []
    verify = Passwords.verify

    def counting(self: Passwords, password: str, password_hash: str | None) -> bool:
        verified.append(password_hash)
        return verify(self, password, password_hash)

    monkeypatch.setattr(Passwords, "verify", counting)
    sign_in(house, "nobody")
    sign_in(house, "no:name")
    assert verified == [None, None]


def test_signing_out_ends_the_session_at_the_server(house: House) -> None:
    client = house.join()
    token = client.cookies["andon"]
    assert client.delete(CURRENT).status_code == 200
    assert "andon" not in client.cookies
    assert house.client(Cookie=f"andon={token}").get(CURRENT).status_code == 401


def test_a_session_ends_when_nobody_uses_it(house: House) -> None:
    client = house.join()
    for _ in range(3):
        house.moves.forward(minutes=59)
        assert client.get(CURRENT).status_code == 200
    house.moves.forward(minutes=61)
    assert client.get(CURRENT).status_code == 401


def test_a_session_ends_after_twelve_hours_whatever_happens(house: House) -> None:
    client = house.join()
    for _ in range(23):
        house.moves.forward(minutes=30)
        assert client.get(CURRENT).status_code == 200
    house.moves.forward(minutes=30)
    assert client.get(CURRENT).status_code == 401


def test_a_changed_password_ends_all_sessions_but_the_new_one(house: House) -> None:
    client = house.join()
    other, _ = sign_in(house)
    body = {"password": PASSWORD, "new_password": "battery horse correct"}
    changed = client.post("/api/v1/password", json=body)
    assert changed.status_code == 200
    assert [each.get(CURRENT).status_code for each in (client, other)] == [200, 401]
    assert sign_in(house)[1].status_code == 401
    assert sign_in(house, password="battery horse correct")[1].status_code == 200


def test_a_stolen_session_does_not_change_the_password(house: House) -> None:
    client = house.join()
    body = {"password": "another battery", "new_password": "battery horse correct"}
    assert client.post("/api/v1/password", json=body).status_code == 401
    assert client.get(CURRENT).status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/password", CURRENT])
def test_a_key_has_neither_password_nor_session(house: House, path: str) -> None:
    client = house.with_key(house.key("admin"))
    body = {"password": PASSWORD, "new_password": PASSWORD}
    answer = client.delete(path) if path == CURRENT else client.post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "security.no_session")


def test_hashes_of_another_cost_are_made_anew_at_the_next_sign_in(build: Build) -> None:
    house = build(OPTIONS)
    house.join()
    before = house.security.accounts.user("anna")
    dearer = build(replace(OPTIONS, hashing=HashCosts(memory_kib=16, passes=1, lanes=1)))
    assert sign_in(dearer)[1].status_code == 200
    after = dearer.security.accounts.user("anna")
    assert before and before.password_hash and "m=8," in before.password_hash
    assert after and after.password_hash and "m=16," in after.password_hash
    assert sign_in(dearer)[1].status_code == 200


def test_guesses_under_one_name_are_slowed_down_wherever_they_come_from(house: House) -> None:
    house.join()
    guesses = [sign_in(house, "anna", "wrong guess 12", f"192.0.2.{number}")[1].status_code for number in range(12)]
    assert guesses == [401] * 9 + [429] * 3  # the first of ten was to accept the invitation
    answer = sign_in(house, "anna", PASSWORD, "192.0.2.99")[1]
    assert (answer.status_code, int(answer.headers["Retry-After"])) == (429, 30)
    house.moves.forward(seconds=30)
    assert sign_in(house, "anna", PASSWORD, "192.0.2.99")[1].status_code == 200


def test_guesses_from_one_address_are_slowed_down_whatever_the_name(house: House) -> None:
    house.join()
    answers = [sign_in(house, f"user{number}")[1].status_code for number in range(22)]
    assert answers[-1] == 429
    assert sign_in(house, "anna", PASSWORD, "192.0.2.99")[1].status_code == 200


def test_success_is_no_guess(house: House) -> None:
    house.join()
    statuses = {sign_in(house, address=f"192.0.2.{number}")[1].status_code for number in range(30)}
    assert statuses == {200}


# Users


def test_users_are_listed_without_anything_secret(house: House) -> None:
    items = house.join().get("/api/v1/users").json()["items"]
    assert items == [
        {
            "name": "anna",
            "role": "admin",
            "customer": None,
            "comes_by": "password",
            "created": "2026-03-01T08:00:00.000Z",
            "disabled": None,
        }
    ]


def test_a_disabled_user_is_out_at_once_and_everywhere(house: House) -> None:
    anna, bert = house.join("anna"), house.join("bert", "viewer")
    assert bert.get(CURRENT).status_code == 200
    assert anna.post("/api/v1/users/bert/disable").json()["disabled"]
    assert bert.get(CURRENT).status_code == 401
    assert sign_in(house, "bert")[1].status_code == 401
    assert anna.post("/api/v1/users/bert/enable").json()["disabled"] is None
    assert sign_in(house, "bert")[1].status_code == 200


def test_another_role_holds_at_once(house: House) -> None:
    anna, bert = house.join("anna"), house.join("bert", "viewer")
    assert anna.post("/api/v1/users/bert/role", json={"role": "engineer"}).json()["role"] == "engineer"
    assert bert.get(CURRENT).status_code == 401
    assert sign_in(house, "bert")[1].json()["role"] == "engineer"


def test_one_customers_user_gets_no_higher_role(house: House) -> None:
    anna = house.join("anna")
    house.join("bert", "viewer", "Acme")
    assert anna.post("/api/v1/users/bert/role", json={"role": "admin"}).json()["code"] == "security.customer_role"


def test_a_user_that_is_not_there_cannot_be_changed(house: House) -> None:
    anna = house.join()
    for action, body in (("disable", {}), ("enable", {}), ("role", {"role": "viewer"})):
        answer = anna.post(f"/api/v1/users/nobody/{action}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "security.no_user")


# Keys


def test_a_key_is_made_used_rotated_and_revoked(house: House) -> None:
    anna = house.join()
    made = anna.post(KEYS, json={"name": "line-3", "role": "viewer", "expires_days": 30}).json()
    assert made["expires"] == "2026-03-31T08:00:00.000Z"
    first = house.with_key(made["key"])
    assert first.get(ALERTS).status_code == 200
    rotated = anna.post(f"{KEYS}/{made['id']}/rotate", json={"overlap_hours": 0}).json()
    second = house.with_key(rotated["key"])
    assert [each.get(ALERTS).status_code for each in (first, second)] == [401, 200]
    assert anna.post(f"{KEYS}/{made['id']}/revoke").json()["revoked"]
    assert second.get(ALERTS).status_code == 401


def test_a_key_is_shown_once(house: House) -> None:
    anna = house.join()
    made = anna.post(KEYS, json={"name": "line-3", "role": "viewer"}).json()
    (listed,) = anna.get(KEYS).json()["items"]
    assert listed == {name: value for name, value in made.items() if name != "key"}


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x"},
        {"role": "viewer"},
        {"name": "x", "role": "root"},
        {"name": "", "role": "viewer"},
        {"name": "x\ny", "role": "viewer"},
        {"name": "x", "role": "viewer", "expires_days": 0},
        {"name": "x", "role": "viewer", "expires_days": 1.5},
        {"name": "x", "role": "viewer", "expires": 1},
        [],
        None,
    ],
)
def test_a_body_that_cannot_be_used_makes_no_key(house: House, body: Any) -> None:
    anna = house.join()
    assert anna.post(KEYS, json=body).json()["code"] == "serving.parameters"
    assert anna.get(KEYS).json()["items"] == []


def test_a_key_that_is_not_there_cannot_be_changed(house: House) -> None:
    anna = house.join()
    unknown = f"{KEYS}/018f0000-0000-7000-8000-000000000000"
    revoked = anna.post(f"{unknown}/revoke")
    assert (revoked.status_code, revoked.json()["code"]) == (404, "security.no_key")
    assert anna.post(f"{unknown}/rotate").json()["code"] == "security.no_key"
    assert anna.post(f"{KEYS}/x/revoke").json()["code"] == "serving.identifier"


# The audit trail


def pages(client: TestClient, **query: str) -> list[dict[str, str]]:
    items: list[dict[str, str]] = []
    while True:
        page = client.get("/api/v1/audit", params=query).json()
        items += page["items"]
        if page["next"] is None:
            return items
        query["cursor"] = page["next"]


def test_the_trail_tells_who_did_what(house: House) -> None:
    anna = house.join()
    made = anna.post(KEYS, json={"name": "line-3", "role": "viewer"}).json()
    anna.post(f"{KEYS}/{made['id']}/revoke")
    sign_in(house, "anna", "another battery")
    told = [(each["actor"], each["action"], each["subject"], each["outcome"]) for each in pages(anna, limit="2")]
    assert told == [
        ("anonymous", "POST /api/v1/sessions", "anna", "refused 401"),
        ("anna", "POST /api/v1/keys/{id}/revoke", f"{KEYS}/{made['id']}/revoke", "done"),
        ("anna", "POST /api/v1/keys", f"key line-3 {made['id']}", "done"),
        ("anonymous", "POST /api/v1/invitations/accept", "anna", "done"),
    ]
    assert [each["actor"] for each in pages(anna, actor="anna")] == ["anna", "anna"]


def test_a_change_that_failed_is_written_down_as_such(house: House) -> None:
    anna = house.join()
    anna.post(KEYS, json={"name": "x"})
    assert house.trail()[0]["outcome"] == "failed 400"


def test_the_cheap_hash_of_these_tests_is_not_the_services(house: House) -> None:
    assert house.security.options.hashing == CHEAP
    assert HashCosts() == HashCosts(memory_kib=19 * 1024, passes=2, lanes=1)
    assert RateLimits().names.burst == 10
    assert OPTIONS.lifetimes.absolute == timedelta(hours=12)
