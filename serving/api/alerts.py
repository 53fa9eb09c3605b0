"""``/api/v1/alerts``: alerts, and what people do with them."""

from datetime import UTC, datetime
from functools import partial
from typing import Literal

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from andon.datasets.store.alerts import Action, AlertFilter, Alerts, Word
from andon.models.types.vibration import Severity
from andon.serving.api import schemas
from andon.serving.api.answers import as_json, as_page
from andon.serving.api.callers import customer_of, operator_of
from andon.serving.api.queries import Comment, PageQuery, Text, path_id, read_json, read_query
from andon.serving.api.routing import make_router
from andon.serving.api.service import Service


class AlertQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which alerts are asked for."""

    asset: Text | None = None
    state: Literal["open", "acknowledged", "resolved"] | None = None
    severity: Severity | None = None


class CommentBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person says."""

    comment: Comment = ""


class FeedbackBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person found where an alert pointed."""

    true: bool
    part_found: Text | None = None
    comment: Comment = ""


class AlertEndpoints:
    """Shows alerts, and takes what people decide."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._alerts = Alerts(service.archive.store.database)

    def router(self) -> APIRouter:
        """Make the routes."""
        router = make_router("alerts", "/api/v1")
        add = partial(schemas.add_route, router)
        one, said = schemas.ALERT, schemas.COMMENT_REQUEST
        add("GET", "/alerts", self.page, "List alerts", schemas.page_of(schemas.NOTHING), schemas.ALERTS_REQUEST)
        add("GET", "/alerts/{id}", self.get, "Show an alert and all that happened to it", one)
        for action in Action:
            add(
                "POST", f"/alerts/{{id}}/{action}", partial(self.decide, action), f"{action.capitalize()} it", one, said
            )
        add("POST", "/alerts/{id}/comment", self.comment, "Say something of it", one, said)
        add("POST", "/alerts/{id}/feedback", self.feedback, "Say what was found", one, schemas.FEEDBACK_REQUEST)
        return router

    async def page(self, request: Request) -> Response:
        """List alerts, the latest first."""
        asked = read_query(request, AlertQuery)
        wanted = AlertFilter(asked.asset, asked.state, asked.severity, customer_of(request))
        return as_page(await self._service.archive.call(partial(self._alerts.page, wanted, asked.before, asked.limit)))

    async def get(self, request: Request) -> Response:
        """Show an alert."""
        return await self._shown(request)

    async def decide(self, action: Action, request: Request) -> Response:
        """Take a case on, close it, or open it again."""
        body = await read_json(request, CommentBody)
        word = _word(request, body.comment)
        await self._service.archive.call(partial(self._alerts.decide, path_id(request), action, word))
        return await self._shown(request)

    async def comment(self, request: Request) -> Response:
        """Say something of a case, whatever its state."""
        body = await read_json(request, CommentBody)
        word = _word(request, body.comment)
        await self._service.archive.call(partial(self._alerts.comment, path_id(request), word))
        return await self._shown(request)

    async def feedback(self, request: Request) -> Response:
        """Say whether an alert was true and which part was found: what the next model is judged by."""
        body = await read_json(request, FeedbackBody)
        word = _word(request, body.comment)
        give = partial(self._alerts.give_feedback, path_id(request), body.true, body.part_found or "", word)
        await self._service.archive.call(give)
        return await self._shown(request)

    async def _shown(self, request: Request) -> Response:
        find = partial(self._alerts.get, path_id(request), customer_of(request))
        return as_json(await self._service.archive.call(find))


def _word(request: Request, comment: str) -> Word:
    return Word(operator_of(request) or "", datetime.now(UTC), comment, customer_of(request))
