"""``/api/v1/bundles``: what is served, what was refused, and a bundle itself."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from andon.models.bundle.bundle import AnyBundle
from andon.models.bundle.storage import pack_bundle, read_bundle
from andon.models.messages.catalogue import Catalogue
from andon.models.types.errors import BundleError, ResourceError
from andon.serving.api import schemas
from andon.serving.api.answers import as_json
from andon.serving.api.callers import check_grade
from andon.serving.api.languages import language_of
from andon.serving.api.routing import make_router
from andon.serving.api.schemas import BUNDLE, BUNDLES, PROBLEM_RESPONSES, answers, path_parameters
from andon.serving.api.service import Service
from andon.serving.engine.repository import Entry
from andon.serving.security.grades import Destination

ANDON_FILE = "application/zip"


def state(entry: Entry) -> str:
    """Say whether a model serves under the entry's name, in the protocol's words."""
    return "READY" if entry.model else "UNAVAILABLE"


def reason(entry: Entry, texts: Catalogue) -> str:
    """Say why the bundle on disk does not serve; empty where it does."""
    if entry.refusal:
        return texts.error(entry.refusal)
    return texts.text("serving.unloaded", subject=entry.name) if entry.unloaded else ""


class BundleEndpoints:
    """Shows the bundles."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def router(self) -> APIRouter:
        """Make the routes."""
        router = make_router("bundles", "/api/v1")
        router.add_api_route(
            "/bundles",
            self.bundles,
            summary="List the bundles",
            response_class=Response,
            responses={**answers(BUNDLES), **PROBLEM_RESPONSES},
        )
        router.add_api_route(
            "/bundles/{name}",
            self.bundle,
            summary="Show a bundle's manifest",
            response_class=Response,
            responses={**answers(BUNDLE), **PROBLEM_RESPONSES},
            openapi_extra={"parameters": path_parameters("{name}")},
        )
        router.add_api_route(
            "/bundles/{name}/content",
            self.content,
            summary="Fetch the bundle that serves, as an .andon file with its signature",
            response_class=Response,
            responses={
                200: {"description": "Done", "content": {ANDON_FILE: {"schema": schemas.BYTES}}},
                **PROBLEM_RESPONSES,
            },
            openapi_extra={"parameters": path_parameters("{name}")},
        )
        return router

    async def bundles(self, request: Request) -> Response:
        """List every bundle in the folder, with its state."""
        texts = self._texts(request)
        items = [_summary(entry, texts) for entry in self._service.repository.entries()]
        return as_json({"items": items, "next": None})

    async def bundle(self, request: Request) -> Response:
        """Show the manifest of the bundle that serves under a name."""
        entry = self._service.repository.entry(request.path_params["name"])
        manifest = entry.model.manifest if entry.model else None
        return as_json({**_summary(entry, self._texts(request)), "manifest": manifest})

    async def content(self, request: Request) -> Response:
        """Give the bundle that serves under a name: what a station at the line fetches and checks."""
        check_grade(request, self._service.options.grade, Destination.HERE)
        name = request.path_params["name"]
        digest, path = self._service.repository.model(name).digest, self._service.repository.entry(name).path
        packed = await self._service.archive.call(lambda: pack_bundle(_serving(path, name, digest)))
        return Response(packed, media_type=ANDON_FILE, headers={"Cache-Control": "no-cache"})

    def _texts(self, request: Request) -> Catalogue:
        return self._service.texts(language_of(request))


def _summary(entry: Entry, texts: Catalogue) -> dict[str, Any]:
    return {
        "name": entry.name,
        "version": entry.model.version if entry.model else None,
        "bundle_digest": entry.model.digest if entry.model else None,
        "state": state(entry),
        "reason": reason(entry, texts) or None,
    }


def _serving(path: Path, name: str, digest: str) -> AnyBundle:
    """Read the bundle that serves; another one may lie there already, or lie there only half."""
    try:
        found = read_bundle(path)
    except BundleError as error:
        raise ResourceError("serving.bundle_unreadable", name, reason=str(error)) from error
    if found.digest != digest:
        raise ResourceError("serving.bundle_changing", name, found=found.digest[:12], expected=digest[:12])
    return found
