"""Who asks, and how much they may do."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Role(IntEnum):
    """How much somebody may do; each may do all that those below may."""

    VIEWER = 1
    OPERATOR = 2
    ENGINEER = 3
    ADMIN = 4

    @property
    def word(self) -> str:
        """Its name as people write it."""
        return self.name.lower()


ROLES = {role.word: role for role in Role}
"""By name, the least first."""


class Kind(StrEnum):
    """How somebody said who they are."""

    KEY = "key"
    USER = "user"
    ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request.

    Parameters
    ----------
    name
        For the audit trail: a user's name, ``key:`` before a key's, or ``anonymous``. Users' names hold no colon.
    customer
        Whose data they see; None for all.
    id
        Of the key or user; empty for others.
    """

    name: str
    role: Role
    customer: str | None
    kind: Kind
    id: str = ""

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody said who asks."""
        return self.kind is Kind.ANONYMOUS


ANONYMOUS = "anonymous"
NOBODY = Caller(ANONYMOUS, Role.VIEWER, None, Kind.ANONYMOUS)
"""Who asks for what is open to everybody."""
OWNER = Caller(ANONYMOUS, Role.ADMIN, None, Kind.ANONYMOUS)
"""Who works at the machine itself while there are neither keys nor users."""


def granted(role: str, customer: str | None) -> Role | None:
    """Read a stored role. What engineers and administrators do concerns every customer, so that one customer's have at most an operator's rights.

    Returns
    -------
    Role or None
        None where the text names no role: nothing is granted then.

    >>> granted("admin", None).word, granted("admin", "Acme").word, granted("root", None)
    ('admin', 'operator', None)
    """
    known = ROLES.get(role)
    return known if known is None or customer is None else min(known, Role.OPERATOR)
