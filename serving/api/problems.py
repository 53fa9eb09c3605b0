"""Errors as the answers that callers of each interface expect."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from andon.models.types.errors import AndonError, ResourceError
from andon.serving.api.languages import language_of
from andon.serving.api.service import Texts
from andon.serving.engine.errors import ConflictError, MediaTypeError, TooLargeError, UnknownModelError

PROBLEM_JSON = "application/problem+json"
OPEN_INFERENCE = "/v2"
_MAX_DETAIL = 600

_STATUS: Mapping[type[AndonError], HTTPStatus] = {
    UnknownModelError: HTTPStatus.NOT_FOUND,
    TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    MediaTypeError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ConflictError: HTTPStatus.UNPROCESSABLE_ENTITY,
    ResourceError: HTTPStatus.SERVICE_UNAVAILABLE,
}
_HTTP_CODES = {HTTPStatus.NOT_FOUND: "serving.route_unknown", HTTPStatus.METHOD_NOT_ALLOWED: "serving.method"}


class Problems:
    """Answers errors: ``{"error": ...}`` under ``/v2``, a problem document (RFC 9457) elsewhere."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def install(self, app: FastAPI) -> None:
        """Make ``app`` answer its errors so."""
        app.add_exception_handler(AndonError, self._andon)
        app.add_exception_handler(HTTPException, self._http)
        app.add_exception_handler(Exception, self._unforeseen)

    async def _andon(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, AndonError)
        status = _STATUS.get(type(error), HTTPStatus.BAD_REQUEST)
        if status is HTTPStatus.UNSUPPORTED_MEDIA_TYPE and _is_open_inference(request):
            status = HTTPStatus.BAD_REQUEST
        return self._answer(request, status, error.code, self._texts(language_of(request)).error(error))

    async def _http(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = _HTTP_CODES.get(HTTPStatus(error.status_code), "serving.http")
        detail = self._texts(language_of(request)).text(
            code, subject=request.url.path, method=request.method, reason=error.detail
        )
        response = self._answer(request, HTTPStatus(error.status_code), code, detail)
        response.headers.update(error.headers or {})
        return response

    async def _unforeseen(self, request: Request, _error: Exception) -> Response:
        detail = self._texts(language_of(request)).text("serving.internal", subject=request.url.path)
        return self._answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, "serving.internal", detail)

    def _answer(self, request: Request, status: HTTPStatus, code: str, detail: str) -> Response:
        # A caller's own text is quoted in it, and may be as long as the body was.
        shown = detail if len(detail) <= _MAX_DETAIL else f"{detail[:_MAX_DETAIL]}..."
        if _is_open_inference(request):
            return Response(msgspec.json.encode({"error": shown}), status, media_type="application/json")
        problem = {
            "type": f"urn:andon:error:{code}",
            "title": status.phrase,
            "status": status.value,
            "detail": shown,
            "code": code,
        }
        return Response(msgspec.json.encode(problem), status, media_type=PROBLEM_JSON)


def _is_open_inference(request: Request) -> bool:
    path = request.url.path
    return path == OPEN_INFERENCE or path.startswith(f"{OPEN_INFERENCE}/")
