"""``andon admin``, from the console to the service."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.conftest import Andon
from tests.serving.security.conftest import ELSEWHERE, OPTIONS, PASSWORD

from andon.datasets.store.accounts import Accounts, AuditFilter
from andon.datasets.store.database import open_database, sqlite_address
from andon.datasets.store.opening import Store
from andon.datasets.store.upgrade import ensure_current
from andon.serving.api.app import create_app
from andon.serving.engine.repository import ModelRepository
from andon.serving.security.tokens import digest_of, parse_key


@pytest.fixture
def address(clean_environment: Path, tmp_path: Path) -> str:
    """Where the commands keep what they keep: Andon's own database."""
    return sqlite_address(tmp_path / "home" / "andon.db")


def accounts_at(address: str) -> Accounts:
    return Accounts(open_database(address))


def test_the_first_command_on_an_empty_machine_makes_what_it_needs(andon: Andon, address: str) -> None:
    outcome = andon("admin", "invite", "--json")
    assert outcome.code == 0, outcome.err
    (said,) = outcome.documents
    assert said["role"] == "admin"
    left = datetime.fromisoformat(said["expires"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)
    user = accounts_at(address).accept(digest_of(said["token"]), "anna", "hash", "en", datetime.now(UTC))
    assert user.role == "admin"


def test_an_invitation_is_told_to_people_in_one_line(andon: Andon) -> None:
    said = andon("admin", "invite", "--role", "operator", "--customer", "Acme").out
    assert said.startswith("invitation as operator, for the next 15 minutes: ")
    assert len(said.split(": ")[1].strip()) == 43


def test_a_key_is_made_listed_rotated_and_revoked(andon: Andon, address: str) -> None:
    (made,) = andon(
        "admin", "key", "create", "--name", "line-3", "--role", "operator", "--expires", 30, "--json"
    ).documents
    assert parse_key(made["key"])
    assert datetime.fromisoformat(made["expires"]) - datetime.fromisoformat(made["created"]) == timedelta(days=30)
    (listed,) = andon("admin", "key", "list", "--json").documents
    assert listed == {name: value for name, value in made.items() if name != "key"}
    (rotated,) = andon("admin", "key", "rotate", "line-3", "--overlap-hours", "0", "--json").documents
    assert (rotated["id"], rotated["key"] != made["key"]) == (made["id"], True)
    kept, new = accounts_at(address).key(made["id"]), parse_key(rotated["key"])
    assert kept and new and kept.digest == digest_of(new.secret)
    assert andon("admin", "key", "revoke", made["id"]).out == "line-3: the key is revoked\n"
    assert "line-3" in andon("admin", "key", "list").out
    revoked = accounts_at(address).key(made["id"])
    assert revoked and revoked.revoked


def test_what_is_done_at_the_console_is_in_the_trail(andon: Andon, address: str) -> None:
    andon("admin", "key", "create", "--name", "mes")
    andon("admin", "key", "revoke", "mes")
    items = accounts_at(address).audit_page(AuditFilter(), None, 10).items
    assert [(each["action"], each["outcome"]) for each in items] == [
        ("admin key revoke", "done"),
        ("admin key create", "done"),
    ]
    assert all(each["actor"].startswith("console:") for each in items)


def test_the_least_that_a_key_may_do_is_what_it_may_do_unless_it_is_said(andon: Andon) -> None:
    (made,) = andon("admin", "key", "create", "--name", "wall", "--json").documents
    assert (made["role"], made["customer"], made["expires"]) == ("viewer", None, None)


def test_users_are_listed_disabled_and_let_in_again(andon: Andon, address: str) -> None:
    (said,) = andon("admin", "invite", "--json").documents
    accounts = accounts_at(address)
    accounts.accept(digest_of(said["token"]), "anna", "hash", "en", datetime.now(UTC))
    assert [each["name"] for each in andon("admin", "user", "list", "--json").documents] == ["anna"]
    andon("admin", "user", "disable", "anna")
    disabled = accounts.user("anna")
    assert disabled and disabled.disabled
    assert andon("admin", "user", "enable", "anna").out == "anna: may sign in again\n"
    enabled = accounts.user("anna")
    assert enabled and enabled.disabled is None


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("key", "revoke", "x"), "andon: x: found no such key; expected one that andon admin key list shows"),
        (("key", "rotate", "x"), "andon: x: found no such key; expected one that andon admin key list shows"),
        (("user", "disable", "x"), "andon: x: found no such user; expected one that andon admin user list shows"),
        (
            ("key", "create", "--name", "x", "--role", "admin", "--customer", "Acme"),
            (
                "andon: Acme: found the role admin for one customer; expected operator at most, since higher ones concern all "
                "customers"
            ),
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(andon: Andon, words: tuple[str, ...], complaint: str) -> None:
    outcome = andon("admin", *words)
    assert (outcome.code, outcome.complaint) == (2, complaint)


@pytest.mark.parametrize(
    "words",
    [
        ("key",),
        ("key", "create"),
        ("key", "create", "--name", "x", "--role", "root"),
        ("key", "create", "--name", "x", "--expires", "0"),
        ("key", "create", "--name", "x", "--expires", "soon"),
        ("key", "rotate", "x", "--overlap-hours", "-1"),
        ("user",),
        ("nothing",),
    ],
)
def test_bad_usage_ends_with_two(andon: Andon, words: tuple[str, ...]) -> None:
    assert andon("admin", *words).code == 2


def test_a_name_in_use_is_not_given_twice(andon: Andon) -> None:
    assert andon("admin", "key", "create", "--name", "mes").code == 0
    again = andon("admin", "key", "create", "--name", "mes")
    assert (again.code, "found a key of that name already" in again.err) == (2, True)


def test_another_database_may_be_named(andon: Andon, database_address: str) -> None:
    with open_database(database_address) as database:
        ensure_current(database)
    (made,) = andon("admin", "key", "create", "--name", "mes", "--db", database_address, "--json").documents
    with open_database(database_address) as database:
        assert [key.id for key in Accounts(database).all_keys()] == [made["id"]]


def test_who_accepts_an_invitation_of_the_console_is_the_services_administrator(
    andon: Andon, bundles: Path, store: Store
) -> None:
    (said,) = andon("admin", "invite", "--db", store.database.name, "--json").documents
    app = create_app(ModelRepository(bundles), store, guarded=OPTIONS)
    body = {"token": said["token"], "name": "anna", "password": PASSWORD}
    with TestClient(app, "http://127.0.0.1", client=(ELSEWHERE, 50000)) as client:
        assert client.get("/api/v1/users").status_code == 401
        assert client.post("/api/v1/invitations/accept", json=body).status_code == 200
        assert [user["name"] for user in client.get("/api/v1/users").json()["items"]] == ["anna"]
