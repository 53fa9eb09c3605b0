"""How the service is guarded."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic

from andon.serving.security.buckets import Rate
from andon.serving.security.passwords import HashCosts
from andon.serving.security.roles import Role
from andon.serving.security.visits import Network

_CALLERS, _STRANGERS, _FAILURES = Rate(500, 1000), Rate(20, 100), Rate(1, 20)
_NAMES, _ADDRESSES, _REFUSALS = Rate(1 / 30, 10), Rate(1 / 3, 20), Rate(1, 60)
_COSTS = HashCosts()


@dataclass(frozen=True, slots=True)
class RateLimits:
    """How often whom.

    Parameters
    ----------
    callers
        Each key and each user: more than one machine can answer, so that it bounds those alone that run wild.
    strangers
        Each address that asks for what is open, probes from this machine excepted.
    failures
        Each address whose keys or cookies do not hold.
    names, addresses
        Attempts to sign in or to accept an invitation: under one name, from one address.
    refusals
        Refusals that are written down for each address.
    remembered
        Of how many each remembers.
    """

    callers: Rate = _CALLERS
    strangers: Rate = _STRANGERS
    failures: Rate = _FAILURES
    names: Rate = _NAMES
    addresses: Rate = _ADDRESSES
    refusals: Rate = _REFUSALS
    remembered: int = 10_000


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long what holds.

    Parameters
    ----------
    idle, absolute
        Of a session: without a request, and whatever happens (NIST SP 800-63B-4, 2.2.3, has an hour and a day; a shift is shorter).
    invitation
        Until an invitation is accepted.
    overlap
        How long the former secret of a rotated key is still taken.
    remembered_s
        How long a key or a session that was looked up is not looked up again: what was revoked may go on for that long.
    """

    idle: timedelta = timedelta(hours=1)
    absolute: timedelta = timedelta(hours=12)
    invitation: timedelta = timedelta(minutes=15)
    overlap: timedelta = timedelta(days=1)
    remembered_s: float = 2.0


@dataclass(frozen=True, slots=True)
class OidcOptions:
    """A provider of single sign-on (OpenID Connect Core 1.0).

    Parameters
    ----------
    issuer
        Its address, exactly as it writes it in tokens.
    redirect_url
        Where it sends people back to: this service's ``/auth/callback``.
    roles_claim
        The claim that lists a person's groups or roles: a text or a list of texts.
    roles
        The role here for each of them; the highest counts, and without any nobody is let in.
    name_claim
        The claim that names a person.
    landing
        The page that is shown afterwards.
    timeout_s
        How long the provider may take for each answer.
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect_url: str
    roles_claim: str
    roles: Mapping[str, Role]
    name_claim: str = "preferred_username"
    scope: str = "openid profile"
    landing: str = "/"
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class SecurityOptions:
    """How the service is guarded.

    Parameters
    ----------
    is_loopback
        Whether it listens at this machine's own address alone: only then may those who work at it come in while there is no key.
    has_tls
        Whether browsers reach it over TLS, its own or a proxy's: cookies are for TLS alone then.
    trusted_proxies
        Whose word on where a request comes from counts.
    oidc
        Single sign-on; None for none.
    """

    is_loopback: bool
    has_tls: bool = False
    trusted_proxies: Sequence[Network] = ()
    limits: RateLimits = RateLimits()
    lifetimes: Lifetimes = Lifetimes()
    hashing: HashCosts = _COSTS
    oidc: OidcOptions | None = None


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """What time it is: for what is stored, and for what is counted."""

    now: Callable[[], datetime] = _utc_now
    monotonic_s: Callable[[], float] = monotonic
