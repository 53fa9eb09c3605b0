"""What the OpenAPI document says of bodies and answers.

They are described and not generated: bodies are read as bytes and answers written as bytes, with no model in between.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

Schema = Mapping[str, Any]


def object_of(properties: Schema, required: Sequence[str] = ()) -> dict[str, Any]:
    """Describe an object; all its members are required where none are named."""
    return {"type": "object", "properties": dict(properties), "required": list(required or properties)}


def array_of(items: Schema, **more: Any) -> dict[str, Any]:
    """Describe a list."""
    return {"type": "array", "items": items, **more}


def nullable(kind: str) -> dict[str, Any]:
    """Describe a value that may be null."""
    return {"type": [kind, "null"]}


def query_parameters(described: Mapping[str, tuple[Schema, str]]) -> list[dict[str, Any]]:
    """Describe parameters of the query, none of which is required."""
    return [
        {"name": name, "in": "query", "required": False, "schema": schema, "description": description}
        for name, (schema, description) in described.items()
    ]


def page_of(items: Schema) -> dict[str, Any]:
    """Describe a page of a list."""
    return object_of(
        {"items": array_of(items), "next": {**nullable("string"), "description": "Cursor of the next page"}}
    )


def json_request(schema: Schema) -> dict[str, Any]:
    """Describe a body in JSON."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


STRING, NUMBER, INTEGER, BOOLEAN = ({"type": kind} for kind in ("string", "number", "integer", "boolean"))
BYTES = {"type": "string", "format": "binary"}
TEXT = {"type": "string", "minLength": 1, "maxLength": 256, "pattern": r"^[^\x00-\x1f\x7f]*$"}
NOTHING = {"type": "object"}

PAGE_PARAMETERS: Mapping[str, tuple[Schema, str]] = {
    "limit": ({"type": "integer", "minimum": 1, "maximum": 500}, "Items a page; 50 by default"),
    "cursor": ({"type": "string", "format": "uuid"}, "Where the page before ended: its `next`"),
}


PROBLEM = object_of({"type": STRING, "title": STRING, "status": INTEGER, "detail": STRING, "code": STRING})
ERROR = object_of({"error": STRING})

PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "What was sent cannot be used", "content": {"application/problem+json": {"schema": PROBLEM}}}
}
ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "What was sent cannot be used", "content": {"application/json": {"schema": ERROR}}},
    503: {"description": "Not ready, or the bundle folder cannot be read"},
}

INSPECTION = object_of(
    {
        "id": {"type": "string", "format": "uuid"},
        "time": {"type": "string", "format": "date-time"},
        "model": STRING,
        "bundle_digest": STRING,
        "path": nullable("string"),
        "serial": {**nullable("string"), "description": "As it was sent, or read from the image"},
        "part": {**nullable("string"), "description": "Its canonical form, under which the part is found"},
        "station": nullable("string"),
        "recipe": nullable("string"),
        "operator": {**nullable("string"), "description": "Who sent it; null where nobody had to say so"},
        "image": {**STRING, "description": "SHA-256 of the image as it was sent"},
        "verdict": {"type": "string", "enum": ["OK", "NG", "RETAKE"]},
        "score": {**NUMBER, "description": "Raw; higher is worse"},
        "threshold": NUMBER,
        "reason": {**nullable("string"), "description": "Why the verdict is RETAKE"},
        "defects": array_of(
            object_of(
                {
                    "bbox": array_of(
                        INTEGER, minItems=4, maxItems=4, description="x1, y1, x2, y2 in pixels, half-open"
                    ),
                    "score": NUMBER,
                    "area_px": INTEGER,
                    "class": STRING,
                }
            )
        ),
        "milliseconds": object_of({"decode": NUMBER, "gates": NUMBER, "score": NUMBER, "total": NUMBER}),
        "ledger_hash": nullable("string"),
    }
)

_FIELDS = {
    "model": "The model's name; may be left out where exactly one is loaded",
    "serial": "The part's serial number",
    "station": "Where the image was taken",
    "recipe": "Name or digest of the recipe that the line ran",
    "read_code": "`true` to read the part's QR or Data Matrix code from the image",
}

INSPECTION_REQUEST = {
    "parameters": [
        *query_parameters({name: (STRING, description) for name, description in _FIELDS.items()}),
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "schema": STRING,
            "description": "A request that is sent again under the same key gets the same answer",
        },
    ],
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": object_of(
                    {"image": BYTES, **{name: {**STRING, "description": text} for name, text in _FIELDS.items()}},
                    ["image"],
                )
            },
            **{name: {"schema": BYTES} for name in ("image/jpeg", "image/png", "application/octet-stream")},
        },
    },
}

