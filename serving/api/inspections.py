"""``/api/v1/inspections``: an image in, the verdict on it out, kept; and what was kept."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from andon.datasets.store.inspections import InspectionFilter, KeptInspections
from andon.datasets.store.parts import Parts
from andon.datasets.store.recorder import BundleRecord, InspectionRecord
from andon.models.codes.parsing import PartCode, parse_code
from andon.models.codes.reading import part_code_in
from andon.models.types.identifiers import new_id
from andon.models.types.moments import as_text
from andon.models.types.vision import Frame, Inspection
from andon.models.vision.decoding import decode_image, image_media_type
from andon.models.vision.documents import inspection_document
from andon.serving.api import schemas
from andon.serving.api.answers import JSON, as_json, as_page
from andon.serving.api.bodies import Sent, checked_key, parse_form, read_body
from andon.serving.api.callers import check_grade, operator_of
from andon.serving.api.queries import (
    Code,
    Comment,
    PageQuery,
    SpanQuery,
    Text,
    Time,
    as_asked,
    in_utc,
    path_id,
    read_json,
    read_query,
)
from andon.serving.api.routing import make_router
from andon.serving.api.service import Service
from andon.serving.engine.archive import request_digest
from andon.serving.engine.engine import Task
from andon.serving.engine.errors import MediaTypeError, RequestError
from andon.serving.engine.inspector_contract import Inspections, inspect_all, inspection_verdicts
from andon.serving.engine.models import ServedInspector
from andon.serving.engine.replies import ReplyCache
from andon.serving.security.grades import Destination

FORM = "multipart/form-data"
BINARY = "application/octet-stream"
# What `curl --data-binary @image.jpg` says of its body where nobody says otherwise.
CURL_DEFAULT = "application/x-www-form-urlencoded"
VERDICTS = "verdicts"
"""The topic under which verdicts are told as they come."""


class Said(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of an image, in the query or in a form's fields; None where it is not."""

    model: Text | None = None
    serial: Code | None = None
    station: Text | None = None
    recipe: Text | None = None
    read_code: bool = False


class InspectionQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which inspections are asked for."""

    serial: Code | None = None
    station: Text | None = None
    model: Text | None = None
    verdict: Literal["OK", "NG", "RETAKE"] | None = None
    since: Time | None = None
    until: Time | None = None

    def filter(self) -> InspectionFilter:
        """The same in the words of the store."""
        return InspectionFilter(
            part=parse_code(self.serial).canonical if self.serial else None,
            station=self.station,
            model=self.model,
            verdict=self.verdict,
            since=in_utc(self.since, "since") if self.since else None,
            until=in_utc(self.until, "until") if self.until else None,
        )


class DispositionBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person decided."""

    verdict: Literal["OK", "NG"]
    label: Text | None = None
    comment: Comment = ""


@dataclass(frozen=True, slots=True)
class Submission:
    """An image with what is said of it, and by whom. ``path`` is its file's name, where one was sent."""

    image: bytes
    path: str | None
    said: Said
    operator: str | None

    def digest(self) -> bytes:
        """SHA-256 of all that decides the answer, however it was sent."""
        return request_digest(msgspec.json.encode(self.said), self.image)


@dataclass(frozen=True, slots=True)
class _Judged:
    """A frame that was inspected, and the part that it shows."""

    code: PartCode | None
    inspection: Inspection
    decode_ms: float


