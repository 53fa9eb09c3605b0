"""``/api/v1/parts``: a part's whole life."""

from functools import partial
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from andon.datasets.store.parts import PartLife, Parts
from andon.models.codes.parsing import parse_code
from andon.serving.api import schemas
from andon.serving.api.answers import as_json
from andon.serving.api.routing import make_router
from andon.serving.api.service import Service


class PartEndpoints:
    """Shows parts."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._parts = Parts(service.archive.store.database, service.archive.store.origin)

    def router(self) -> APIRouter:
        """Make the routes."""
        router = make_router("parts", "/api/v1")
        schemas.add_route(router, "GET", "/parts/{serial:path}", self.life, "Show a part's whole life", schemas.PART)
        return router

    async def life(self, request: Request) -> Response:
        """Show every inspection of a part, by its serial number or its identifier code, and what people decided."""
        code = parse_code(request.path_params["serial"])
        return as_json(_document(await self._service.archive.call(partial(self._parts.life, code))))


def _document(life: PartLife) -> dict[str, Any]:
    return {
        "part": life.code,
        "scheme": life.scheme,
        "first_seen": life.first_seen,
        "last_seen": life.last_seen,
        "inspections": [msgspec.Raw(kept.answer) for kept in life.inspections],
        "dispositions": life.dispositions,
    }