_SEVERITIES = ["normal", "watch", "warning", "danger", "unknown"]
_LINE = object_of({"frequency_hz": NUMBER, "order": nullable("number"), "harmonic": INTEGER, "level_db": NUMBER})
_RANKED = object_of({"fault": STRING, "score": NUMBER, "p_value": nullable("number")})
SIGNAL = object_of(
    {
        "id": {"type": "string", "format": "uuid"},
        "time": {"type": "string", "format": "date-time"},
        "path": {**nullable("string"), "description": "Always null here; andon diagnose names the file"},
        "asset": nullable("string"),
        "sensor_name": nullable("string"),
        "indicators": {"type": "object", "additionalProperties": nullable("number")},
        "zone": {"enum": ["A", "B", "C", "D", None]},
        "zone_reason": nullable("string"),
        "fault": STRING,
        "p_value": nullable("number"),
        "ranked": array_of(_RANKED),
        "evidence": array_of(_LINE),
        "sensor": object_of({"ok": BOOLEAN, "reasons": array_of(STRING)}),
        "severity": {"type": "string", "enum": ["normal", "watch", "warning", "danger", "unknown"]},
        "rpm": nullable("number"),
        "limits": {**array_of(STRING), "description": "Message codes of what could not be looked for, and why"},
        "plots": {**array_of(STRING), "description": "Always empty here; andon diagnose names the pictures"},
        "health": {
            **object_of(
                {
                    "model": STRING,
                    "bundle_digest": STRING,
                    "anomalous": BOOLEAN,
                    "score": {**NUMBER, "description": "Of the middle window; higher is worse"},
                    "threshold": {**nullable("number"), "description": "Null while no score would be too high"},
                    "contributions": {"type": "object", "additionalProperties": NUMBER},
                }
            ),
            "type": ["object", "null"],
            "description": "Null where no model judges the sensor's health, or it is being learned",
        },
        "alerts": {**array_of(NOTHING), "description": "What this signal raised, escalated, repeated or cleared"},
        "ledger_hash": nullable("string"),
    }
)
_SIGNAL_FIELDS: Mapping[str, tuple[Schema, str]] = {
    "asset": (
        STRING,
        "The machine; what the register knows of it is used. Without one no health is judged and no alert given",
    ),
    "sensor": (STRING, "The sensor's name"),
    "rate_hz": (NUMBER, "Samples a second; a WAV file says it itself"),
    "rpm": (NUMBER, "Measured speed of the shaft in revolutions a minute"),
    "unit": ({"type": "string", "enum": ["g", "m/s2", "mm/s", "um"]}, "What the samples measure; g by default"),
    "time": (
        {"type": "string", "format": "date-time"},
        "When the first sample was taken, with its zone; now by default",
    ),
    "bearing": (STRING, "Designation of the bearing, such as 6205"),
    "orders": (
        STRING,
        "Fault orders of the bearing where it is not named: outer race, inner race, rolling element, cage",
    ),
    "machine": (STRING, "Class of the machine, such as iso10816-3:2:rigid"),
    "model": (STRING, "The health model; may be left out where exactly one that judges signals is loaded"),
}
SIGNAL_REQUEST = {
    "parameters": query_parameters(_SIGNAL_FIELDS),
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {"schema": {**BYTES, "description": "Little-endian float32"}},
            "audio/wav": {"schema": BYTES},
            "application/json": {
                "schema": object_of(
                    {"samples": array_of(NUMBER), **{name: schema for name, (schema, _) in _SIGNAL_FIELDS.items()}},
                    ["samples"],
                )
            },
        },
    },
}

_BUNDLE = {
    "name": STRING,
    "version": nullable("string"),
    "bundle_digest": nullable("string"),
    "state": {"type": "string", "enum": ["READY", "UNAVAILABLE"]},
    "reason": {**nullable("string"), "description": "Why the bundle on disk does not serve"},
}
BUNDLE = object_of({**_BUNDLE, "manifest": nullable("object")})
BUNDLES = object_of({"items": array_of(object_of(_BUNDLE)), "next": nullable("string")})

