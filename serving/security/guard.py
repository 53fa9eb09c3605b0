"""The guard before every endpoint: who asks, whether they may, and how often."""

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from andon.models.types.errors import AndonError
from andon.serving.security.access import Rule, rule_of
from andon.serving.security.errors import (
    STATUSES,
    ForbiddenError,
    TooManyRequestsError,
    UnauthenticatedError,
)
from andon.serving.security.roles import NOBODY, OWNER, Caller, Kind
from andon.serving.security.security import Security
from andon.serving.security.visits import Visit, visit_of

Answer = Callable[[Request, Exception], Awaitable[Response]]
"""Makes the answer to an error: in the form of the path, with the headers of ``headers_of``."""

CSRF_HEADER, CSRF_FIELD = b"x-csrf-token", "csrf_token"
_FORM = "application/x-www-form-urlencoded"
_FORM_BYTES = 64 << 10
_BEARER = "bearer"
_POLICY_VIOLATION = 1008
_REFUSALS = frozenset(status.value for status in STATUSES.values())


class Guard:
    """ASGI middleware that lets through who may come; ``scope["state"]["caller"]`` says who that is.

    It answers refusals itself, and writes changes and refusals down.
    """

    def __init__(self, app: ASGIApp, security: Security, answer: Answer) -> None:
        self._app = app
        self._security = security
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        visit = visit_of(scope, self._security.options.trusted_proxies)
        rule = rule_of(visit.method, visit.path)
        state = scope.setdefault("state", {})
        state["caller"], state["address"] = NOBODY, visit.address
        try:
            receive = await self._admit(visit, rule, state, receive)
        except AndonError as error:
            await self._refuse(visit, rule, error, scope, receive, send)
            return
        if visit.is_change and rule.is_audited:
            send = self._written_down(visit, rule, state, send)
        await self._app(scope, receive, send)

    async def _admit(self, visit: Visit, rule: Rule, state: MutableMapping[str, Any], receive: Receive) -> Receive:
        """Find out who asks, put it into ``state``, and check that they may."""
        if rule.role is None:
            self._admit_stranger(visit)
            return receive
        caller = state["caller"] = await self._identify(visit, state)
        self._limit(caller)
        if caller.kind is not Kind.KEY and (visit.is_change or visit.is_upgrade):
            _check_same_site(visit)
        if caller.kind is Kind.USER and visit.is_change:
            receive = await _check_csrf(visit, state["session"].csrf, receive)
        _check_role(visit, rule, caller)
        return receive

    def _admit_stranger(self, visit: Visit) -> None:
        """Anybody may ask, but no page of another site, and nobody for ever."""
        if visit.is_change:
            _check_same_site(visit)
        if not visit.is_local:
            wait_s = self._security.limiters.strangers.take(visit.address, self._security.clock.monotonic_s())
            _check_wait(wait_s, visit.address)

    async def _identify(self, visit: Visit, state: MutableMapping[str, Any]) -> Caller:
        """Take a key before a cookie; without both, only who works at this machine comes in, while nobody else can."""
        authorization, cookie = visit.header(b"authorization"), visit.cookie(self._security.cookie)
        try:
            if authorization:
                return await self._security.credentials.by_key(_bearer_of(authorization))
            if cookie:
                signed_in = await self._security.credentials.by_session(cookie)
                state["session"] = signed_in.session
                return signed_in.caller
        except UnauthenticatedError:
            wait_s = self._security.limiters.failures.take(visit.address, self._security.clock.monotonic_s())
            _check_wait(wait_s, visit.address)
            raise
        return await self._owner(visit)

    async def _owner(self, visit: Visit) -> Caller:
        at_the_machine = self._security.options.is_loopback and visit.is_local
        if not at_the_machine or await self._security.credentials.exist():
            raise UnauthenticatedError("security.unauthenticated", visit.path)
        if not visit.names_this_machine():
            raise ForbiddenError("security.host", "Host", found=visit.header(b"host"))
        return OWNER

    def _limit(self, caller: Caller) -> None:
        if caller.kind is not Kind.ANONYMOUS:
            _check_wait(
                self._security.limiters.callers.take(caller.id, self._security.clock.monotonic_s()), caller.name
            )

    async def _refuse(
        self, visit: Visit, rule: Rule, error: AndonError, scope: Scope, receive: Receive, send: Send
    ) -> None:
        caller: Caller = scope["state"]["caller"]
        outcome = f"refused {error.code}"
        await self._security.trail.failed(caller.name, rule.action, visit.path, outcome, visit.address)
        if visit.is_upgrade:
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": error.code})
            return
        response = await self._answer(Request(scope, receive), error)
        await response(scope, receive, send)

    def _written_down(self, visit: Visit, rule: Rule, state: MutableMapping[str, Any], send: Send) -> Send:
        """Write a change down before its sender hears that it is done."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                trail, status = self._security.trail, message["status"]
                write = trail.changed if status < HTTPStatus.BAD_REQUEST else trail.failed
                subject = state.get("audit_subject") or visit.path
                await write(state["caller"].name, rule.action, subject, _outcome(status), visit.address)
            await send(message)

        return sending


def name_subject(request: Request, subject: str) -> None:
    """Say for the audit trail what a request is about, where its path does not."""
    request.scope["state"]["audit_subject"] = subject


def _bearer_of(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == _BEARER else ""


def _check_wait(wait_s: float, subject: str) -> None:
    if wait_s:
        raise TooManyRequestsError(subject, wait_s)


def _check_same_site(visit: Visit) -> None:
    if visit.is_cross_site():
        raise ForbiddenError("security.cross_site", visit.path)


def _check_role(visit: Visit, rule: Rule, caller: Caller) -> None:
    if rule.role is not None and caller.role < rule.role:
        raise ForbiddenError("security.role", visit.path, found=caller.role.word, expected=rule.role.word)
    if caller.customer is not None and not rule.is_separated:
        raise ForbiddenError("security.not_separated", visit.path, customer=caller.customer)


async def _check_csrf(visit: Visit, expected: str, receive: Receive) -> Receive:
    """Compare what the page says with what its session knows: in the header, or in the field of a small form."""
    said = visit.header(CSRF_HEADER)
    if not said and visit.header(b"content-type").partition(";")[0].strip().lower() == _FORM:
        body, receive = await _peek(receive)
        said = parse_qs(body.decode("latin-1")).get(CSRF_FIELD, [""])[0] if len(body) <= _FORM_BYTES else ""
    if not hmac.compare_digest(said.encode(), expected.encode()):
        raise ForbiddenError("security.csrf", visit.path)
    return receive


async def _peek(receive: Receive) -> tuple[bytes, Receive]:
    """Read a small body, and return it with a ``receive`` that gives it once more."""
    messages: list[Message] = []
    body = b""
    while len(body) <= _FORM_BYTES:
        messages.append(await receive())
        body += messages[-1].get("body", b"")
        if not messages[-1].get("more_body", False):
            break
    waiting = iter(messages)

    async def again() -> Message:
        return next(waiting, None) or await receive()

    return body, again


def _outcome(status: int) -> str:
    if status < HTTPStatus.BAD_REQUEST:
        return "done"
    return f"refused {status}" if status in _REFUSALS else f"failed {status}"
