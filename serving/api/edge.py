"""``/api/v1/edge``: what the boxes at the lines kept while the service was away, taken in once each."""

from functools import partial
from typing import Annotated

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from andon.datasets.store.conditions import Teller
from andon.datasets.store.replica import Replica, Taken
from andon.datasets.store.replication import Batch, Digest
from andon.models.ledger.chain import Head
from andon.serving.api import schemas
from andon.serving.api.answers import as_json
from andon.serving.api.bodies import read_body
from andon.serving.api.callers import caller_of
from andon.serving.api.inspections import VERDICTS
from andon.serving.api.queries import Text, as_asked, read_json
from andon.serving.api.routing import make_router
from andon.serving.api.service import Service
from andon.serving.engine.errors import RequestError, TooLargeError
from andon.serving.security.errors import ForbiddenError
from andon.serving.security.roles import Caller, Role

MOST_BYTES = 16 << 20
"""Of a batch: it is decoded and checked as a whole, and others wait while it is written."""


class _Path(msgspec.Struct, frozen=True):
    origin: Text


class _FilePath(msgspec.Struct, frozen=True):
    digest: Digest


class Digests(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which pictures and waveforms a box is about to send."""

    digests: Annotated[list[Digest], msgspec.Meta(max_length=schemas.MOST_DIGESTS)]


class EdgeEndpoints:
    """Takes in the chains of boxes, with their pictures and waveforms and all that their entries speak of.

    Parameters
    ----------
    teller
        Tells people of the alerts of boxes.
    """

    def __init__(self, service: Service, teller: Teller) -> None:
        self._service = service
        self._replica = Replica(service.archive.store, teller)

    def router(self) -> APIRouter:
        """Make the routes."""
        router = make_router("edge", "/api/v1/edge")
        add = partial(schemas.add_route, router)
        missing, image = schemas.EDGE_MISSING, schemas.EDGE_IMAGE_REQUEST
        add("GET", "/{origin}/head", self.head, "Say where the chain of a box ends here", schemas.EDGE_HEAD)
        add("POST", "/{origin}/entries", self.take, "Take in entries", schemas.EDGE_HEAD, schemas.EDGE_ENTRIES_REQUEST)
        add(
            "POST",
            "/images/missing",
            self.missing,
            "Say which images and waveforms are not here",
            missing,
            schemas.EDGE_DIGESTS,
        )
        add("PUT", "/images/{digest}", self.put_file, "Keep an image or a waveform", schemas.NOTHING, image)
        return router

    async def head(self, request: Request) -> Response:
        """Say with which entry the chain of a box ends here; 0 where nothing of it is here."""
        origin = self._origin(request)
        return _answer(await self._service.archive.call(partial(self._replica.head, origin)))

    async def take(self, request: Request) -> Response:
        """Take in entries that follow what is here. Those that are here already change nothing."""
        origin = self._origin(request)
        self._service.archive.store.room.check()
        body = await read_body(request, min(MOST_BYTES, self._service.options.max_body_bytes))
        taken = await self._service.archive.call(partial(self._take, origin, body))
        for kept in taken.inspections:
            self._service.broadcast.publish(VERDICTS, kept.answer)
        return _answer(taken.head)

    async def missing(self, request: Request) -> Response:
        """Say which images and waveforms are not here, so that a box sends no other."""
        asked = await read_json(request, Digests)
        found = await self._service.archive.call(partial(self._replica.missing, asked.digests))
        return as_json({"missing": found})

    async def put_file(self, request: Request) -> Response:
        """Keep an image or a waveform under the digest of its bytes; the entry that names it follows."""
        digest = as_asked({"digest": request.path_params["digest"]}, _FilePath).digest
        self._service.archive.store.room.check()
        contents = await read_body(request, self._service.options.max_body_bytes)
        await self._service.archive.call(partial(self._replica.put_file, digest, contents))
        return as_json({})

    def _origin(self, request: Request) -> str:
        """Read whose chain it is about, and check that the caller may write it: never that of this service."""
        origin = as_asked({"origin": request.path_params["origin"]}, _Path).origin
        if origin == self._service.archive.store.origin:
            raise ForbiddenError("upload.own_chain", origin)
        if not _may_write(caller_of(request), origin):
            raise ForbiddenError("upload.other_key", origin, found=caller_of(request).name)
        return origin

    def _take(self, origin: str, body: bytes) -> Taken:
        return self._replica.take(origin, _batch(body))


def _may_write(caller: Caller, origin: str) -> bool:
    """Say whether a caller may write a chain: the key that bears its name, or whoever decides about the line."""
    return caller.role >= Role.ENGINEER or caller.name == f"key:{origin}"


def _batch(body: bytes) -> Batch:
    try:
        batch = msgspec.json.decode(body, type=Batch)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        known = ", ".join(Batch.__struct_fields__)
        raise RequestError("serving.parameters", "body", reason=str(error), known=known) from error
    if len(batch.entries) > schemas.MOST_ENTRIES:
        raise TooLargeError("upload.too_many", "entries", found=len(batch.entries), limit=schemas.MOST_ENTRIES)
    return batch


def _answer(head: Head) -> Response:
    return as_json({"origin": head.origin, "seq": head.seq, "hash": head.hash})
