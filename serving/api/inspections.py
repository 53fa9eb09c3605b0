"""``/api/v1/inspections``: an image in, the verdict on it out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from andon.models.types.identifiers import new_id
from andon.models.vision.decoding import decode_image
from andon.models.vision.documents import inspection_document
from andon.serving.api.answers import JSON
from andon.serving.api.bodies import parse_form, read_body
from andon.serving.api.schemas import INSPECTION, INSPECTION_REQUEST, PROBLEM_RESPONSES, answers
from andon.serving.api.service import Service
from andon.serving.engine.engine import Task
from andon.serving.engine.errors import MediaTypeError, RequestError
from andon.serving.engine.inspector_contract import Inspections, inspect_all, inspection_verdicts
from andon.serving.engine.models import ServedInspector
from andon.serving.engine.replies import ReplyCache

FORM = "multipart/form-data"
BINARY = "application/octet-stream"
# What `curl --data-binary @image.jpg` says of its body where nobody says otherwise.
CURL_DEFAULT = "application/x-www-form-urlencoded"
MAX_FIELD = 256
_FIELDS = ("model", "serial", "station")


@dataclass(frozen=True, slots=True)
class Submission:
    """An image with what is said of it. ``path`` is its file's name, where one was sent."""

    image: bytes
    path: str | None
    model: str | None
    serial: str | None
    station: str | None

    def digest(self) -> bytes:
        """SHA-256 of all that decides the answer, however it was sent."""
        fields = msgspec.json.encode((self.model, self.serial, self.station))
        return sha256(fields + self.image).digest()


class InspectionEndpoints:
    """Inspects what is posted, with the model that it names or the only one there is."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._replies = ReplyCache[bytes](service.options.remembered_replies)

    def router(self) -> APIRouter:
        """Make the routes."""
        router = APIRouter(prefix="/api/v1", tags=["inspections"])
        router.add_api_route(
            "/inspections",
            self.inspect,
            methods=["POST"],
            summary="Inspect an image",
            response_class=Response,
            responses={**answers(INSPECTION), **PROBLEM_RESPONSES},
            openapi_extra=INSPECTION_REQUEST,
        )
        return router

    async def inspect(self, request: Request) -> Response:
        """Judge an image: a multipart form with the field `image`, or the image file itself as the body."""
        submission = await read_submission(request, self._service.options.max_body_bytes)
        key = request.headers.get("idempotency-key")
        if key is None:
            document = await self._inspect(submission)
        else:
            _check_length("Idempotency-Key", key)
            document = await self._replies.reply(key, submission.digest(), partial(self._inspect, submission))
        return Response(document, media_type=JSON)

    async def _inspect(self, submission: Submission) -> bytes:
        model = self._service.repository.model_of(ServedInspector, submission.model)
        return await self._service.engine.run(model, partial(_read, model, submission))


async def read_submission(request: Request, limit: int) -> Submission:
    """Read a form or a raw image from ``request``.

    Raises
    ------
    MediaTypeError
        It is neither.
    RequestError
        The form is damaged, or a field is too long.
    """
    content_type = request.headers.get("content-type", BINARY)
    media_type = content_type.split(";")[0].strip().lower()
    query: Mapping[str, str] = request.query_params
    if media_type == FORM:
        return _from_form(await read_body(request, limit), content_type, query)
    if media_type not in (BINARY, CURL_DEFAULT) and not media_type.startswith("image/"):
        raise MediaTypeError(
            "serving.media_type", "Content-Type", found=media_type, expected=f"image/*, {BINARY}, {FORM}"
        )
    return _submission(await read_body(request, limit), None, query)


def _from_form(body: bytes, content_type: str, query: Mapping[str, str]) -> Submission:
    parts = parse_form(body, content_type)
    if "image" not in parts:
        raise MediaTypeError("serving.no_image", "image", found=", ".join(parts) or "-")
    fields = {name: _text(name, part.content) for name, part in parts.items() if name in _FIELDS}
    image = parts["image"]
    return _submission(bytes(image.content), image.filename, {**query, **fields})


def _text(name: str, content: bytearray) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise RequestError("serving.form", name, reason=str(error)) from error


def _submission(image: bytes, path: str | None, fields: Mapping[str, str]) -> Submission:
    model, serial, station = (fields.get(name) or None for name in _FIELDS)
    for name, value in zip(_FIELDS, (model, serial, station), strict=True):
        _check_length(name, value or "")
    return Submission(image, path, model, serial, station)


def _check_length(name: str, value: str) -> None:
    if len(value) > MAX_FIELD:
        raise RequestError("serving.field_length", name, found=len(value), limit=MAX_FIELD)


def _read(model: ServedInspector, submission: Submission) -> Task[Inspections, bytes]:
    frame = decode_image(submission.image, submission.path or "image")
    return Task(
        count=1,
        judge=partial(inspect_all, model.inspector, [frame]),
        encode=partial(_encode, model, submission),
        verdicts=inspection_verdicts,
    )


def _encode(model: ServedInspector, submission: Submission, judged: Inspections, decode_ms: float) -> bytes:
    return msgspec.json.encode(
        {
            "id": new_id(),
            "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "path": submission.path,
            "model": model.name,
            "bundle_digest": model.digest,
            "serial": submission.serial,
            "station": submission.station,
            **inspection_document(judged[0], decode_ms),
            "ledger_hash": None,
        }
    )
