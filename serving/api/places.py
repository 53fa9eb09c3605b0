"""``/api/v1/stations`` and ``/api/v1/recipes``: where things stand, and what they run."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from andon.datasets.store.places import Place, Places
from andon.datasets.store.recipes import Recipes
from andon.serving.api import schemas
from andon.serving.api.answers import as_json
from andon.serving.api.queries import Text, path_name, read_json
from andon.serving.api.routing import make_router
from andon.serving.api.service import Service

Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class StationBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a station stands."""

    cell: Text | None = None
    line: Text | None = None
    site: Text | None = None
    customer: Text | None = None


class CameraBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The camera of a station."""

    station: Text
    settings: dict[str, str | int | float | bool | None] = {}


class RecipeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a station runs."""

    name: Text
    bundle_digest: Digest
    station: Text | None = None
    document: dict[str, Any] = {}


_NULLABLE = {**schemas.TEXT, "type": ["string", "null"]}
_STATION = schemas.object_of(
    dict.fromkeys(("name", "cell", "line", "site", "customer"), _NULLABLE)
    | {"cameras": schemas.array_of(schemas.NOTHING)}
)
_STATIONS = schemas.object_of({"items": schemas.array_of(_STATION), "next": {"type": "null"}})
_STATION_REQUEST = schemas.json_request(
    {"type": "object", "properties": dict.fromkeys(("cell", "line", "site", "customer"), _NULLABLE)}
)
_SETTINGS = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}}
_CAMERA_REQUEST = schemas.json_request(schemas.object_of({"station": schemas.TEXT, "settings": _SETTINGS}, ["station"]))
_DIGEST = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_RECIPE_REQUEST = schemas.json_request(
    schemas.object_of(
        {"name": schemas.TEXT, "bundle_digest": _DIGEST, "station": _NULLABLE, "document": schemas.NOTHING},
        ["name", "bundle_digest"],
    )
)
_RECIPE = schemas.object_of({"digest": _DIGEST, "name": schemas.STRING, "bundle_digest": _DIGEST})
_RECIPES = schemas.object_of({"items": schemas.array_of(_RECIPE), "next": {"type": "null"}})


class PlaceEndpoints:
    """Shows and takes where things stand and what they run."""

    def __init__(self, service: Service) -> None:
        self._archive = service.archive
        self._places = Places(service.archive.store.database)
        self._recipes = Recipes(service.archive.store.database)

    def router(self) -> APIRouter:
        """Make the routes."""
        router = make_router("places", "/api/v1")
        add = partial(schemas.add_route, router)
        nothing = schemas.NOTHING
        add("GET", "/stations", self.stations, "List the stations and their cameras", _STATIONS)
        add("PUT", "/stations/{name}", self.put_station, "Say where a station stands", nothing, _STATION_REQUEST)
        add("PUT", "/cameras/{name}", self.put_camera, "Say which camera a station has", nothing, _CAMERA_REQUEST)
        add("GET", "/recipes", self.recipes, "List the recipes", _RECIPES)
        add("POST", "/recipes", self.add_recipe, "Keep a recipe", _RECIPE, _RECIPE_REQUEST)
        add("GET", "/recipes/{digest}", self.recipe, "Show a recipe", _RECIPE)
        return router

    async def stations(self, _request: Request) -> Response:
        """List all stations with where they stand."""
        return as_json({"items": await self._archive.call(self._places.stations), "next": None})

    async def put_station(self, request: Request) -> Response:
        """Say where a station stands."""
        body = await read_json(request, StationBody)
        place = Place(body.customer, body.site, body.line, body.cell)
        await self._archive.call(partial(self._places.put_station, path_name(request), place))
        return as_json({})

    async def put_camera(self, request: Request) -> Response:
        """Say which camera a station has, with its settings."""
        body = await read_json(request, CameraBody)
        await self._archive.call(partial(self._places.put_camera, path_name(request), body.station, body.settings))
        return as_json({})

    async def recipes(self, _request: Request) -> Response:
        """List all recipes, the latest first."""
        return as_json({"items": await self._archive.call(self._recipes.all), "next": None})

    async def add_recipe(self, request: Request) -> Response:
        """Keep a recipe; it never changes, and goes by its digest."""
        body = await read_json(request, RecipeBody)
        put = partial(self._recipes.put, body.name, body.station, body.document, body.bundle_digest)
        digest = await self._archive.call(partial(put, datetime.now(UTC)))
        return as_json(await self._archive.call(partial(self._recipes.get, digest)), 201)

    async def recipe(self, request: Request) -> Response:
        """Show a recipe."""
        return as_json(await self._archive.call(partial(self._recipes.get, request.path_params["digest"])))
