"""``/api/v1/ledger``: where the chains end, and their entries, for whoever keeps a copy elsewhere."""

from functools import partial
from itertools import islice
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from andon.datasets.store.database import Database
from andon.datasets.store.ledger import entries, head_of, origins
from andon.models.ledger.chain import Entry
from andon.serving.api import schemas
from andon.serving.api.answers import as_json
from andon.serving.api.callers import check_grade
from andon.serving.api.queries import Text, read_query
from andon.serving.api.routing import make_router
from andon.serving.api.service import Service
from andon.serving.security.grades import Destination

JSON_LINES = "application/jsonl"


class EntriesQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entries are asked for: those of a chain after a number."""

    origin: Text
    after: Annotated[int, msgspec.Meta(ge=0, le=2**62)] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1000


_CHAINS = schemas.object_of(
    {
        "items": schemas.array_of(
            schemas.object_of({"origin": schemas.STRING, "count": schemas.INTEGER, "hash": schemas.STRING})
        )
    }
)
_REQUEST = {
    "parameters": [
        {"name": "origin", "in": "query", "required": True, "schema": schemas.TEXT, "description": "Whose chain"},
        *schemas.query_parameters(
            {
                "after": (
                    {"type": "integer", "minimum": 0},
                    "The number of the last entry that is known; 0 by default",
                ),
                "limit": ({"type": "integer", "minimum": 1, "maximum": 10_000}, "Entries at most; 1000 by default"),
            }
        ),
    ]
}


class LedgerEndpoints:
    """Shows the chains."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def router(self) -> APIRouter:
        """Make the routes."""
        router = make_router("ledger", "/api/v1")
        add = partial(schemas.add_route, router)
        add("GET", "/ledger/chains", self.chains, "Where the chains end", _CHAINS)
        add("GET", "/ledger/entries", self.entries, "Entries of a chain, as JSON lines", schemas.NOTHING, _REQUEST)
        return router

    async def chains(self, _request: Request) -> Response:
        """Say where each chain ends."""
        return as_json(
            {"items": await self._service.archive.call(partial(_chains, self._service.archive.store.database))}
        )

    async def entries(self, request: Request) -> Response:
        """Give entries of a chain in order: with all of them, `andon ledger verify` or the script of decision 16 checks it elsewhere."""
        check_grade(request, self._service.options.grade, Destination.INSIDE)
        asked = read_query(request, EntriesQuery)
        read = partial(_entries, self._service.archive.store.database, asked)
        return Response(await self._service.archive.call(read), media_type=JSON_LINES)


def _chains(database: Database) -> list[dict[str, Any]]:
    heads = [head_of(database, origin) for origin in origins(database)]
    return [{"origin": head.origin, "count": head.seq, "hash": head.hash} for head in heads]


def _entries(database: Database, asked: EntriesQuery) -> bytes:
    found = islice(entries(database, asked.origin, asked.after + 1), asked.limit)
    return b"".join(msgspec.json.encode(_line(entry)) + b"\n" for entry in found)


def _line(entry: Entry) -> dict[str, Any]:
    named = {name: getattr(entry, name) for name in ("origin", "seq", "previous", "hash")}
    return {"type": "entry", **named, "body": entry.body.decode()}
