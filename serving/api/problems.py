"""Errors as the answers that callers of each interface expect."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from andon.models.types.errors import AndonError, ConflictError, NotFoundError, ResourceError, StorageFullError
from andon.serving.api.languages import language_of
from andon.serving.api.service import Texts
from andon.serving.engine.errors import DeadlineError, MediaTypeError, TooLargeError, UnknownModelError
from andon.serving.security.errors import STATUSES, headers_of

PROBLEM_JSON = "application/problem+json"
OPEN_INFERENCE = "/v2"
SCORING = "/invocations"
RETRY_AFTER_S = 1
"""What is away for a moment, or has too much to do, is worth another try soon."""
_MAX_DETAIL = 600

_STATUS: Mapping[type[AndonError], HTTPStatus] = {
    UnknownModelError: HTTPStatus.NOT_FOUND,
    TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    MediaTypeError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ConflictError: HTTPStatus.UNPROCESSABLE_ENTITY,
    NotFoundError: HTTPStatus.NOT_FOUND,
    DeadlineError: HTTPStatus.GATEWAY_TIMEOUT,
    ResourceError: HTTPStatus.SERVICE_UNAVAILABLE,
    StorageFullError: HTTPStatus.INSUFFICIENT_STORAGE,
    **STATUSES,
}
_HTTP_CODES = {HTTPStatus.NOT_FOUND: "serving.route_unknown", HTTPStatus.METHOD_NOT_ALLOWED: "serving.method"}
_SCORING_CODES = {
    HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED",
    HTTPStatus.FORBIDDEN: "PERMISSION_DENIED",
    HTTPStatus.NOT_FOUND: "RESOURCE_DOES_NOT_EXIST",
    HTTPStatus.TOO_MANY_REQUESTS: "REQUEST_LIMIT_EXCEEDED",
    HTTPStatus.INTERNAL_SERVER_ERROR: "INTERNAL_ERROR",
    HTTPStatus.SERVICE_UNAVAILABLE: "TEMPORARILY_UNAVAILABLE",
    HTTPStatus.GATEWAY_TIMEOUT: "DEADLINE_EXCEEDED",
    HTTPStatus.INSUFFICIENT_STORAGE: "RESOURCE_EXHAUSTED",
}
"""MLflow's own codes; all else is a bad request."""


class Problems:
    """Answers errors: ``{"error": ...}`` under ``/v2``, MLflow's form of ``/invocations``, else a problem (RFC 9457)."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def install(self, app: FastAPI) -> None:
        """Make ``app`` answer its errors so."""
        app.add_exception_handler(AndonError, self.andon)
        app.add_exception_handler(HTTPException, self._http)
        app.add_exception_handler(Exception, self._unforeseen)

    async def andon(self, request: Request, error: Exception) -> Response:
        """Answer an error of Andon's own."""
        assert isinstance(error, AndonError)
        status = _status_of(error)
        if status is HTTPStatus.UNSUPPORTED_MEDIA_TYPE and _is_open_inference(request):
            status = HTTPStatus.BAD_REQUEST
        response = self._answer(request, status, error.code, self._texts(language_of(request)).error(error))
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            response.headers["Retry-After"] = str(RETRY_AFTER_S)
        response.headers.update(headers_of(error))
        return response

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
        if request.url.path == SCORING:
            scoring = {"error_code": _SCORING_CODES.get(status, "BAD_REQUEST"), "message": shown}
            return Response(msgspec.json.encode(scoring), status, media_type="application/json")
        problem = {
            "type": f"urn:andon:error:{code}",
            "title": status.phrase,
            "status": status.value,
            "detail": shown,
            "code": code,
        }
        return Response(msgspec.json.encode(problem), status, media_type=PROBLEM_JSON)


def _status_of(error: AndonError) -> HTTPStatus:
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), HTTPStatus.BAD_REQUEST)


def _is_open_inference(request: Request) -> bool:
    path = request.url.path
    return path == OPEN_INFERENCE or path.startswith(f"{OPEN_INFERENCE}/")
