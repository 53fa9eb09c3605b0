"""Read what a request says in its query or in a JSON body: strictly, so that a misspelt name is not passed over."""

from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec
from starlette.requests import Request

from andon.serving.api.bodies import read_body
from andon.serving.engine.errors import RequestError

Asked = TypeVar("Asked", bound=msgspec.Struct)

MAX_TEXT = 256
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
"""A name or a code: on one line."""
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
"""A serial or identifier code as it was typed or scanned, separators included; ``parse_code`` says what it may hold."""
Comment = Annotated[str, msgspec.Meta(max_length=4000, pattern=r"^[^\x00]*\Z")]
Time = Annotated[datetime, msgspec.Meta(tz=True)]

_BODY_BYTES = 64 << 10


class PageQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of a list is asked for."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 50
    cursor: UUID | None = None

    @property
    def before(self) -> str | None:
        """Where the page before ended."""
        return None if self.cursor is None else str(self.cursor)


class SpanQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which stretch of time is asked for."""

    since: Time | None = None
    until: Time | None = None


class _Name(msgspec.Struct, frozen=True):
    name: Text


def read_query(request: Request, kind: type[Asked]) -> Asked:
    """Read the query of ``request``; a parameter without a value is as one that is not there.

    Raises
    ------
    RequestError
        A parameter is unknown or given twice, or its value is none of its kind.
    """
    pairs = request.query_params.multi_items()
    given = {name: value for name, value in pairs if value}
    if len({name for name, _ in pairs}) < len(pairs):
        raise RequestError("serving.parameters", "query", reason="a parameter is given twice", known=_known(kind))
    return as_asked(given, kind)


def as_asked(given: dict[str, Any], kind: type[Asked]) -> Asked:
    """Read texts by name as values of ``kind``; raises as ``read_query`` does."""
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise RequestError("serving.parameters", "query", reason=str(error), known=_known(kind)) from error


async def read_json(request: Request, kind: type[Asked]) -> Asked:
    """Read a small JSON body; an empty one is as an empty object.

    Raises
    ------
    RequestError
        It is no JSON, or not of ``kind``.
    TooLargeError
        It is larger than any such body need be.
    """
    body = await read_body(request, _BODY_BYTES)
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError("serving.parameters", "body", reason=str(error), known=_known(kind)) from error


def path_id(request: Request, name: str = "id") -> str:
    """Read the identifier in the path.

    Raises
    ------
    RequestError
        It is none.
    """
    text = request.path_params[name]
    try:
        return str(UUID(text))
    except ValueError as error:
        raise RequestError("serving.identifier", text) from error


def path_name(request: Request) -> str:
    """Read the name in the path.

    Raises
    ------
    RequestError
        It is none that a thing can have.
    """
    return as_asked({"name": request.path_params["name"]}, _Name).name


def in_utc(time: datetime, name: str) -> datetime:
    """Bring a moment to UTC.

    Raises
    ------
    RequestError
        It lies in the first or last hours that there are, in another zone.
    """
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise RequestError("serving.query", name, reason=str(error)) from error


def _known(kind: type[msgspec.Struct]) -> str:
    return ", ".join(kind.__struct_fields__) or "-"