SERVER = object_of({"name": STRING, "version": STRING, "extensions": array_of(STRING)})
LIVE = object_of({"live": BOOLEAN})
READY = object_of({"ready": BOOLEAN})
_PORT = object_of({"name": STRING, "datatype": STRING, "shape": array_of(INTEGER)})
MODEL = object_of(
    {
        "name": STRING,
        "versions": array_of(STRING),
        "platform": STRING,
        "inputs": array_of(_PORT),
        "outputs": array_of(_PORT),
    }
)
CONFIGURATION = object_of({"name": STRING, "platform": STRING, "max_batch_size": INTEGER})
STATISTICS = object_of({"model_stats": array_of(object_of({"name": STRING, "version": STRING}))})
INDEX = array_of(object_of({"name": STRING, "version": STRING, "state": STRING, "reason": STRING}))
INDEX_REQUEST = {
    "requestBody": {
        "required": False,
        "content": {"application/json": {"schema": {"type": "object", "properties": {"ready": BOOLEAN}}}},
    }
}

_DATA = {"type": "array", "description": "Flat, or nested as the shape is", "items": {}}
_TENSOR = {"name": STRING, "datatype": STRING, "shape": array_of({"type": "integer", "minimum": 0}), "data": _DATA}
INFERENCE = object_of(
    {
        "model_name": STRING,
        "model_version": STRING,
        "id": STRING,
        "outputs": array_of(object_of({**_TENSOR, "parameters": NOTHING}, ["name", "datatype", "shape"])),
    },
    ["model_name", "model_version", "outputs"],
)
INFERENCE_REQUEST = {
    "parameters": [
        {
            "name": "Inference-Header-Content-Length",
            "in": "header",
            "required": False,
            "schema": {"type": "integer", "minimum": 0},
            "description": "How many bytes of the body are JSON, where tensors follow it as raw bytes",
        }
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": object_of(
                    {
                        "id": STRING,
                        "inputs": array_of(
                            object_of({**_TENSOR, "parameters": NOTHING}, ["name", "datatype", "shape"])
                        ),
                        "outputs": array_of(object_of({"name": STRING, "parameters": NOTHING}, ["name"])),
                        "parameters": NOTHING,
                    },
                    ["inputs"],
                ),
                "example": {
                    "inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 256, 256, 3], "data": ["..."]}],
                    "outputs": [{"name": "score"}, {"name": "verdict"}],
                },
            },
            "application/octet-stream": {"schema": BYTES},
        },
    },
}


DISPOSITION = object_of(
    {
        "id": {"type": "string", "format": "uuid"},
        "inspection": {"type": "string", "format": "uuid"},
        "time": {"type": "string", "format": "date-time"},
        "verdict": {"type": "string", "enum": ["OK", "NG"]},
        "label": STRING,
        "comment": STRING,
        "operator": STRING,
        "ledger_hash": STRING,
    }
)
DISPOSITION_REQUEST = json_request(
    object_of(
        {
            "verdict": {"type": "string", "enum": ["OK", "NG"], "description": "What holds for the part"},
            "label": {**TEXT, "description": "Which defect it is"},
            "comment": {"type": "string", "maxLength": 4000},
        },
        ["verdict"],
    )
)
_SPAN: Mapping[str, tuple[Schema, str]] = {
    "since": ({"type": "string", "format": "date-time"}, "From this moment on"),
    "until": ({"type": "string", "format": "date-time"}, "Before this moment"),
}
INSPECTIONS_REQUEST = {
    "parameters": query_parameters(
        {
            **PAGE_PARAMETERS,
            "serial": (TEXT, "Serial or identifier code of the part, in any of its spellings"),
            "station": (TEXT, "Where the image was taken"),
            "model": (TEXT, "The model that judged"),
            "verdict": ({"type": "string", "enum": ["OK", "NG", "RETAKE"]}, "What it judged"),
            **_SPAN,
        }
    )
}
YIELD_REQUEST = {"parameters": query_parameters(_SPAN)}
YIELD = object_of(
    {
        "since": {"type": "string", "format": "date-time"},
        "until": {"type": "string", "format": "date-time"},
        "items": array_of(object_of({"station": STRING, "model": STRING, "verdict": STRING, "count": INTEGER})),
    }
)


