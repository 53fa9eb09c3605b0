"""Who may do what, and what they did: users, keys, invitations, sessions and the audit trail.

Secrets never come here: of random ones there are SHA-256 digests, of passwords slow hashes. A role is a text here; what it allows is
decided by those who ask.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, delete, exists, insert, select, update

from andon.datasets.store.database import Database
from andon.datasets.store.paging import Page, paged
from andon.datasets.store.schema import audit, customers, invitations, keys, sessions, users
from andon.datasets.store.upserts import insert_missing
from andon.models.types.errors import ConflictError, DataError, NotFoundError
from andon.models.types.identifiers import new_id
from andon.models.types.moments import as_text

AUDIT_KEPT = timedelta(days=184)
"""Six months, the longest that six months can be (Cybersecurity Law of the People's Republic of China of 2016, article 21, item 3)."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a program.

    Parameters
    ----------
    digest, former_digest
        SHA-256 of its secret, and of the one before the last rotation.
    former_until
        How long the former secret is still taken.
    last_used
        To the hour; None where it never was.
    """

    id: str
    name: str
    role: str
    customer: str | None
    digest: bytes = field(repr=False)
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None
    former_digest: bytes | None = field(default=None, repr=False)
    former_until: datetime | None = None
    last_used: datetime | None = None


@dataclass(frozen=True, slots=True)
class User:
    """A person.

    Parameters
    ----------
    password_hash
        None for those that come by single sign-on.
    subject
        Issuer and subject of single sign-on; None for those that have a password.
    disabled
        Since when nobody may sign in under that name.
    """

    id: str
    name: str
    role: str
    customer: str | None
    password_hash: str | None = field(repr=False)
    subject: str | None
    language: str
    created: datetime
    disabled: datetime | None


@dataclass(frozen=True, slots=True)
class Invitation:
    """Whoever shows what ``digest`` is the SHA-256 of becomes a user, once."""

    digest: bytes = field(repr=False)
    role: str
    customer: str | None
    expires: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """A person who is signed in.

    Parameters
    ----------
    digest
        SHA-256 of the token in the cookie.
    csrf
        What a page must say with each change.
    seen
        The last request, to the minute.
    expires
        When it ends whatever happens.
    """

    digest: bytes = field(repr=False)
    user: User
    csrf: str = field(repr=False)
    created: datetime
    seen: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to what, from where, and how that ended."""

    time: datetime
    actor: str
    action: str
    subject: str
    outcome: str
    address: str


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are asked for; None leaves a choice open."""

    actor: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """What rows must meet."""
        return [] if self.actor is None else [audit.c.actor == self.actor]


class Accounts:
    """Keeps users, keys, invitations, sessions and the audit trail. Safe to use from several threads and processes at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def exist(self) -> bool:
        """Say whether there ever was a key or a user: rows stay when they are revoked or disabled."""
        found = select(exists(select(keys.c.id)) | exists(select(users.c.id)))
        with self._database.reading() as connection:
            return bool(connection.scalar(found))

    def add_key(self, key: Key) -> None:
        """Keep a new key.

        Raises
        ------
        ConflictError
            Another key of that name is not revoked: the audit trail could not tell them apart.
        """
        same = (keys.c.name == key.name) & keys.c.revoked.is_(None)
        with self._database.writing() as connection:
            if connection.scalar(select(exists().where(same))):
                raise ConflictError("security.key_name", key.name)
            _ensure_customer(connection, key.customer)
            connection.execute(insert(keys).values(_columns(keys, key)))

    def key(self, identifier: str) -> Key | None:
        """Find a key by its identifier, revoked or not."""
        with self._database.reading() as connection:
            row = connection.execute(select(keys).where(keys.c.id == identifier)).first()
        return None if row is None else Key(**row._mapping)

    def all_keys(self) -> list[Key]:
        """List all keys, the earliest first."""
        with self._database.reading() as connection:
            return [Key(**row._mapping) for row in connection.execute(select(keys).order_by(keys.c.id))]

    def revoke_key(self, identifier: str, time: datetime) -> None:
        """End a key, with its former secret. One that is revoked stays so since then.

        Raises
        ------
        NotFoundError
            There is none.
        """
        with self._database.writing() as connection:
            _existing_key(connection, identifier)
            mine = (keys.c.id == identifier) & keys.c.revoked.is_(None)
            connection.execute(update(keys).where(mine).values(revoked=time))

    def rotate_key(self, identifier: str, digest: bytes, former_until: datetime) -> None:
        """Give a key another secret; the one it has is taken until ``former_until``.

        Raises
        ------
        NotFoundError
            There is none.
        ConflictError
            It is revoked.
        """
        with self._database.writing() as connection:
            row = _existing_key(connection, identifier)
            if row.revoked is not None:
                raise ConflictError("security.key_revoked", identifier)
            values = {"digest": digest, "former_digest": row.digest, "former_until": former_until}
            connection.execute(update(keys).where(keys.c.id == identifier).values(values))

    def note_use(self, identifier: str, time: datetime) -> None:
        """Remember when a key was last used."""
        with self._database.writing() as connection:
            connection.execute(update(keys).where(keys.c.id == identifier).values(last_used=time))

    def invite(self, invitation: Invitation) -> None:
        """Keep an invitation."""
        with self._database.writing() as connection:
            _ensure_customer(connection, invitation.customer)
            connection.execute(insert(invitations).values(_columns(invitations, invitation)))

    def accept(self, digest: bytes, name: str, password_hash: str, language: str, time: datetime) -> User:
        """Turn an invitation into a user: once, however many ask at the same moment.

        Raises
        ------
        DataError
            There is no such invitation, it was used, or it is too old.
        ConflictError
            Somebody has that name; the invitation holds for another.
        """
        mine = (invitations.c.digest == digest) & invitations.c.used.is_(None) & (invitations.c.expires > time)
        with self._database.writing() as connection:
            if connection.execute(update(invitations).where(mine).values(used=time)).rowcount != 1:
                raise DataError("security.invitation", "token")
            invited = connection.execute(select(invitations).where(invitations.c.digest == digest)).one()
            user = User(new_id(), name, invited.role, invited.customer, password_hash, None, language, time, None)
            _add_user(connection, user)
        return user

    def sign_on(self, subject: str, name: str, role: str, language: str, time: datetime) -> User:
        """Find who comes by single sign-on, or keep them; their role is what was said this time.

        Raises
        ------
        ConflictError
            Another person has that name.
        """
        with self._database.writing() as connection:
            connection.execute(update(users).where(users.c.subject == subject).values(role=role))
            row = connection.execute(select(users).where(users.c.subject == subject)).first()
            if row is not None:
                return User(**row._mapping)
            user = User(new_id(), name, role, None, None, subject, language, time, None)
            _add_user(connection, user)
        return user

    def user(self, name: str) -> User | None:
        """Find a user by name, disabled or not."""
        with self._database.reading() as connection:
            row = connection.execute(select(users).where(users.c.name == name)).first()
        return None if row is None else User(**row._mapping)

    def all_users(self) -> list[User]:
        """List all users, the earliest first."""
        with self._database.reading() as connection:
            return [User(**row._mapping) for row in connection.execute(select(users).order_by(users.c.id))]

    def change_password(self, name: str, password_hash: str) -> None:
        """Give a user another password, and end all sessions of theirs; raises as ``disable`` does."""
        self._change_user(name, {"password_hash": password_hash})

    def rehash(self, name: str, password_hash: str) -> None:
        """Keep the same password under another hash; sessions go on."""
        with self._database.writing() as connection:
            connection.execute(update(users).where(users.c.name == name).values(password_hash=password_hash))

    def change_role(self, name: str, role: str) -> None:
        """Give a user another role, and end all sessions of theirs; raises as ``disable`` does."""
        self._change_user(name, {"role": role})

    def disable(self, name: str, time: datetime) -> None:
        """Let nobody in under a name any more, and end all sessions under it.

        Raises
        ------
        NotFoundError
            There is no such user.
        """
        self._change_user(name, {"disabled": time})

    def enable(self, name: str) -> None:
        """Let a user in again; raises as ``disable`` does."""
        self._change_user(name, {"disabled": None})

    def open_session(self, session: Session) -> None:
        """Keep who has signed in."""
        values = {**_columns(sessions, session), "user": session.user.id}
        with self._database.writing() as connection:
            connection.execute(insert(sessions).values(values))

    def session(self, digest: bytes) -> Session | None:
        """Find a session, with its user as they are now."""
        with self._database.reading() as connection:
            row = connection.execute(select(sessions).where(sessions.c.digest == digest)).first()
            if row is None:
                return None
            user = connection.execute(select(users).where(users.c.id == row.user)).one()
        return Session(**{**row._mapping, "user": User(**user._mapping)})

    def see_session(self, digest: bytes, time: datetime) -> None:
        """Remember that a session is in use."""
        with self._database.writing() as connection:
            connection.execute(update(sessions).where(sessions.c.digest == digest).values(seen=time))

    def end_session(self, digest: bytes) -> None:
        """Sign somebody out; nothing happens where nobody is signed in."""
        with self._database.writing() as connection:
            connection.execute(delete(sessions).where(sessions.c.digest == digest))

    def prune_sessions(self, time: datetime) -> int:
        """Remove the sessions and invitations that have ended by then, and count them."""
        with self._database.writing() as connection:
            ended = connection.execute(delete(sessions).where(sessions.c.expires <= time)).rowcount
            return ended + connection.execute(delete(invitations).where(invitations.c.expires <= time)).rowcount

    def audit(self, entry: AuditEntry) -> None:
        """Write down what somebody did."""
        with self._database.writing() as connection:
            connection.execute(insert(audit).values({**_columns(audit, entry), "id": new_id()}))

    def audit_page(self, wanted: AuditFilter, before: str | None, limit: int) -> Page[dict[str, Any]]:
        """List what was done, the latest first; ``before`` is where the page before ended."""
        found = select(audit).where(*wanted.conditions())
        with self._database.reading() as connection:
            return paged(connection, found, audit.c.id, before, limit, _audit_document)

    def prune_audit(self, before: datetime, now: datetime) -> int:
        """Remove what was written down before a moment, and count it.

        Raises
        ------
        DataError
            That moment lies less than six months back.
        """
        if now - before < AUDIT_KEPT:
            raise DataError("security.audit_young", as_text(before), expected=AUDIT_KEPT.days)
        with self._database.writing() as connection:
            return connection.execute(delete(audit).where(audit.c.time < before)).rowcount

    def _change_user(self, name: str, values: Mapping[str, Any]) -> None:
        with self._database.writing() as connection:
            user = connection.scalar(select(users.c.id).where(users.c.name == name))
            if user is None:
                raise NotFoundError("security.no_user", name)
            connection.execute(update(users).where(users.c.id == user).values(values))
            connection.execute(delete(sessions).where(sessions.c.user == user))


def _existing_key(connection: Connection, identifier: str) -> Row[Any]:
    row = connection.execute(select(keys).where(keys.c.id == identifier).with_for_update()).first()
    if row is None:
        raise NotFoundError("security.no_key", identifier)
    return row


def _ensure_customer(connection: Connection, customer: str | None) -> None:
    """A customer is there once somebody may act for it."""
    if customer is not None:
        insert_missing(connection, customers, {customer: {"name": customer}})


def _add_user(connection: Connection, user: User) -> None:
    if connection.scalar(select(exists().where(users.c.name == user.name))):
        raise ConflictError("security.name_taken", user.name)
    connection.execute(insert(users).values(_columns(users, user)))


def _columns(table: Table, record: Any) -> dict[str, Any]:
    """The values of a record that a table has columns for, under the same names."""
    return {column.name: getattr(record, column.name) for column in table.columns if hasattr(record, column.name)}


def _audit_document(row: Row[Any]) -> dict[str, Any]:
    return {**row._mapping, "time": as_text(row.time)}
