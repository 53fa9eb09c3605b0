"""``/v2``: the Open Inference Protocol, as KServe and Triton speak it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain
from typing import Any, TypeVar

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from andon.serving.api import schemas
from andon.serving.api.answers import JSON, as_json
from andon.serving.api.bodies import read_body
from andon.serving.api.bundles import reason, state
from andon.serving.api.health import problems_of
from andon.serving.api.inspections import BINARY
from andon.serving.api.languages import language_of
from andon.serving.api.routing import make_router
from andon.serving.api.service import Service
from andon.serving.engine.engine import Task
from andon.serving.engine.errors import RequestError, UnknownModelError
from andon.serving.engine.inference import configuration, metadata, read_inference
from andon.serving.engine.models import Model
from andon.serving.engine.tensors import Reply, decompress

Small = TypeVar("Small", bound=msgspec.Struct)

HEADER_LENGTH = "Inference-Header-Content-Length"
MODELS = ("/models/{model}", "/models/{model}/versions/{version}")
"""A model, with and without its version."""
EXTENSIONS = ("binary_tensor_data", "model_configuration", "model_repository", "statistics")


@dataclass(frozen=True, slots=True)
class _Route:
    """An endpoint with its description in the OpenAPI document."""

    method: str
    path: str
    endpoint: Callable[[Request], Awaitable[Response]]
    summary: str
    answer: schemas.Schema
    request: schemas.Schema | None = None

    def add_to(self, router: APIRouter) -> None:
        request = self.request or {}
        router.add_api_route(
            self.path,
            self.endpoint,
            methods=[self.method],
            summary=self.summary,
            response_class=Response,
            responses={**schemas.answers(self.answer), **schemas.ERROR_RESPONSES},
            openapi_extra={
                **request,
                "parameters": [*schemas.path_parameters(self.path), *request.get("parameters", [])],
            },
        )


class OpenInferenceEndpoints:
    """Serves every model of the repository by the protocol."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def router(self) -> APIRouter:
        """Make the routes; those of a model stand with and without its version."""
        router = make_router("open inference protocol", "/v2")
        for route in (
            *map(self._infer_route, MODELS),
            *self._server_routes(),
            *chain.from_iterable(map(self._model_routes, MODELS)),
        ):
            route.add_to(router)
        return router

    def _infer_route(self, model: str) -> "_Route":
        summary, answer, request = "Judge a batch of frames or rows", schemas.INFERENCE, schemas.INFERENCE_REQUEST
        return _Route("POST", f"{model}/infer", self.infer, summary, answer, request)

    def _server_routes(self) -> list["_Route"]:
        repository = "/repository/models/{model}"
        return [
            _Route("GET", "", self.server, "Server metadata", schemas.SERVER),
            _Route("GET", "/health/live", self.live, "Whether the server runs", schemas.LIVE),
            _Route("GET", "/health/ready", self.ready, "Whether the service takes work", schemas.READY),
            # Before the models by name, which it would be one of.
            _Route("GET", "/models/stats", self.all_statistics, "Statistics of all models", schemas.STATISTICS),
            _Route("POST", "/repository/index", self.index, "Models' states", schemas.INDEX, schemas.INDEX_REQUEST),
            _Route("POST", f"{repository}/load", self.load, "Load or reload a model", schemas.NOTHING),
            _Route("POST", f"{repository}/unload", self.unload, "Take a model out of service", schemas.NOTHING),
        ]

    def _model_routes(self, model: str) -> list["_Route"]:
        return [
            _Route("GET", model, self.metadata, "Model metadata", schemas.MODEL),
            _Route("GET", f"{model}/ready", self.model_ready, "Whether a model serves", schemas.READY),
            _Route("GET", f"{model}/config", self.configuration, "Model configuration", schemas.CONFIGURATION),
            _Route("GET", f"{model}/stats", self.statistics, "Model statistics", schemas.STATISTICS),
        ]

    async def server(self, _request: Request) -> Response:
        """Name the server and the protocol's extensions that it speaks."""
        return as_json({"name": "andon", "version": version("andon"), "extensions": EXTENSIONS})

    async def live(self, _request: Request) -> Response:
        """Answer as long as the process runs."""
        return as_json({"live": True})

    async def ready(self, _request: Request) -> Response:
        """Answer 503 while no model serves, the database is away or the disk is full; `/api/v1/health` says which."""
        is_ready = not any((await problems_of(self._service)).values())
        return as_json({"ready": is_ready}, 200 if is_ready else 503)

    async def metadata(self, request: Request) -> Response:
        """Describe a model's inputs and outputs."""
        return as_json(metadata(self._model(request)))

    async def model_ready(self, request: Request) -> Response:
        """Say whether a model serves; 400 where it does not."""
        try:
            model = self._model(request)
        except UnknownModelError as error:
            raise _as_request_error(error) from error
        return as_json({"name": model.name, "ready": True})

    async def configuration(self, request: Request) -> Response:
        """Describe a model as Triton's configuration does."""
        return as_json(configuration(self._model(request)))

    async def statistics(self, request: Request) -> Response:
        """Say how often and how long a model worked."""
        return as_json({"model_stats": [_statistics(self._model(request))]})

    async def all_statistics(self, _request: Request) -> Response:
        """Say how often and how long each model worked."""
        return as_json({"model_stats": [_statistics(model) for model in self._service.repository.models()]})

    async def infer(self, request: Request) -> Response:
        """Judge every item of a batch: a frame as `POST /api/v1/inspections` would."""
        model = self._model(request)
        header_length = _header_length(request)
        encoding = request.headers.get("content-encoding", "").strip().lower()
        limit = self._service.options.max_body_bytes
        body = await read_body(request, limit)

        def read() -> Task[Any, Reply]:
            return read_inference(model, decompress(body, encoding, limit), header_length)

        return _as_response(await self._service.engine.run(model, read))

    async def index(self, request: Request) -> Response:
        """List the models; with `{"ready": true}` only those that serve."""
        body = await read_body(request, self._service.options.max_body_bytes)
        only_ready = _decode(body, _IndexRequest).ready
        texts = self._service.texts(language_of(request))
        return as_json(
            [
                {
                    "name": entry.name,
                    "version": entry.model.version if entry.model else "",
                    "state": state(entry),
                    "reason": reason(entry, texts),
                }
                for entry in self._service.repository.entries()
                if entry.model or not only_ready
            ]
        )

    async def load(self, request: Request) -> Response:
        """Load a model from the bundle folder, or load it again, as it is: nothing in the request can change it."""
        _check_load_request(await read_body(request, self._service.options.max_body_bytes))
        await asyncio.to_thread(self._service.repository.load, request.path_params["model"])
        return as_json({})

    async def unload(self, request: Request) -> Response:
        """Take a model out of service until it is loaded by request."""
        await asyncio.to_thread(self._service.repository.unload, request.path_params["model"])
        return as_json({})

    def _model(self, request: Request) -> Model:
        return self._service.repository.model(request.path_params["model"], request.path_params.get("version"))


