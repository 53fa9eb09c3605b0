"""A small service behind the guard: in process, on SQLite, with a clock that the test moves."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient

from andon.datasets.store.accounts import AuditFilter
from andon.datasets.store.database import Database, open_database, sqlite_address
from andon.datasets.store.upgrade import ensure_current
from andon.models.messages.catalogue import catalogue
from andon.serving.api.answers import as_json
from andon.serving.api.problems import Problems
from andon.serving.security.endpoints import AccountEndpoints
from andon.serving.security.guard import Guard
from andon.serving.security.issuing import new_invitation, new_key
from andon.serving.security.options import Clock, Lifetimes, SecurityOptions
from andon.serving.security.passwords import HashCosts
from andon.serving.security.roles import ROLES
from andon.serving.security.security import Security, make_security
from andon.serving.security.single_sign_on import SingleSignOn

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
PASSWORD = "correct horse battery"
CHEAP = HashCosts(memory_kib=8, passes=1, lanes=1)
HERE, ELSEWHERE = "127.0.0.1", "192.0.2.7"
OPTIONS = SecurityOptions(is_loopback=True, hashing=CHEAP)
ECHOED = (
    ("GET", "/api/v1/alerts"),
    ("GET", "/api/v1/inspections"),
    ("POST", "/api/v1/inspections"),
    ("POST", "/api/v1/alerts/{id}/acknowledge"),
    ("GET", "/v2/health/live"),
    ("POST", "/v2/models/{model}/infer"),
    ("POST", "/v2/repository/models/{model}/load"),
    ("POST", "/invocations"),
    ("PUT", "/unlisted"),
)


@dataclass
class Moves:
    """A clock that stands still until it is moved."""

    start: datetime = START
    passed: timedelta = field(default_factory=timedelta)

    def forward(self, **by: float) -> None:
        self.passed += timedelta(**by)

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.start + self.passed, lambda: 1000.0 + self.passed.total_seconds())


@dataclass
class House:
    """The service, and what the tests look into."""

    app: FastAPI
    security: Security
    moves: Moves

    def client(self, address: str = ELSEWHERE, **headers: str) -> TestClient:
        return TestClient(
            self.app, "http://127.0.0.1", raise_server_exceptions=False, client=(address, 50000), headers=headers
        )

    def key(self, role: str = "operator", customer: str | None = None, name: str = "", days: int | None = None) -> str:
        lasts = None if days is None else timedelta(days=days)
        now = self.moves.clock.now()
        given, key = new_key(name or f"{role} {customer}", ROLES[role], customer, lasts, now)
        self.security.accounts.add_key(key)
        return given.text

    def with_key(self, key: str, address: str = ELSEWHERE) -> TestClient:
        return self.client(address, Authorization=f"Bearer {key}")

    def invitation(self, role: str = "admin", customer: str | None = None) -> str:
        token, invitation = new_invitation(ROLES[role], customer, Lifetimes(), self.moves.clock.now())
        self.security.accounts.invite(invitation)
        return token

    def join(self, name: str = "anna", role: str = "admin", customer: str | None = None) -> TestClient:
        """Somebody who is signed in, whose browser sends the token of the session with every change."""
        client = self.client()
        body = {"token": self.invitation(role, customer), "name": name, "password": PASSWORD}
        accepted = client.post("/api/v1/invitations/accept", json=body)
        assert accepted.status_code == 200, accepted.text
        client.headers["X-CSRF-Token"] = accepted.json()["csrf"]
        return client

    def trail(self) -> list[dict[str, Any]]:
        """What was written down, the latest first."""
        return list(self.security.accounts.audit_page(AuditFilter(), None, 500).items)


class Build(Protocol):
    """Make the service with other options."""

    def __call__(self, options: SecurityOptions, start: datetime = START) -> House: ...


async def echo(request: Request) -> Response:
    """Say who asks, and give back what was sent."""
    caller = request.scope["state"]["caller"]
    body = (await request.body()).decode()
    return as_json({"name": caller.name, "role": caller.role.word, "kind": caller.kind.value, "body": body})


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(sqlite_address(tmp_path / "andon.db"))
    ensure_current(opened)
    yield opened
    opened.close()


@pytest.fixture
def build(database: Database) -> Build:
    """Make the service with other options."""

    def make(options: SecurityOptions, start: datetime = START) -> House:
        moves = Moves(start)
        security = make_security(database, options, moves.clock)
        app = FastAPI()
        for method, path in ECHOED:
            app.add_api_route(path, echo, methods=[method], response_class=Response)
        app.include_router(AccountEndpoints(security).router())
        if options.oidc is not None:
            app.include_router(SingleSignOn(security, options.oidc).router())
        problems = Problems(catalogue)
        problems.install(app)
        app.add_middleware(Guard, security=security, answer=problems.andon)
        return House(app, security, moves)

    return make


@pytest.fixture
def house(build: Build) -> House:
    return build(OPTIONS)


@pytest.fixture
def remote_house(build: Build) -> House:
    """The same, listening where others can reach it."""
    return build(replace(OPTIONS, is_loopback=False))
