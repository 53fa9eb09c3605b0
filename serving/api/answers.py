"""Answers as JSON."""

from collections.abc import Callable
from typing import Any

import msgspec
from starlette.responses import Response

from andon.datasets.store.paging import Item, Page

JSON = "application/json"


def as_json(document: Any, status: int = 200) -> Response:
    """Answer with ``document``."""
    return Response(msgspec.json.encode(document), status, media_type=JSON)


def as_page(page: Page[Item], encode: Callable[[Item], bytes] = msgspec.json.encode) -> Response:
    """Answer with a page of a list: its items, and where the next one begins."""
    items = [msgspec.Raw(encode(item)) for item in page.items]
    return as_json({"items": items, "next": page.next})