class _IndexRequest(msgspec.Struct, frozen=True):
    ready: bool = False


class _LoadRequest(msgspec.Struct, frozen=True):
    parameters: dict[str, msgspec.Raw] = {}


def _check_load_request(body: bytes) -> None:
    """Refuse a configuration or files that would take the place of the bundle's."""
    for name in _decode(body, _LoadRequest).parameters:
        if name == "config" or name.startswith("file:"):
            raise RequestError("scoring.unsupported", "parameters", found=name)


def _decode(body: bytes, kind: type[Small]) -> Small:
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RequestError("serving.json", "body", reason=str(error)) from error


def _header_length(request: Request) -> int | None:
    text = request.headers.get(HEADER_LENGTH)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise RequestError("serving.header_length", HEADER_LENGTH, found=text, expected="a number of bytes")
    return int(text)


def _as_response(reply: Reply) -> Response:
    if reply.header_length is None:
        return Response(reply.body, media_type=JSON)
    return Response(reply.body, media_type=BINARY, headers={HEADER_LENGTH: str(reply.header_length)})


def _as_request_error(error: UnknownModelError) -> RequestError:
    params = {name: value for name, value in error.params.items() if name != "subject"}
    return RequestError(error.code, str(error.params["subject"]), **params)


def _statistics(model: Model) -> dict[str, Any]:
    counts = model.statistics.counts
    spans, successes = counts.spans, counts.successes
    return {
        "name": model.name,
        "version": model.version,
        "last_inference": counts.last_unix_ms,
        "inference_count": counts.frames,
        "execution_count": successes,
        "inference_stats": {
            "success": _duration(successes, counts.success_ns),
            "fail": _duration(counts.failures, counts.failure_ns),
            "queue": _duration(successes, spans.queue),
            "compute_input": _duration(successes, spans.decode),
            "compute_infer": _duration(successes, spans.inspect),
            "compute_output": _duration(successes, spans.encode),
            "cache_hit": _duration(0, 0),
            "cache_miss": _duration(0, 0),
        },
        "batch_stats": [],
    }


def _duration(count: int, ns: int) -> dict[str, int]:
    return {"count": count, "ns": ns}
