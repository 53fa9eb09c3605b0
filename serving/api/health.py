"""``/api/v1/health`` and what readiness rests on: what works, and what does not."""

from functools import partial
from typing import Any

from fastapi import APIRouter
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import Response

from andon.datasets.store.opening import Store
from andon.models.messages.catalogue import Catalogue
from andon.models.types.errors import AndonError
from andon.serving.api import schemas
from andon.serving.api.answers import as_json
from andon.serving.api.languages import language_of
from andon.serving.api.routing import make_router
from andon.serving.api.service import Service

_PART = schemas.object_of({"ok": schemas.BOOLEAN, "reason": schemas.nullable("string")})
_HEALTH = schemas.object_of(
    {"ready": schemas.BOOLEAN, "models": _PART, "database": _PART, "disk": _PART, "refused_bundles": schemas.INTEGER}
)


class HealthEndpoints:
    """Says what works."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def router(self) -> APIRouter:
        """Make the routes."""
        router = make_router("operations", "/api/v1")
        schemas.add_route(router, "GET", "/health", self.health, "What works, and what does not", _HEALTH)
        return router

    async def health(self, request: Request) -> Response:
        """Say what works: `ready` as `/v2/health/ready` does, and why not. Bundles on disk that were refused are counted."""
        texts = self._service.texts(language_of(request))
        problems = await problems_of(self._service)
        parts = {name: _part(problems[name], texts) for name in ("models", "database", "disk")}
        refused = sum(entry.refusal is not None for entry in self._service.repository.entries())
        return as_json({"ready": not any(problems.values()), **parts, "refused_bundles": refused})


async def problems_of(service: Service) -> dict[str, AndonError | None]:
    """Look for what keeps the service from taking work: each is None where nothing does."""
    store = service.archive.store
    no_model = None if service.repository.models() else AndonError("serving.no_model", "service")
    return {
        "models": no_model,
        "database": await service.archive.call(partial(_database_problem, store)),
        "disk": await service.archive.call(partial(_disk_problem, store)),
    }


def _database_problem(store: Store) -> AndonError | None:
    try:
        with store.database.reading() as connection:
            connection.execute(text("SELECT 1 FROM alembic_version"))
    except AndonError as error:
        return error
    return None


def _disk_problem(store: Store) -> AndonError | None:
    try:
        store.room.check()
    except AndonError as error:
        return error
    return None


def _part(problem: AndonError | None, texts: Catalogue) -> dict[str, Any]:
    return {"ok": problem is None, "reason": None if problem is None else texts.error(problem)}
