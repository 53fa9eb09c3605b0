"""Everything that guards the service, put together."""

from dataclasses import dataclass

from andon.datasets.store.accounts import Accounts
from andon.datasets.store.database import Database
from andon.serving.security.buckets import Buckets, Rate
from andon.serving.security.credentials import Credentials
from andon.serving.security.options import Clock, SecurityOptions
from andon.serving.security.passwords import Passwords
from andon.serving.security.trail import Trail

CLOCK = Clock()


@dataclass(frozen=True, slots=True)
class Limiters:
    """The buckets of ``RateLimits``."""

    callers: Buckets
    strangers: Buckets
    failures: Buckets
    names: Buckets
    addresses: Buckets


@dataclass(frozen=True, slots=True)
class Security:
    """What the guard and the endpoints of accounts share."""

    options: SecurityOptions
    clock: Clock
    accounts: Accounts
    credentials: Credentials
    passwords: Passwords
    limiters: Limiters
    trail: Trail

    @property
    def cookie(self) -> str:
        """The name of the cookie of a session; over TLS one that only this host can have set (RFC 6265bis, 4.1.3.2)."""
        return "__Host-andon" if self.options.has_tls else "andon"


def make_security(database: Database, options: SecurityOptions, clock: Clock = CLOCK) -> Security:
    """Put together what guards a service over ``database``, which has its tables."""
    accounts, limits = Accounts(database), options.limits

    def buckets(rate: Rate) -> Buckets:
        return Buckets(rate, limits.remembered)

    rates = (limits.callers, limits.strangers, limits.failures, limits.names, limits.addresses)
    return Security(
        options=options,
        clock=clock,
        accounts=accounts,
        credentials=Credentials(accounts, options, clock),
        passwords=Passwords(options.hashing),
        limiters=Limiters(*map(buckets, rates)),
        trail=Trail(accounts, limits, clock),
    )
