"""``/api/v1/bundles``: what is served, and what was refused."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from andon.models.messages.catalogue import Catalogue
from andon.serving.api.answers import as_json
from andon.serving.api.languages import language_of
from andon.serving.api.routing import make_router
from andon.serving.api.schemas import BUNDLE, BUNDLES, PROBLEM_RESPONSES, answers, path_parameters
from andon.serving.api.service import Service
from andon.serving.engine.repository import Entry


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
