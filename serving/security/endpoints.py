"""``/api/v1``: invitations, sessions, users, keys and the audit trail."""

from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from anyio.to_thread import run_sync
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from andon.datasets.store.accounts import AuditFilter, Session, User
from andon.models.types.errors import NotFoundError
from andon.models.types.moments import as_text
from andon.serving.api import schemas
from andon.serving.api.answers import as_json, as_page
from andon.serving.api.callers import caller_of
from andon.serving.api.queries import PageQuery, Text, path_id, read_json, read_query
from andon.serving.api.routing import make_router
from andon.serving.security.documents import key_document, user_document
from andon.serving.security.errors import ForbiddenError
from andon.serving.security.guard import name_subject
from andon.serving.security.issuing import check_role, new_invitation, new_key
from andon.serving.security.names import checked_name
from andon.serving.security.passwords import checked_password
from andon.serving.security.roles import ROLES, Caller, Kind
from andon.serving.security.security import Security
from andon.serving.security.sessions import Reception, session_of
from andon.serving.security.tokens import ApiKey, digest_of, new_secret

RoleWord = Literal["viewer", "operator", "engineer", "admin"]
Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
Days = Annotated[int, msgspec.Meta(ge=1, le=3650)]
Hours = Annotated[int, msgspec.Meta(ge=0, le=720)]
Language = Literal["en", "zh_CN"]


class SignIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A name and its password."""

    name: Text
    password: Secret


class Acceptance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token of an invitation, and who its bearer wants to be."""

    token: Secret
    name: Text
    password: Secret
    language: Language = "en"


