"""``/api/v1/events``: verdicts and alerts as they come, as server-sent events (WHATWG HTML, 9.2)."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import lru_cache

import msgspec
from fastapi import APIRouter
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Send

from andon.serving.api.routing import make_router
from andon.serving.api.schemas import PROBLEM_RESPONSES
from andon.serving.engine.broadcast import BATCH_EVENTS, Batch, Broadcast, Event, Reader
from andon.serving.engine.errors import RequestError

logger = logging.getLogger(__name__)

LOST = "lost"
"""The event that names the topics of which events are missing, because they came too long ago."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@dataclass(frozen=True, slots=True)
class EventTimes:
    """When a stream does what.

    Parameters
    ----------
    heartbeat_s
        The longest silence: a comment breaks it, so that proxies and readers see that the service lives.
    stall_s
        How long a reader may take nothing before it is let go.
    retry_ms
        How long a reader should wait before it comes back.
    """

    heartbeat_s: float = 5.0
    stall_s: float = 10.0
    retry_ms: int = 1000


TIMES = EventTimes()

_PARAMETERS = [
    {
        "name": "topics",
        "in": "query",
        "required": False,
        "schema": {"type": "string"},
        "description": "`verdicts`, `alerts` or both with a comma between; both by default",
    },
    {
        "name": "Last-Event-ID",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": "The last event that was seen: what came after it is sent first",
    },
]
_DESCRIBED = {"description": "Events until either side leaves", "content": {"text/event-stream": {"schema": {}}}}


class EventEndpoints:
    """Sends what is broadcast."""

    def __init__(self, broadcast: Broadcast, times: EventTimes = TIMES) -> None:
        self._broadcast = broadcast
        self._times = times
        # One event goes to many readers at about the same time.
        self._formatted = lru_cache(BATCH_EVENTS)(_formatted)

    def router(self) -> APIRouter:
        """Make the routes."""
        router = make_router("events", "/api/v1")
        router.add_api_route(
            "/events",
            self.events,
            summary="Follow verdicts and alerts",
            response_class=Response,
            responses={200: _DESCRIBED, **PROBLEM_RESPONSES},
            openapi_extra={"parameters": _PARAMETERS},
        )
        return router

    async def events(self, request: Request) -> Response:
        """Send verdicts and alerts as server-sent events, each with its document as JSON, until the reader leaves.

        `lost` names topics of which events are missing: the reader was away, or too slow, for too long.
        """
        topics = read_topics(request.query_params.get("topics"), self._broadcast.topics)
        stream = self._stream(topics, request.headers.get("last-event-id") or None)
        return _EventStream(stream, self._times.stall_s)

    async def _stream(self, topics: Sequence[str], last_id: str | None) -> AsyncGenerator[bytes, None]:
        with self._broadcast.reader(topics, last_id) as reader:
            yield _opening(reader, self._times.retry_ms)
            while not reader.closed:
                yield self._encoded(await reader.read(self._times.heartbeat_s)) or KEEPALIVE_COMMENT

    def _encoded(self, batch: Batch) -> bytes:
        lost = msgspec.json.encode({"topics": batch.lost}).decode() if batch.lost else None
        head = format_sse_event(event=LOST, data_str=lost) if lost else b""
        return head + b"".join(self._formatted(event) for event in batch.events)


class _EventStream(EventSourceResponse):
    """Ends where its reader leaves, or takes nothing for too long."""

    def __init__(self, chunks: AsyncGenerator[bytes, None], stall_s: float) -> None:
        super().__init__(chunks, headers=HEADERS)
        self._chunks = chunks
        self._stall_s = stall_s

    async def stream_response(self, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(self._stall_s):
                await send(message)

        async with aclosing(self._chunks):
            try:
                await super().stream_response(send_in_time)
            except TimeoutError:
                logger.warning("reader of events let go: it took nothing", extra={"fields": {"seconds": self._stall_s}})


def read_topics(said: str | None, known: Sequence[str]) -> Sequence[str]:
    """Read which topics are asked for; all where nothing is said.

    Raises
    ------
    RequestError
        One of them is not known.
    """
    topics = [topic.strip() for topic in said.split(",")] if said else known
    if unknown := [topic for topic in topics if topic not in known]:
        raise RequestError("events.topic", "topics", found=unknown[0] or "-", known=", ".join(known))
    return topics


def _opening(reader: Reader, retry_ms: int) -> bytes:
    """Say from where on a reader that comes back misses nothing; an event without data is not shown to anyone."""
    return format_sse_event(id=reader.first_id, retry=retry_ms)


def _formatted(event: Event) -> bytes:
    return format_sse_event(id=event.id, event=event.topic, data_str=event.data.decode())
