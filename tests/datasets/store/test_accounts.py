"""Users, keys, invitations, sessions and the audit trail, on SQLite and on PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from andon.datasets.store.accounts import (
    AUDIT_KEPT,
    Accounts,
    AuditEntry,
    AuditFilter,
    Invitation,
    Key,
    Session,
    User,
)
from andon.datasets.store.database import Database
from andon.models.types.errors import ConflictError, DataError, NotFoundError
from andon.models.types.identifiers import new_id

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def accounts(database: Database) -> Accounts:
    return Accounts(database)


def digest(text: str) -> bytes:
    return sha256(text.encode()).digest()


def key(name: str = "line-3", customer: str | None = None) -> Key:
    return Key(new_id(), name, "operator", customer, digest(name), NOW)


def invited(accounts: Accounts, token: str = "token", role: str = "admin", customer: str | None = None) -> None:
    accounts.invite(Invitation(digest(token), role, customer, NOW + HOUR))


def anna(accounts: Accounts) -> User:
    invited(accounts)
    return accounts.accept(digest("token"), "anna", "hash", "en", NOW)


def signed_in(accounts: Accounts, user: User, token: str) -> Session:
    session = Session(digest(token), user, "csrf", NOW, NOW, NOW + HOUR)
    accounts.open_session(session)
    return session


def test_nobody_is_known_until_there_is_a_key_or_a_user(accounts: Accounts) -> None:
    assert not accounts.exist()
    invited(accounts)
    assert not accounts.exist()
    accounts.accept(digest("token"), "anna", "hash", "en", NOW)
    assert accounts.exist()


def test_a_key_that_is_revoked_still_shows_that_there_was_one(accounts: Accounts) -> None:
    made = key()
    accounts.add_key(made)
    accounts.revoke_key(made.id, NOW)
    assert accounts.exist()


def test_a_key_comes_back_as_it_was_kept(accounts: Accounts) -> None:
    made = replace(key(customer="Acme"), expires=NOW + HOUR)
    accounts.add_key(made)
    assert accounts.key(made.id) == made
    assert accounts.all_keys() == [made]
    assert accounts.key(new_id()) is None


def test_two_keys_in_use_have_two_names(accounts: Accounts) -> None:
    first, second = key(), key()
    accounts.add_key(first)
    with pytest.raises(ConflictError, match=r"security\.key_name"):
        accounts.add_key(second)
    accounts.revoke_key(first.id, NOW)
    accounts.add_key(second)
    assert [each.id for each in accounts.all_keys()] == [first.id, second.id]


def test_a_key_stays_revoked_since_it_first_was(accounts: Accounts) -> None:
    made = key()
    accounts.add_key(made)
    accounts.revoke_key(made.id, NOW)
    accounts.revoke_key(made.id, NOW + HOUR)
    found = accounts.key(made.id)
    assert found and found.revoked == NOW


def test_rotation_keeps_the_former_secret_for_a_while(accounts: Accounts) -> None:
    made = key()
    accounts.add_key(made)
    accounts.rotate_key(made.id, digest("new"), NOW + HOUR)
    found = accounts.key(made.id)
    assert found
    assert (found.digest, found.former_digest, found.former_until) == (digest("new"), made.digest, NOW + HOUR)


def test_a_revoked_key_gets_no_new_secret(accounts: Accounts) -> None:
    made = key()
    accounts.add_key(made)
    accounts.revoke_key(made.id, NOW)
    with pytest.raises(ConflictError, match=r"security\.key_revoked"):
        accounts.rotate_key(made.id, digest("new"), NOW + HOUR)


def test_what_is_not_there_cannot_be_changed(accounts: Accounts) -> None:
    with pytest.raises(NotFoundError, match=r"security\.no_key"):
        accounts.revoke_key(new_id(), NOW)
    with pytest.raises(NotFoundError, match=r"security\.no_key"):
        accounts.rotate_key(new_id(), b"", NOW)
    with pytest.raises(NotFoundError, match=r"security\.no_user"):
        accounts.disable("nobody", NOW)


def test_an_invitation_makes_one_user_whoever_asks_first(accounts: Accounts) -> None:
    invited(accounts, role="engineer", customer="Acme")

    def accept(name: str) -> User | None:
        try:
            return accounts.accept(digest("token"), name, "hash", "en", NOW)
        except DataError:
            return None

    with ThreadPoolExecutor(8) as threads:
        made = [user for user in threads.map(accept, "abcdefgh") if user]
    assert [(user.role, user.customer) for user in made] == [("engineer", "Acme")]
    assert accounts.all_users() == made


@pytest.mark.parametrize(("token", "later"), [("other", timedelta(0)), ("token", HOUR)])
def test_an_invitation_that_does_not_hold_makes_nobody(accounts: Accounts, token: str, later: timedelta) -> None:
    invited(accounts)
    with pytest.raises(DataError, match=r"security\.invitation"):
        accounts.accept(digest(token), "anna", "hash", "en", NOW + later)
    assert accounts.all_users() == []


def test_an_invitation_outlives_a_name_that_is_taken(accounts: Accounts) -> None:
    anna(accounts)
    invited(accounts, "second", "viewer")
    with pytest.raises(ConflictError, match=r"security\.name_taken"):
        accounts.accept(digest("second"), "anna", "hash", "en", NOW)
    assert accounts.accept(digest("second"), "bert", "hash", "en", NOW).role == "viewer"


def test_a_session_knows_its_user_as_they_are_now(accounts: Accounts) -> None:
    session = signed_in(accounts, anna(accounts), "one")
    assert accounts.session(session.digest) == session
    accounts.see_session(session.digest, NOW + HOUR / 2)
    found = accounts.session(session.digest)
    assert found and found.seen == NOW + HOUR / 2


@pytest.mark.parametrize("change", ["password", "role", "disable"])
def test_all_sessions_of_a_user_end_with_what_they_rest_on(accounts: Accounts, change: str) -> None:
    user = anna(accounts)
    invited(accounts, "second")
    other = signed_in(accounts, accounts.accept(digest("second"), "bert", "hash", "en", NOW), "other")
    sessions = [signed_in(accounts, user, token) for token in ("one", "two")]
    {
        "password": lambda: accounts.change_password("anna", "another"),
        "role": lambda: accounts.change_role("anna", "viewer"),
        "disable": lambda: accounts.disable("anna", NOW),
    }[change]()
    assert [accounts.session(each.digest) for each in sessions] == [None, None]
    assert accounts.session(other.digest) == other


def test_a_better_hash_of_the_same_password_ends_nothing(accounts: Accounts) -> None:
    session = signed_in(accounts, anna(accounts), "one")
    accounts.rehash("anna", "better")
    found = accounts.session(session.digest)
    assert found and found.user.password_hash == "better"


def test_ended_sessions_and_old_invitations_are_removed(accounts: Accounts) -> None:
    session = signed_in(accounts, anna(accounts), "one")
    assert accounts.prune_sessions(NOW) == 0
    assert accounts.prune_sessions(NOW + HOUR) == 2
    assert accounts.session(session.digest) is None


def test_single_sign_on_finds_people_by_their_subject(accounts: Accounts) -> None:
    first = accounts.sign_on("https://id 1", "anna", "viewer", "en", NOW)
    again = accounts.sign_on("https://id 1", "anna-maria", "admin", "en", NOW)
    assert again == replace(first, role="admin")
    with pytest.raises(ConflictError, match=r"security\.name_taken"):
        accounts.sign_on("https://id 2", "anna", "admin", "en", NOW)


def entry(number: int, actor: str = "anna", time: datetime = NOW) -> AuditEntry:
    return AuditEntry(time, actor, "POST /api/v1/keys", f"key {number}", "done", "192.0.2.1")


def test_the_trail_is_read_in_pages_from_the_latest(accounts: Accounts) -> None:
    for number in range(5):
        accounts.audit(entry(number, "anna" if number % 2 == 0 else "bert"))
    seen, before = [], None
    while True:
        page = accounts.audit_page(AuditFilter(), before, 2)
        seen += [each["subject"] for each in page.items]
        before = page.next
        if before is None:
            break
    assert seen == [f"key {number}" for number in (4, 3, 2, 1, 0)]
    hers = accounts.audit_page(AuditFilter("anna"), None, 10)
    assert [each["subject"] for each in hers.items] == ["key 4", "key 2", "key 0"]
    assert hers.items[0]["time"] == "2026-03-01T08:00:00.000Z"


def test_half_a_year_of_the_trail_is_kept(accounts: Accounts) -> None:
    accounts.audit(entry(0, time=NOW - AUDIT_KEPT - timedelta(seconds=1)))
    accounts.audit(entry(1, time=NOW - AUDIT_KEPT))
    with pytest.raises(DataError, match=r"security\.audit_young"):
        accounts.prune_audit(NOW - AUDIT_KEPT + timedelta(microseconds=1), NOW)
    assert len(accounts.audit_page(AuditFilter(), None, 10).items) == 2
    assert accounts.prune_audit(NOW - AUDIT_KEPT, NOW) == 1
    assert [each["subject"] for each in accounts.audit_page(AuditFilter(), None, 10).items] == ["key 1"]


def test_nothing_secret_is_shown_in_a_log(accounts: Accounts) -> None:
    user = anna(accounts)
    shown = f"{key()} {user} {signed_in(accounts, user, 'one')} {Invitation(digest('x'), 'admin', None, NOW)}"
    assert "hash" not in shown
    assert "csrf" not in shown
    assert "digest" not in shown