class InspectionEndpoints:
    """Inspects what is posted, with the model that it names or the only one there is, and keeps it."""

    def __init__(self, service: Service) -> None:
        store = service.archive.store
        self._service = service
        self._kept = KeptInspections(store.database)
        self._parts = Parts(store.database, store.origin)
        self._replies = ReplyCache[bytes](service.options.remembered_replies)

    def router(self) -> APIRouter:
        """Make the routes."""
        router = make_router("inspections", "/api/v1")
        add = partial(schemas.add_route, router)
        one = schemas.INSPECTION
        add("POST", "/inspections", self.inspect, "Inspect an image", one, schemas.INSPECTION_REQUEST)
        add("GET", "/inspections", self.page, "List inspections", schemas.page_of(one), schemas.INSPECTIONS_REQUEST)
        add("GET", "/inspections/{id}", self.get, "Show an inspection", one)
        add("GET", "/inspections/{id}/image", self.image, "Get the image as it was sent", schemas.BYTES)
        dispose = "/inspections/{id}/disposition"
        add("POST", dispose, self.dispose, "Say what holds", schemas.DISPOSITION, schemas.DISPOSITION_REQUEST)
        add("GET", "/yield", self.counted, "Count verdicts by station and model", schemas.YIELD, schemas.YIELD_REQUEST)
        return router

    async def inspect(self, request: Request) -> Response:
        """Judge an image: a multipart form with the field `image`, or the image file itself as the body."""
        self._service.archive.store.room.check()
        submission = await read_submission(request, self._service.options.max_body_bytes)
        key = checked_key(request.headers.get("idempotency-key"))
        if key is None:
            return Response(await self._inspect(submission, None), media_type=JSON)
        sent = Sent(key, submission.digest())
        make = partial(self._inspect_once, submission, sent)
        return Response(await self._replies.reply(key, sent.digest, make), media_type=JSON)

    async def page(self, request: Request) -> Response:
        """List what was inspected, the latest first."""
        asked = read_query(request, InspectionQuery)
        find = partial(self._kept.page, asked.filter(), asked.before, asked.limit)
        return as_page(await self._service.archive.call(find), lambda kept: kept.answer)

    async def get(self, request: Request) -> Response:
        """Show an inspection as it was answered."""
        kept = await self._service.archive.call(partial(self._kept.get, path_id(request)))
        return Response(kept.answer, media_type=JSON)

    async def image(self, request: Request) -> Response:
        """Give the image of an inspection back, byte for byte."""
        check_grade(request, self._service.options.grade, Destination.HERE)
        image = await self._service.archive.call(partial(self._image, path_id(request)))
        return Response(image, media_type=image_media_type(image), headers={"Cache-Control": "private, immutable"})

    async def dispose(self, request: Request) -> Response:
        """Keep what a person decided on an inspection: the verdict that holds, and which defect it is."""
        body = await read_json(request, DispositionBody)
        operator = operator_of(request) or ""
        dispose = partial(self._parts.dispose, path_id(request), body.verdict, body.label or "", body.comment, operator)
        decision, ledger_hash = await self._service.archive.call(partial(dispose, datetime.now(UTC)))
        return as_json({**asdict(decision), "ledger_hash": ledger_hash}, 201)

    async def counted(self, request: Request) -> Response:
        """Count verdicts by station and model, over whole hours."""
        asked = read_query(request, SpanQuery)
        until = in_utc(asked.until, "until") if asked.until else datetime.now(UTC)
        since = in_utc(asked.since, "since") if asked.since else until - timedelta(days=1)
        items = await self._service.archive.call(partial(self._kept.tallied, since, until))
        return as_json({"since": as_text(since), "until": as_text(until), "items": items})

    def _image(self, inspection: str) -> bytes:
        return self._service.archive.store.blobs.get(self._kept.image_of(inspection))

    async def _inspect_once(self, submission: Submission, sent: Sent) -> bytes:
        """Inspect, unless that was done before this process began to remember replies."""
        kept = await self._service.archive.call(partial(self._kept.sent_under, sent.key, sent.digest))
        return await self._inspect(submission, sent) if kept is None else kept.answer

    async def _inspect(self, submission: Submission, sent: Sent | None) -> bytes:
        model = self._service.repository.model_of(ServedInspector, submission.said.model)
        judged = await self._service.engine.run(model, partial(_read, model, submission))
        record = partial(_record, model, submission, sent, judged)
        with self._service.stage("store"):
            kept = await self._service.archive.inspection(submission.image, record)
        self._service.broadcast.publish(VERDICTS, kept.answer)
        return kept.answer


async def read_submission(request: Request, limit: int) -> Submission:
    """Read a form or a raw image from ``request``.

    Raises
    ------
    MediaTypeError
        It is neither.
    RequestError
        The form is damaged, or a field is unknown or too long.
    """
    content_type = request.headers.get("content-type", BINARY)
    media_type = content_type.split(";")[0].strip().lower()
    query: Mapping[str, str] = request.query_params
    if media_type == FORM:
        return _from_form(await read_body(request, limit), content_type, query, operator_of(request))
    if media_type not in (BINARY, CURL_DEFAULT) and not media_type.startswith("image/"):
        raise MediaTypeError(
            "serving.media_type", "Content-Type", found=media_type, expected=f"image/*, {BINARY}, {FORM}"
        )
    return Submission(await read_body(request, limit), None, _said(query), operator_of(request))


def _from_form(body: bytes, content_type: str, query: Mapping[str, str], operator: str | None) -> Submission:
    parts = parse_form(body, content_type)
    if "image" not in parts:
        raise MediaTypeError("serving.no_image", "image", found=", ".join(parts) or "-")
    image = parts["image"]
    fields = {name: _text(name, part.content) for name, part in parts.items() if name != "image"}
    return Submission(bytes(image.content), image.filename, _said({**query, **fields}), operator)


def _said(fields: Mapping[str, str]) -> Said:
    return as_asked({name: value for name, value in fields.items() if value}, Said)


def _text(name: str, content: bytearray) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise RequestError("serving.form", name, reason=str(error)) from error


def _read(model: ServedInspector, submission: Submission) -> Task[Inspections, _Judged]:
    frame = decode_image(submission.image, submission.path or "image")
    code = _code(submission.said, frame)
    return Task(
        count=1,
        judge=partial(inspect_all, model.inspector, [frame]),
        encode=lambda judged, decode_ms: _Judged(code, judged[0], decode_ms),
        verdicts=inspection_verdicts,
    )


def _code(said: Said, frame: Frame) -> PartCode | None:
    if said.serial:
        return parse_code(said.serial)
    return part_code_in(frame) if said.read_code else None


def _record(
    model: ServedInspector, submission: Submission, sent: Sent | None, judged: _Judged, image: str
) -> InspectionRecord:
    identifier, time = new_id(), datetime.now(UTC)
    said, inspection = submission.said, judged.inspection
    document = {
        "id": identifier,
        "time": as_text(time),
        "path": submission.path,
        "model": model.name,
        "bundle_digest": model.digest,
        "serial": said.serial or (judged.code.text if judged.code else None),
        "part": judged.code.canonical if judged.code else None,
        "station": said.station,
        "recipe": said.recipe,
        "operator": submission.operator,
        "image": image,
        **inspection_document(inspection, judged.decode_ms),
    }
    return InspectionRecord(
        id=identifier,
        time=time,
        code=judged.code,
        station=said.station,
        bundle=BundleRecord(model.digest, model.name, model.manifest.label, msgspec.json.encode(model.manifest)),
        recipe=said.recipe,
        verdict=inspection.verdict.value,
        score=inspection.score,
        threshold=inspection.threshold,
        operator=submission.operator,
        image=image,
        request_key=sent.key if sent else None,
        request_digest=sent.digest if sent else None,
        document=msgspec.json.encode(document),
    )