class NewPassword(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The password of somebody who is signed in, and the one that they want."""

    password: Secret
    new_password: Secret


class Invited(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an invited person may do."""

    role: RoleWord
    customer: Text | None = None


class RoleBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a user may do from now on."""

    role: RoleWord


class NewKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a program may do, and for how long."""

    name: Text
    role: RoleWord
    customer: Text | None = None
    expires_days: Days | None = None


class Rotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the secret that is replaced is still taken; a day where nothing is said."""

    overlap_hours: Hours | None = None


class AuditQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entries are asked for."""

    actor: Text | None = None


_NULLABLE_TEXT = {**schemas.TEXT, "type": ["string", "null"]}
_ROLE = {"type": "string", "enum": list(ROLES)}
_TIME = {"type": "string", "format": "date-time"}
_PASSWORD = {"type": "string", "minLength": 1, "maxLength": 1024}
_ACCEPTANCE = schemas.json_request(
    schemas.object_of(
        {
            "token": _PASSWORD,
            "name": schemas.TEXT,
            "password": {**_PASSWORD, "description": "12 to 256 characters"},
            "language": {"type": "string", "enum": ["en", "zh_CN"]},
        },
        ["token", "name", "password"],
    )
)
_SIGN_IN = schemas.json_request(schemas.object_of({"name": schemas.TEXT, "password": _PASSWORD}))
_NEW_PASSWORD = schemas.json_request(schemas.object_of({"password": _PASSWORD, "new_password": _PASSWORD}))
_INVITED = schemas.json_request(schemas.object_of({"role": _ROLE, "customer": _NULLABLE_TEXT}, ["role"]))
_ROLE_REQUEST = schemas.json_request(schemas.object_of({"role": _ROLE}))
_NEW_KEY = schemas.json_request(
    schemas.object_of(
        {
            "name": schemas.TEXT,
            "role": _ROLE,
            "customer": _NULLABLE_TEXT,
            "expires_days": {"type": ["integer", "null"], "minimum": 1, "maximum": 3650},
        },
        ["name", "role"],
    )
)
_ROTATION = schemas.json_request(
    schemas.object_of({"overlap_hours": {"type": ["integer", "null"], "minimum": 0, "maximum": 720}}, ["overlap_hours"])
)
_AUDIT = {
    "parameters": schemas.query_parameters({**schemas.PAGE_PARAMETERS, "actor": (schemas.TEXT, "Who did it")}),
}
_WHO = {"name": schemas.STRING, "role": _ROLE, "customer": schemas.nullable("string")}
_CURRENT = schemas.object_of({**_WHO, "kind": schemas.STRING, "csrf": schemas.nullable("string")})
_USER = schemas.object_of({**_WHO, "created": _TIME, "disabled": schemas.nullable("string")})
_KEY = schemas.object_of({"id": schemas.STRING, **_WHO, "created": _TIME, "expires": schemas.nullable("string")})
_KEY_ONCE = schemas.object_of({"id": schemas.STRING, "key": schemas.STRING})
_INVITATION = schemas.object_of({"token": schemas.STRING, "role": _ROLE, "expires": _TIME})
_ENTRY = schemas.object_of(
    {
        "id": schemas.STRING,
        "time": _TIME,
        **dict.fromkeys(("actor", "action", "subject", "outcome", "address"), schemas.STRING),
    }
)


class AccountEndpoints:
    """Lets people in, and shows and changes who may do what."""

    def __init__(self, security: Security) -> None:
        self._security = security
        self._accounts = security.accounts
        self._reception = Reception(security)

    def router(self) -> APIRouter:
        """Make the routes."""
        router = make_router("accounts", "/api/v1")
        add = partial(schemas.add_route, router)
        add("POST", "/sessions", self.sign_in, "Sign in", _CURRENT, _SIGN_IN)
        add("GET", "/sessions/current", self.current, "Show who asks", _CURRENT)
        add("DELETE", "/sessions/current", self.sign_out, "Sign out", schemas.NOTHING)
        add("POST", "/password", self.change_password, "Change one's password", _CURRENT, _NEW_PASSWORD)
        add("POST", "/invitations", self.invite, "Invite somebody", _INVITATION, _INVITED)
        add("POST", "/invitations/accept", self.accept, "Accept an invitation", _CURRENT, _ACCEPTANCE)
        add("GET", "/users", self.users, "List the users", schemas.page_of(_USER))
        add("POST", "/users/{name}/role", self.change_role, "Give a user another role", _USER, _ROLE_REQUEST)
        add("POST", "/users/{name}/disable", self.disable, "Let a user in no more", _USER)
        add("POST", "/users/{name}/enable", self.enable, "Let a user in again", _USER)
        add("GET", "/keys", self.keys, "List the keys", schemas.page_of(_KEY))
        add("POST", "/keys", self.create_key, "Make a key", _KEY_ONCE, _NEW_KEY)
        add("POST", "/keys/{id}/rotate", self.rotate_key, "Give a key another secret", _KEY_ONCE, _ROTATION)
        add("POST", "/keys/{id}/revoke", self.revoke_key, "End a key", _KEY)
        add("GET", "/audit", self.audit, "List what was done", schemas.page_of(_ENTRY), _AUDIT)
        return router

    async def sign_in(self, request: Request) -> Response:
        """Open a session: its token comes in a cookie, and `csrf` is to be sent as `X-CSRF-Token` with every change."""
        body = await read_json(request, SignIn)
        name_subject(request, body.name)
        user = await self._reception.recognise(body.name, body.password, _address(request))
        return await self._signed_in(user)

    async def current(self, request: Request) -> Response:
        """Show who asks, and what pages have to send with a change."""
        session = session_of(request)
        return as_json(_current(caller_of(request), session.csrf if session else None))

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        await self._reception.close(_own_session(request))
        response = as_json({})
        self._reception.drop_cookie(response)
        return response

    async def change_password(self, request: Request) -> Response:
        """Change one's own password: all one's sessions end, and a new one begins."""
        body = await read_json(request, NewPassword)
        name = _own_session(request).user.name
        user = await self._reception.recognise(name, body.password, _address(request))
        password_hash = await self._reception.hash(checked_password(body.new_password, name))
        await self._change(partial(self._accounts.change_password, name, password_hash))
        return await self._signed_in(user)

    async def invite(self, request: Request) -> Response:
        """Make an invitation, whose token is shown this once: who accepts it within a quarter of an hour becomes a user."""
        body = await read_json(request, Invited)
        now = self._security.clock.now()
        token, invitation = new_invitation(ROLES[body.role], body.customer, self._security.options.lifetimes, now)
        await run_sync(self._accounts.invite, invitation)
        name_subject(request, f"invitation {body.role}")
        return as_json({"token": token, "role": body.role, "expires": as_text(invitation.expires)})

    async def accept(self, request: Request) -> Response:
        """Become a user, and be signed in at once."""
        body = await read_json(request, Acceptance)
        name = checked_name(body.name)
        name_subject(request, name)
        self._reception.throttle(name, _address(request))
        password_hash = await self._reception.hash(checked_password(body.password, name))
        now = self._security.clock.now()
        accept = partial(self._accounts.accept, digest_of(body.token), name, password_hash, body.language, now)
        user = await run_sync(accept)
        self._security.credentials.forget()
        return await self._signed_in(user)

    async def users(self, _request: Request) -> Response:
        """List the users, disabled ones too."""
        return as_json(
            {"items": [user_document(each) for each in await run_sync(self._accounts.all_users)], "next": None}
        )

    async def change_role(self, request: Request) -> Response:
        """Give a user another role, and end their sessions."""
        body = await read_json(request, RoleBody)
        user = await self._named(request)
        check_role(ROLES[body.role], user.customer)
        return await self._changed_user(request, partial(self._accounts.change_role, user.name, body.role))

    async def disable(self, request: Request) -> Response:
        """Let nobody in under that name, and end all sessions under it."""
        name = request.path_params["name"]
        return await self._changed_user(request, partial(self._accounts.disable, name, self._security.clock.now()))

    async def enable(self, request: Request) -> Response:
        """Let a user in again, who has to sign in anew."""
        return await self._changed_user(request, partial(self._accounts.enable, request.path_params["name"]))

    async def keys(self, _request: Request) -> Response:
        """List the keys, revoked ones too."""
        return as_json(
            {"items": [key_document(each) for each in await run_sync(self._accounts.all_keys)], "next": None}
        )

    async def create_key(self, request: Request) -> Response:
        """Make a key, which is shown this once."""
        body = await read_json(request, NewKey)
        lasts = None if body.expires_days is None else timedelta(days=body.expires_days)
        given, key = new_key(body.name, ROLES[body.role], body.customer, lasts, self._security.clock.now())
        await self._change(partial(self._accounts.add_key, key))
        name_subject(request, f"key {key.name} {key.id}")
        return as_json({**key_document(key), "key": given.text})

    async def rotate_key(self, request: Request) -> Response:
        """Give a key another secret, which is shown this once; the former one is taken for a while."""
        body = await read_json(request, Rotation)
        lifetimes, identifier = self._security.options.lifetimes, path_id(request)
        overlap = lifetimes.overlap if body.overlap_hours is None else timedelta(hours=body.overlap_hours)
        given = ApiKey(identifier, new_secret())
        until = self._security.clock.now() + overlap
        await self._change(partial(self._accounts.rotate_key, identifier, digest_of(given.secret), until))
        return as_json({"id": identifier, "key": given.text, "former_until": as_text(until)})

    async def revoke_key(self, request: Request) -> Response:
        """End a key."""
        identifier = path_id(request)
        await self._change(partial(self._accounts.revoke_key, identifier, self._security.clock.now()))
        key = await run_sync(self._accounts.key, identifier)
        return as_json(key_document(key) if key else {})

    async def audit(self, request: Request) -> Response:
        """List changes and refused attempts, the latest first."""
        asked = read_query(request, AuditQuery)
        find = partial(self._accounts.audit_page, AuditFilter(asked.actor), asked.before, asked.limit)
        return as_page(await run_sync(find))

    async def _signed_in(self, user: User) -> Response:
        token, session = await self._reception.open(user)
        said = {"name": user.name, "role": user.role, "customer": user.customer, "kind": Kind.USER.value}
        response = as_json({**said, "csrf": session.csrf, "expires": as_text(session.expires)})
        self._reception.set_cookie(response, token)
        return response

    async def _named(self, request: Request) -> User:
        user = await run_sync(self._accounts.user, request.path_params["name"])
        if user is None:
            raise NotFoundError("security.no_user", request.path_params["name"])
        return user

    async def _changed_user(self, request: Request, change: partial[None]) -> Response:
        await self._change(change)
        return as_json(user_document(await self._named(request)))

    async def _change(self, change: partial[None]) -> None:
        """Change what somebody may do, and act on it from the next request on."""
        await run_sync(change)
        self._security.credentials.forget()


def _address(request: Request) -> str:
    return str(request.scope["state"]["address"])


def _own_session(request: Request) -> Session:
    session = session_of(request)
    if session is None:
        raise ForbiddenError("security.no_session", request.url.path)
    return session


def _current(caller: Caller, csrf: str | None) -> dict[str, Any]:
    said = {"name": caller.name, "role": caller.role.word, "customer": caller.customer}
    return {**said, "kind": caller.kind.value, "csrf": csrf}
