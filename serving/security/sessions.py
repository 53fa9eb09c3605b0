"""Sign in and out: sessions at the server, tokens in cookies."""

from functools import partial

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from andon.datasets.store.accounts import Session, User
from andon.serving.engine.errors import RequestError
from andon.serving.security.errors import TooManyRequestsError, UnauthenticatedError
from andon.serving.security.issuing import new_session
from andon.serving.security.names import checked_name
from andon.serving.security.roles import granted
from andon.serving.security.security import Security


class Reception:
    """Lets people in and out. Used from one event loop."""

    def __init__(self, security: Security) -> None:
        self._security = security
        # One hash at a time: the cores are there to inspect parts.
        self._one = CapacityLimiter(1)

    async def hash(self, password: str) -> str:
        """Hash a password on a thread."""
        return await run_sync(self._security.passwords.hash, password, limiter=self._one)

    async def recognise(self, name: str, password: str, address: str) -> User:
        """Find whose name and password these are.

        Raises
        ------
        UnauthenticatedError
            The name is unknown or disabled, or the password another: which of these, nobody is told, and all take the same time.
        TooManyRequestsError
            It was tried too often, under this name or from this address.
        """
        plain = _plain(name)
        self.throttle(plain, address)
        user = await run_sync(self._security.accounts.user, plain)
        known = user.password_hash if user else None
        holds = await run_sync(self._security.passwords.verify, password, known, limiter=self._one)
        if user is None or not holds or user.disabled is not None or granted(user.role, user.customer) is None:
            raise UnauthenticatedError("security.sign_in", "name")
        self._security.limiters.names.forget(plain)
        await self._renew(user, password)
        return user

    def throttle(self, name: str, address: str) -> None:
        """Count an attempt under a name and from an address.

        Raises
        ------
        TooManyRequestsError
            There were too many.
        """
        limiters, now_s = self._security.limiters, self._security.clock.monotonic_s()
        if wait_s := limiters.addresses.take(address, now_s) or limiters.names.take(name, now_s):
            raise TooManyRequestsError("name", wait_s)

    async def open(self, user: User) -> tuple[str, Session]:
        """Open a session for somebody who was recognised, and return the token for the cookie."""
        token, session = new_session(user, self._security.options.lifetimes, self._security.clock.now())
        await run_sync(self._security.accounts.open_session, session)
        return token, session

    async def close(self, session: Session) -> None:
        """End a session, here and now."""
        await run_sync(self._security.accounts.end_session, session.digest)
        self._security.credentials.forget()

    def set_cookie(self, response: Response, token: str) -> None:
        """Give a browser the token: out of scripts' reach, and not sent along from other sites' pages but for links."""
        options = self._security.options
        response.set_cookie(
            self._security.cookie,
            token,
            max_age=int(options.lifetimes.absolute.total_seconds()),
            path="/",
            secure=options.has_tls,
            httponly=True,
            samesite="lax",
        )

    def drop_cookie(self, response: Response) -> None:
        """Let a browser forget the token."""
        response.delete_cookie(
            self._security.cookie, path="/", secure=self._security.options.has_tls, httponly=True, samesite="lax"
        )

    async def _renew(self, user: User, password: str) -> None:
        """Hash at today's cost what was hashed at another."""
        if user.password_hash and self._security.passwords.is_outdated(user.password_hash):
            password_hash = await self.hash(password)
            await run_sync(partial(self._security.accounts.rehash, user.name, password_hash))


def session_of(request: Request) -> Session | None:
    """Return the session that a request belongs to; None where it came with a key or without anything."""
    session: Session | None = request.scope["state"].get("session")
    return session


def _plain(name: str) -> str:
    """The name as stored; one that nobody can have fails as any that nobody has."""
    try:
        return checked_name(name)
    except RequestError:
        return ""
