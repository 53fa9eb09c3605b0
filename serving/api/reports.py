"""``/api/v1/assets/{name}/report``: what happened to a machine, for whoever sells service with it."""

from typing import Any, Literal

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from andon.models.messages.catalogue import Catalogue
from andon.models.monitoring.watch import Machines
from andon.serving.api import schemas
from andon.serving.api.answers import JSON
from andon.serving.api.assets import SPAN_PARAMETERS, span_of
from andon.serving.api.callers import customer_of
from andon.serving.api.languages import language_of
from andon.serving.api.queries import SpanQuery, path_name, read_query
from andon.serving.api.routing import make_router
from andon.serving.api.service import Service
from andon.serving.reports.asset_report import AssetReport, asset_report
from andon.serving.reports.rendering import as_html, as_pdf

_PARAMETERS: dict[str, tuple[schemas.Schema, str]] = {
    **SPAN_PARAMETERS,
    "format": ({"type": "string", "enum": ["json", "html", "pdf"]}, "json by default"),
    "language": ({"type": "string", "enum": ["en", "zh_CN"]}, "As Accept-Language says by default"),
}


class ReportQuery(SpanQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which report is asked for."""

    format: Literal["json", "html", "pdf"] = "json"
    language: Literal["en", "zh_CN"] | None = None


class ReportEndpoints:
    """Makes reports; register these routes before those that take a whole path."""

    def __init__(self, service: Service, machines: Machines) -> None:
        self._service = service
        self._machines = machines

    def router(self) -> APIRouter:
        """Make the routes."""
        router = make_router("assets", "/api/v1")
        said = {"parameters": schemas.query_parameters(_PARAMETERS)}
        schemas.add_route(
            router, "GET", "/assets/{name:path}/report", self.report, "Report on a machine", schemas.NOTHING, said
        )
        return router

    async def report(self, request: Request) -> Response:
        """Report on a machine."""
        asked = read_query(request, ReportQuery)
        text = self._service.texts(asked.language or language_of(request))
        since, until = span_of(asked)
        name = path_name(request)
        database, customer = self._service.archive.store.database, customer_of(request)

        def make() -> Response:
            report = asset_report(database, self._machines(name), name, since, until, customer)
            answer: Response = _FORMATS[asked.format](report, text)
            return answer

        return await self._service.archive.call(make)


def _as_json(report: AssetReport, _text: Catalogue) -> Response:
    return Response(msgspec.json.encode(report), media_type=JSON)


def _as_html(report: AssetReport, text: Catalogue) -> Response:
    # What others wrote is shown: no script may run and nothing be loaded, should it ever get past the escaping.
    policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return Response(as_html(report, text), media_type="text/html", headers=policy)


def _as_pdf(report: AssetReport, text: Catalogue) -> Response:
    return Response(as_pdf(report, text), media_type="application/pdf")


_FORMATS: dict[str, Any] = {"json": _as_json, "html": _as_html, "pdf": _as_pdf}
