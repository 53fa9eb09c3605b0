"""``/invocations``: MLflow's scoring protocol, as ``mlflow models serve`` speaks it."""

from collections.abc import Mapping
from functools import partial
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter
from python_multipart.multipart import parse_options_header
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from andon.serving.api import schemas
from andon.serving.api.answers import JSON
from andon.serving.api.bodies import read_body
from andon.serving.api.languages import language_of
from andon.serving.api.routing import make_router
from andon.serving.api.service import Service
from andon.serving.engine.errors import MediaTypeError
from andon.serving.engine.models import Model
from andon.serving.engine.scoring import read_scoring
from andon.serving.engine.tables import ReadTable, read_csv_table, read_json_table

CSV = "text/csv"
UTF_8 = ("utf-8", "utf8")

_READERS: Mapping[str, ReadTable] = {JSON: read_json_table, CSV: read_csv_table}
_PARAMETERS = schemas.query_parameters(
    {"model": (schemas.STRING, "The model's name; may be left out where exactly one is loaded")}
)
_TABLE = {
    "type": "object",
    "properties": {
        "dataframe_split": {"type": "object", "description": "`columns` and `data`, a list for each row"},
        "dataframe_records": schemas.array_of(schemas.NOTHING),
        "inputs": {"description": "A list for each column, by its name; or as `dataframe_records`"},
        "instances": {"description": "As `inputs`"},
        "params": {"description": "Passed over: no model takes any"},
    },
    "description": "Exactly one of the first four",
}
_REQUEST = {
    "parameters": _PARAMETERS,
    "requestBody": {
        "required": True,
        "content": {
            JSON: {
                "schema": _TABLE,
                "example": {"dataframe_split": {"columns": ["image"], "data": [["an image file in base64"]]}},
            },
            CSV: {"schema": schemas.STRING},
        },
    },
}
_PREDICTIONS = schemas.object_of({"predictions": schemas.array_of(schemas.NOTHING)})
_ERROR = schemas.object_of({"error_code": schemas.STRING, "message": schemas.STRING})
_ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "What was sent cannot be used", "content": {JSON: {"schema": _ERROR}}}
}
_TEXT = {"content": {"text/plain": {"schema": schemas.STRING}}}


class ScoringEndpoints:
    """Serves the model that a request names, or the only one there is, to clients of ``mlflow models serve``."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def router(self) -> APIRouter:
        """Make the routes."""
        router = make_router("mlflow scoring")
        for path in ("/ping", "/health"):
            router.add_api_route(
                path,
                self.ping,
                summary="Whether a model serves",
                response_class=Response,
                responses={200: {"description": "One does", **_TEXT}, 404: {"description": "None does", **_TEXT}},
            )
        router.add_api_route(
            "/version",
            self.version,
            summary="Version of the service",
            response_class=Response,
            responses={200: {"description": "Done", **_TEXT}},
        )
        router.add_api_route(
            "/invocations",
            self.invocations,
            methods=["POST"],
            summary="Judge the rows of a table",
            response_class=Response,
            responses={**schemas.answers(_PREDICTIONS), **_ERRORS},
            openapi_extra=_REQUEST,
        )
        return router

    async def ping(self, _request: Request) -> Response:
        """Answer with an empty line; 404 until a model serves."""
        return PlainTextResponse("\n", 200 if self._service.repository.models() else 404)

    async def version(self, _request: Request) -> Response:
        """Name the version of the service. MLflow has no part in it."""
        return PlainTextResponse(version("andon"))

    async def invocations(self, request: Request) -> Response:
        """Judge each row of a table, in JSON or CSV.

        A row is an image file in base64 as `image`, or a health model's measures by their names, with `asset`; rows of
        one machine are judged as if they had come one after the other. Other columns are passed over.
        """
        read_table = table_reader(request.headers.get("content-type", ""))
        model = self._service.repository.model_of(Model, request.query_params.get("model") or None)
        texts = self._service.texts(language_of(request))
        body = await read_body(request, self._service.options.max_body_bytes)
        read = partial(read_scoring, model, texts, read_table, body)
        return Response(await self._service.engine.run(model, read), media_type=JSON)


def table_reader(content_type: str) -> ReadTable:
    """Choose the reader of a body by its ``Content-Type``.

    Raises
    ------
    MediaTypeError
        It is neither JSON nor CSV, in another encoding than UTF-8, or says more than its encoding.
    """
    media_type, options = parse_options_header(content_type)
    charset = options.pop(b"charset", b"utf-8").decode("latin-1").lower()
    read = _READERS.get(media_type.decode("latin-1").strip().lower())
    if read is None or options or charset not in UTF_8:
        raise MediaTypeError(
            "serving.media_type", "Content-Type", found=content_type or "-", expected=f"{JSON}, {CSV}; charset=utf-8"
        )
    return read
