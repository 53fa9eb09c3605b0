"""``/api/v1/assets``: machines, how they stand, and how what was measured went on."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from andon.datasets.store.assets import Assets, KeptAsset
from andon.models.monitoring.watch import Machines
from andon.models.types.errors import AssetError
from andon.serving.api import schemas
from andon.serving.api.answers import as_json, as_page
from andon.serving.api.callers import customer_of
from andon.serving.api.queries import SpanQuery, Text, in_utc, path_name, read_json, read_query
from andon.serving.api.routing import make_router
from andon.serving.api.service import Service
from andon.serving.engine.errors import RequestError

POINTS = 500
"""More are not told apart on a screen."""
SPAN = timedelta(days=30)
"""How far a trend or report reaches back where nothing is said."""
LONGEST = timedelta(days=400)
"""A year, with some days of the one before to compare with."""

ASSET = schemas.object_of(
    {
        "name": schemas.STRING,
        "cell": schemas.nullable("string"),
        "customer": schemas.nullable("string"),
        "machine": schemas.nullable("object"),
        "sensors": schemas.array_of(schemas.NOTHING),
        "alert": schemas.nullable("object"),
    }
)
_TIME = {"type": "string", "format": "date-time"}
SPAN_PARAMETERS: dict[str, tuple[schemas.Schema, str]] = {
    "since": (_TIME, "From this moment on; 30 days before `until` by default"),
    "until": (_TIME, "Before this moment; now by default"),
}
_LIST = {
    "parameters": schemas.query_parameters(
        {"limit": schemas.PAGE_PARAMETERS["limit"], "cursor": (schemas.TEXT, "Where the page before ended: its `next`")}
    )
}
_TREND = {
    "parameters": schemas.query_parameters(
        {"sensor": (schemas.TEXT, "Its sensor"), "name": (schemas.TEXT, "The indicator"), **SPAN_PARAMETERS}
    )
}
_TEXT_OR_NULL = {**schemas.TEXT, "type": ["string", "null"]}
_PLACE = schemas.json_request(
    {"type": "object", "properties": {"cell": _TEXT_OR_NULL, "customer": _TEXT_OR_NULL}, "additionalProperties": False}
)


class AssetsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of the list is asked for; ``cursor`` is the last name of the page before."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 50
    cursor: Text | None = None


class TrendQuery(SpanQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which trend is asked for."""

    name: Text
    sensor: Text | None = None


class PlaceBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a machine stands and whose it is."""

    cell: Text | None = None
    customer: Text | None = None


class AssetEndpoints:
    """Shows machines."""

    def __init__(self, service: Service, machines: Machines) -> None:
        self._service = service
        self._machines = machines
        self._assets = Assets(service.archive.store.database)

    def router(self) -> APIRouter:
        """Make the routes."""
        router = make_router("assets", "/api/v1")
        add = partial(schemas.add_route, router)
        trend = schemas.object_of({"items": schemas.array_of(schemas.NOTHING)})
        add("GET", "/assets", self.page, "List machines", schemas.page_of(ASSET), _LIST)
        add("GET", "/assets/{name:path}/indicators", self.trend, "Show how an indicator went on", trend, _TREND)
        add("PUT", "/assets/{name:path}", self.place, "Say where a machine stands and whose it is", ASSET, _PLACE)
        return router

    async def page(self, request: Request) -> Response:
        """List machines by name."""
        asked = read_query(request, AssetsQuery)
        find = partial(self._assets.page, customer_of(request), asked.cursor or "", asked.limit)
        page = await self._service.archive.call(find)
        return as_page(page, lambda kept: msgspec.json.encode(self._document(kept)))

    async def trend(self, request: Request) -> Response:
        """Show an indicator over time, at most so many points of it."""
        asked = read_query(request, TrendQuery)
        since, until = span_of(asked)
        name = path_name(request)
        await self._service.archive.call(partial(self._assets.get, name, customer_of(request)))
        find = partial(self._assets.trend, name, asked.sensor or "", asked.name, since, until, POINTS)
        return as_json({"items": await self._service.archive.call(find)})

    async def place(self, request: Request) -> Response:
        """Say where a machine stands and whose it is."""
        body = await read_json(request, PlaceBody)
        name = path_name(request)
        await self._service.archive.call(partial(self._assets.place, name, body.cell, body.customer))
        return as_json(self._document(await self._service.archive.call(partial(self._assets.get, name))))

    def _document(self, kept: KeptAsset) -> dict[str, Any]:
        return {
            "name": kept.name,
            "cell": kept.cell,
            "customer": kept.customer,
            "machine": _described(self._machines, kept.name),
            "sensors": [{"name": name, "last_seen": time} for name, time in kept.sensors.items()],
            "alert": {"id": kept.alert, "severity": kept.severity} if kept.alert else None,
        }


def span_of(asked: SpanQuery) -> tuple[datetime, datetime]:
    """Bring a stretch of time to UTC.

    Raises
    ------
    RequestError
        It is empty or too long, or lies at the edge of time.
    """
    until = in_utc(asked.until, "until") if asked.until else datetime.now(UTC)
    try:
        since = in_utc(asked.since, "since") if asked.since else until - SPAN
    except OverflowError as error:
        raise RequestError("serving.query", "until", reason=str(error)) from error
    if not timedelta() < until - since <= LONGEST:
        raise RequestError(
            "report.span", "since", found=f"{(until - since) / timedelta(days=1):g}", expected=LONGEST.days
        )
    return since, until


def _described(machines: Machines, name: str) -> dict[str, Any] | None:
    """What the register knows; a damaged document must not hide the other machines."""
    try:
        machine = machines(name)
    except AssetError:
        return None
    described = {**asdict(machine), "asset": ""}
    return asdict(machine) if any(described.values()) else None
