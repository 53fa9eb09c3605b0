"""Find out who sends a request."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from anyio.to_thread import run_sync

from andon.datasets.store.accounts import Accounts, Key, Session
from andon.models.types.errors import ResourceError
from andon.serving.security.errors import UnauthenticatedError
from andon.serving.security.options import Clock, SecurityOptions
from andon.serving.security.remembered import Remembered
from andon.serving.security.roles import Caller, Kind, granted
from andon.serving.security.tokens import digest_of, matches, parse_key

_USE_NOTED = timedelta(hours=1)
_SEEN_NOTED = timedelta(minutes=1)
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _KnownKey:
    key: Key
    caller: Caller


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that holds, and who is signed in."""

    session: Session
    caller: Caller


class Credentials:
    """Looks up keys and sessions, and remembers them for a moment. Used from one event loop."""

    def __init__(self, accounts: Accounts, options: SecurityOptions, clock: Clock) -> None:
        self._accounts = accounts
        self._options = options
        self._clock = clock
        remembered_s = options.lifetimes.remembered_s
        self._keys: Remembered[str, _KnownKey] = Remembered(remembered_s, _REMEMBERED)
        self._sessions: Remembered[bytes, SignedIn] = Remembered(remembered_s, _REMEMBERED)
        self._exist: Remembered[None, bool] = Remembered(remembered_s, 1)
        self._ever_existed = options.oidc is not None

    async def exist(self) -> bool:
        """Say whether anybody can be known: once there was a key or a user, always."""
        if self._ever_existed:
            return True
        now_s = self._clock.monotonic_s()
        if self._exist.get(None, now_s) is None:
            self._ever_existed = await run_sync(self._accounts.exist)
            self._exist.put(None, self._ever_existed, now_s)
        return self._ever_existed

    def forget(self) -> None:
        """Look everything up again: somebody's rights were changed."""
        for remembered in (self._keys, self._sessions, self._exist):
            remembered.clear()

    async def by_key(self, text: str) -> Caller:
        """Say whose key that is.

        Raises
        ------
        UnauthenticatedError
            It is none, unknown, expired or revoked: which of these, nobody is told.
        """
        given = parse_key(text)
        known = given and (self._keys.get(given.id, self._clock.monotonic_s()) or await self._load_key(given.id))
        if not (given and known and _holds(known.key, given.secret, self._clock.now())):
            raise UnauthenticatedError("security.key", "Authorization")
        return known.caller

    async def by_session(self, token: str) -> SignedIn:
        """Say who is signed in.

        Raises
        ------
        UnauthenticatedError
            Nobody is, or no longer.
        """
        digest = digest_of(token)
        found = self._sessions.get(digest, self._clock.monotonic_s()) or await self._load_session(digest)
        if found is None or not self._goes_on(found.session):
            raise UnauthenticatedError("security.session", "Cookie")
        return found

    async def _load_key(self, identifier: str) -> _KnownKey | None:
        key = await run_sync(self._accounts.key, identifier)
        role = None if key is None else granted(key.role, key.customer)
        if key is None or role is None:
            return None
        await self._note(key.last_used, _USE_NOTED, partial(self._accounts.note_use, key.id))
        known = _KnownKey(key, Caller(f"key:{key.name}", role, key.customer, Kind.KEY, key.id))
        self._keys.put(key.id, known, self._clock.monotonic_s())
        return known

    async def _load_session(self, digest: bytes) -> SignedIn | None:
        session = await run_sync(self._accounts.session, digest)
        role = None if session is None else granted(session.user.role, session.user.customer)
        if session is None or role is None or not self._goes_on(session):
            return None
        await self._note(session.seen, _SEEN_NOTED, partial(self._accounts.see_session, digest))
        user = session.user
        found = SignedIn(session, Caller(user.name, role, user.customer, Kind.USER, user.id))
        self._sessions.put(digest, found, self._clock.monotonic_s())
        return found

    async def _note(self, noted: datetime | None, step: timedelta, note: Callable[[datetime], None]) -> None:
        """Write down that something is in use, once in a while; where that cannot be, people may still read."""
        now = self._clock.now()
        if noted is None or now - noted >= step:
            with suppress(ResourceError):
                await run_sync(note, now)

    def _goes_on(self, session: Session) -> bool:
        now = self._clock.now()
        is_idle = now - session.seen >= self._options.lifetimes.idle
        return not is_idle and now < session.expires and session.user.disabled is None


def _holds(key: Key, secret: str, now: datetime) -> bool:
    """Whether a secret is that of a key, or still taken for it."""
    if key.revoked is not None or (key.expires is not None and now >= key.expires):
        return False
    if matches(secret, key.digest):
        return True
    return (
        key.former_digest is not None
        and key.former_until is not None
        and (matches(secret, key.former_digest) and now < key.former_until)
    )
