"""``/metrics`` and the pages that describe the interfaces, which need no internet."""

from importlib.resources import files
from pathlib import Path

import fastapi_offline
from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from andon.serving.api.routing import make_router
from andon.serving.engine.metrics import Metrics

ASSETS = "/docs/assets"


def metrics_router(metrics: Metrics) -> APIRouter:
    """Make the route of the figures."""
    router = make_router("operations")

    async def exposition(_request: Request) -> Response:
        """All figures in Prometheus' text format."""
        return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)

    router.add_api_route(
        "/metrics",
        exposition,
        summary="Figures for Prometheus",
        response_class=Response,
        responses={200: {"description": "Done", "content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    return router


def install_docs(app: FastAPI) -> None:
    """Serve the page of the OpenAPI document with scripts of our own: FastAPI's page takes them from a CDN."""
    assets = Path(str(files(fastapi_offline) / "static"))
    app.mount(ASSETS, StaticFiles(directory=assets), name="docs-assets")

    async def page(request: Request) -> Response:
        root = request.scope.get("root_path", "")
        return get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=app.title,
            swagger_js_url=f"{root}{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{root}{ASSETS}/favicon.png",
        )

    app.add_route("/docs", page, include_in_schema=False)