PART = object_of(
    {
        "part": STRING,
        "scheme": STRING,
        "first_seen": {"type": "string", "format": "date-time"},
        "last_seen": {"type": "string", "format": "date-time"},
        "inspections": array_of(INSPECTION),
        "dispositions": array_of(NOTHING),
    }
)
SIGNALS_REQUEST = {
    "parameters": query_parameters(
        {
            **PAGE_PARAMETERS,
            "asset": (TEXT, "The machine"),
            "sensor": (TEXT, "Its sensor"),
            "severity": ({"type": "string", "enum": _SEVERITIES}, "What was found"),
        }
    )
}
ALERTS_REQUEST = {
    "parameters": query_parameters(
        {
            **PAGE_PARAMETERS,
            "asset": (TEXT, "The machine"),
            "state": ({"type": "string", "enum": ["open", "acknowledged", "resolved"]}, "Where the case stands"),
            "severity": ({"type": "string", "enum": _SEVERITIES}, "How urgent it is"),
        }
    )
}
ALERT = object_of(
    {
        "id": {"type": "string", "format": "uuid"},
        "asset": STRING,
        "state": {"type": "string", "enum": ["open", "acknowledged", "resolved"]},
        "severity": {"type": "string", "enum": _SEVERITIES},
        "fault": STRING,
        "events": array_of(NOTHING),
        "feedback": array_of(NOTHING),
    }
)
_COMMENT = {"type": "string", "maxLength": 4000}
COMMENT_REQUEST = json_request(object_of({"comment": _COMMENT}, ["comment"]))
FEEDBACK_REQUEST = json_request(
    object_of(
        {
            "true": {**BOOLEAN, "description": "Whether there was something to be found"},
            "part_found": {**TEXT, "description": "Which part it was"},
            "comment": _COMMENT,
        },
        ["true"],
    )
)

MOST_ENTRIES, MOST_DIGESTS = 1000, 512
"""Of a box, at once."""
_DIGEST = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
EDGE_HEAD = object_of({"origin": STRING, "seq": {"type": "integer", "minimum": 0}, "hash": _DIGEST})
_ENTRY = object_of(
    {
        "seq": {"type": "integer", "minimum": 1},
        "previous": _DIGEST,
        "hash": _DIGEST,
        "body": {**STRING, "description": "Canonical JSON, as it is chained"},
        "document": {
            **nullable("string"),
            "description": "What is shown, where the entry is of an inspection, a signal or an alert",
        },
        "image": {**BOOLEAN, "description": "Whether the file that it names, an image or a waveform, was sent before"},
    },
    ["seq", "previous", "hash", "body"],
)
_EDGE_BUNDLE = object_of({"digest": _DIGEST, "name": STRING, "kind": STRING, "manifest": STRING})
_EDGE_RECIPE = object_of({"created": {"type": "string", "format": "date-time"}, "document": STRING})
EDGE_ENTRIES_REQUEST = json_request(
    object_of(
        {
            "entries": array_of(_ENTRY, minItems=1, maxItems=MOST_ENTRIES),
            "bundles": array_of(_EDGE_BUNDLE),
            "recipes": array_of(_EDGE_RECIPE),
        },
        ["entries"],
    )
)
EDGE_DIGESTS = json_request(object_of({"digests": array_of(_DIGEST, maxItems=MOST_DIGESTS)}))
EDGE_MISSING = object_of({"missing": array_of(_DIGEST)})
EDGE_IMAGE_REQUEST = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": BYTES}}}}


def add_route(
    router: APIRouter,
    method: str,
    path: str,
    endpoint: Callable[[Request], Awaitable[Response]],
    summary: str,
    answer: Schema,
    request: Schema | None = None,
) -> None:
    """Add a route under ``/api`` with its description in the OpenAPI document."""
    said = request or {}
    router.add_api_route(
        path,
        endpoint,
        methods=[method],
        summary=summary,
        response_class=Response,
        responses={**answers(answer), **PROBLEM_RESPONSES},
        openapi_extra={**said, "parameters": [*path_parameters(path), *said.get("parameters", [])]},
    )


def answers(schema: Schema) -> dict[int | str, dict[str, Any]]:
    """Describe a successful answer in JSON."""
    return {200: {"description": "Done", "content": {"application/json": {"schema": schema}}}}


def path_parameters(path: str) -> list[dict[str, Any]]:
    """Describe the parameters in ``path``.

    >>> [each["name"] for each in path_parameters("/models/{model}/versions/{version}")]
    ['model', 'version']
    """
    return [
        {"name": name, "in": "path", "required": True, "schema": STRING}
        for name in re.findall(r"{(\w+)(?::path)?}", path)
    ]
