"""Answers as JSON."""

from typing import Any

import msgspec
from starlette.responses import Response

JSON = "application/json"


def as_json(document: Any, status: int = 200) -> Response:
    """Answer with ``document``."""
    return Response(msgspec.json.encode(document), status, media_type=JSON)
