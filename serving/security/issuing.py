"""Make keys, invitations and sessions: the secret is told once, its digest is kept."""

from datetime import datetime, timedelta

from andon.datasets.store.accounts import Invitation, Key, Session, User
from andon.models.types.identifiers import new_id
from andon.serving.engine.errors import RequestError
from andon.serving.security.options import Lifetimes
from andon.serving.security.roles import Role
from andon.serving.security.tokens import ApiKey, digest_of, new_secret


def new_key(name: str, role: Role, customer: str | None, lasts: timedelta | None, now: datetime) -> tuple[ApiKey, Key]:
    """Make a key: what its owner gets, and what is kept.

    Parameters
    ----------
    lasts
        How long it is valid; None until it is revoked.

    Raises
    ------
    RequestError
        One customer's keys cannot have that role.
    """
    check_role(role, customer)
    given = ApiKey(new_id(), new_secret())
    expires = None if lasts is None else now + lasts
    return given, Key(given.id, name, role.word, customer, digest_of(given.secret), now, expires)


def new_invitation(role: Role, customer: str | None, lifetimes: Lifetimes, now: datetime) -> tuple[str, Invitation]:
    """Make an invitation: the token for whoever is invited, and what is kept; raises as ``new_key`` does."""
    check_role(role, customer)
    token = new_secret()
    return token, Invitation(digest_of(token), role.word, customer, now + lifetimes.invitation)


def new_session(user: User, lifetimes: Lifetimes, now: datetime) -> tuple[str, Session]:
    """Make a session: the token for the cookie, and what is kept."""
    token = new_secret()
    return token, Session(digest_of(token), user, new_secret(), now, now, now + lifetimes.absolute)


def check_role(role: Role, customer: str | None) -> None:
    """Check that a role may go with a customer: what engineers and administrators do concerns all of them.

    Raises
    ------
    RequestError
        One customer's people and keys cannot have that role.
    """
    if customer is not None and role > Role.OPERATOR:
        raise RequestError("security.customer_role", customer, found=role.word, expected=Role.OPERATOR.word)
