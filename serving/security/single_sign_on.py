"""``/auth``: come in by a provider of single sign-on, and leave."""

import hmac
from dataclasses import dataclass
from functools import partial

from anyio.to_thread import run_sync
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from andon.datasets.store.accounts import User
from andon.models.types.errors import AndonError
from andon.serving.api import schemas
from andon.serving.api.answers import as_json
from andon.serving.api.languages import language_of
from andon.serving.api.routing import make_router
from andon.serving.security.errors import ForbiddenError, UnauthenticatedError
from andon.serving.security.names import checked_name
from andon.serving.security.options import OidcOptions
from andon.serving.security.provider import Attempt, Claims, Provider, new_attempt, role_of
from andon.serving.security.remembered import Remembered
from andon.serving.security.security import Security
from andon.serving.security.sessions import Reception, session_of
from andon.serving.security.tokens import digest_of

COOKIE, PATH = "andon-attempt", "/auth"
ATTEMPT_S = 600
_ATTEMPTS = 1000


@dataclass(frozen=True, slots=True)
class _Returned:
    """Somebody back from the provider, with the code that it gave them."""

    code: str
    attempt: Attempt


class SingleSignOn:
    """Sends people to the provider, and lets in whom it vouches for. Used from one event loop."""

    def __init__(self, security: Security, options: OidcOptions) -> None:
        self._security = security
        self._options = options
        self._reception = Reception(security)
        self._provider = Provider(options)
        self._attempts: Remembered[str, Attempt] = Remembered(ATTEMPT_S, _ATTEMPTS)

    def router(self) -> APIRouter:
        """Make the routes."""
        router = make_router("accounts", PATH)
        responses = {303: {"description": "Go there"}, **schemas.PROBLEM_RESPONSES}
        for path, endpoint, summary in (
            ("/login", self.login, "Sign in by the provider"),
            ("/callback", self.callback, "Come back from the provider"),
        ):
            router.add_api_route(
                path, endpoint, summary=summary, response_class=Response, status_code=303, responses=responses
            )
        schemas.add_route(router, "POST", "/logout", self.logout, "Sign out", schemas.NOTHING)
        return router

    async def login(self, _request: Request) -> Response:
        """Send somebody to the provider."""
        kept, attempt = new_attempt()
        url = await run_sync(self._provider.authorization_url, attempt)
        self._attempts.put(attempt.state, attempt, self._security.clock.monotonic_s())
        response = RedirectResponse(url, 303)
        response.set_cookie(
            COOKIE,
            kept,
            max_age=ATTEMPT_S,
            path=PATH,
            secure=self._security.options.has_tls,
            httponly=True,
            samesite="lax",
        )
        return response

    async def callback(self, request: Request) -> Response:
        """Let somebody in whom the provider vouches for and who has a role here."""
        address = str(request.scope["state"]["address"])
        write, action = self._security.trail, "GET /auth/callback"
        try:
            user = await self._vouched_for(request)
        except AndonError as error:
            await write.failed("anonymous", action, error.subject, f"refused {error.code}", address)
            raise
        await write.changed(user.name, action, user.subject or "", "done", address)
        token, _ = await self._reception.open(user)
        response = RedirectResponse(self._options.landing, 303)
        self._reception.set_cookie(response, token)
        response.delete_cookie(COOKIE, path=PATH)
        return response

    async def logout(self, request: Request) -> Response:
        """End the session here; at the provider it goes on."""
        session = session_of(request)
        if session is None:
            raise ForbiddenError("security.no_session", request.url.path)
        await self._reception.close(session)
        response = as_json({})
        self._reception.drop_cookie(response)
        return response

    async def _vouched_for(self, request: Request) -> User:
        returned = self._returned(request)
        now = self._security.clock.now()
        claims = await run_sync(self._provider.claims, returned.code, returned.attempt, now)
        user = await run_sync(partial(self._user, claims, language_of(request)))
        self._security.credentials.forget()
        if user.disabled is not None:
            raise ForbiddenError("security.disabled", user.name)
        return user

    def _returned(self, request: Request) -> _Returned:
        """Check that it is the same browser that was sent there, and only once."""
        said = request.query_params
        attempt = self._attempts.take(said.get("state", ""), self._security.clock.monotonic_s())
        kept = request.cookies.get(COOKIE, "")
        if attempt is None or not hmac.compare_digest(digest_of(kept), attempt.binding):
            raise UnauthenticatedError("security.oidc_state", "state")
        # RFC 9207: another provider's answer is not taken for this one's.
        if said.get("iss", self._options.issuer) != self._options.issuer or "code" not in said:
            raise UnauthenticatedError("security.oidc_refused", self._options.issuer, reason=said.get("error", "-"))
        return _Returned(said["code"], attempt)

    def _user(self, claims: Claims, language: str) -> User:
        role = role_of(claims, self._options)
        subject = f"{self._options.issuer} {claims['sub']}"
        name = checked_name(str(claims.get(self._options.name_claim) or claims["sub"]))
        now = self._security.clock.now()
        return self._security.accounts.sign_on(subject, name, role.word, language, now)
