"""What the OpenAPI document says of bodies and answers.

They are described and not generated: bodies are read as bytes and answers written as bytes, with no model in between.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]


def _object(properties: Schema, required: Sequence[str] = ()) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": list(required or properties)}


def _array(items: Schema, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


def _nullable(kind: str) -> dict[str, Any]:
    return {"type": [kind, "null"]}


STRING, NUMBER, INTEGER, BOOLEAN = ({"type": kind} for kind in ("string", "number", "integer", "boolean"))
BYTES = {"type": "string", "format": "binary"}
NOTHING = {"type": "object"}

PROBLEM = _object({"type": STRING, "title": STRING, "status": INTEGER, "detail": STRING, "code": STRING})
ERROR = _object({"error": STRING})

PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "What was sent cannot be used", "content": {"application/problem+json": {"schema": PROBLEM}}}
}
ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "What was sent cannot be used", "content": {"application/json": {"schema": ERROR}}},
    503: {"description": "Not ready, or the bundle folder cannot be read"},
}

INSPECTION = _object(
    {
        "id": {"type": "string", "format": "uuid"},
        "time": {"type": "string", "format": "date-time"},
        "model": STRING,
        "bundle_digest": STRING,
        "path": _nullable("string"),
        "serial": _nullable("string"),
        "station": _nullable("string"),
        "verdict": {"type": "string", "enum": ["OK", "NG", "RETAKE"]},
        "score": {**NUMBER, "description": "Raw; higher is worse"},
        "threshold": NUMBER,
        "reason": {**_nullable("string"), "description": "Why the verdict is RETAKE"},
        "defects": _array(
            _object(
                {
                    "bbox": _array(INTEGER, minItems=4, maxItems=4, description="x1, y1, x2, y2 in pixels, half-open"),
                    "score": NUMBER,
                    "area_px": INTEGER,
                    "class": STRING,
                }
            )
        ),
        "milliseconds": _object({"decode": NUMBER, "gates": NUMBER, "score": NUMBER, "total": NUMBER}),
        "ledger_hash": _nullable("string"),
    }
)

_FIELDS = {
    "model": "The model's name; may be left out where exactly one is loaded",
    "serial": "The part's serial number",
    "station": "Where the image was taken",
}

INSPECTION_REQUEST = {
    "parameters": [
        *(
            {"name": name, "in": "query", "required": False, "schema": STRING, "description": description}
            for name, description in _FIELDS.items()
        ),
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
                "schema": _object(
                    {"image": BYTES, **{name: {**STRING, "description": text} for name, text in _FIELDS.items()}},
                    ["image"],
                )
            },
            **{name: {"schema": BYTES} for name in ("image/jpeg", "image/png", "application/octet-stream")},
        },
    },
}

_LINE = _object({"frequency_hz": NUMBER, "order": _nullable("number"), "harmonic": INTEGER, "level_db": NUMBER})
_RANKED = _object({"fault": STRING, "score": NUMBER, "p_value": _nullable("number")})
SIGNAL = _object(
    {
        "id": {"type": "string", "format": "uuid"},
        "time": {"type": "string", "format": "date-time"},
        "path": {**_nullable("string"), "description": "Always null here; andon diagnose names the file"},
        "asset": _nullable("string"),
        "sensor_name": _nullable("string"),
        "indicators": {"type": "object", "additionalProperties": _nullable("number")},
        "zone": {"enum": ["A", "B", "C", "D", None]},
        "zone_reason": _nullable("string"),
        "fault": STRING,
        "p_value": _nullable("number"),
        "ranked": _array(_RANKED),
        "evidence": _array(_LINE),
        "sensor": _object({"ok": BOOLEAN, "reasons": _array(STRING)}),
        "severity": {"type": "string", "enum": ["normal", "watch", "warning", "danger", "unknown"]},
        "rpm": _nullable("number"),
        "limits": {**_array(STRING), "description": "Message codes of what could not be looked for, and why"},
        "plots": {**_array(STRING), "description": "Always empty here; andon diagnose names the pictures"},
        "health": {
            **_object(
                {
                    "model": STRING,
                    "bundle_digest": STRING,
                    "anomalous": BOOLEAN,
                    "score": {**NUMBER, "description": "Of the middle window; higher is worse"},
                    "threshold": {**_nullable("number"), "description": "Null while no score would be too high"},
                    "contributions": {"type": "object", "additionalProperties": NUMBER},
                }
            ),
            "type": ["object", "null"],
            "description": "Null where no model judges the sensor's health, or it is being learned",
        },
        "alerts": {**_array(NOTHING), "description": "What this signal raised, escalated, repeated or cleared"},
        "ledger_hash": _nullable("string"),
    }
)
_SIGNAL_FIELDS = {
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
    "parameters": [
        {"name": name, "in": "query", "required": False, "schema": schema, "description": description}
        for name, (schema, description) in _SIGNAL_FIELDS.items()
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {"schema": {**BYTES, "description": "Little-endian float32"}},
            "audio/wav": {"schema": BYTES},
            "application/json": {
                "schema": _object(
                    {"samples": _array(NUMBER), **{name: schema for name, (schema, _) in _SIGNAL_FIELDS.items()}},
                    ["samples"],
                )
            },
        },
    },
}

_BUNDLE = {
    "name": STRING,
    "version": _nullable("string"),
    "bundle_digest": _nullable("string"),
    "state": {"type": "string", "enum": ["READY", "UNAVAILABLE"]},
    "reason": {**_nullable("string"), "description": "Why the bundle on disk does not serve"},
}
BUNDLE = _object({**_BUNDLE, "manifest": _nullable("object")})
BUNDLES = _object({"items": _array(_object(_BUNDLE)), "next": _nullable("string")})

SERVER = _object({"name": STRING, "version": STRING, "extensions": _array(STRING)})
LIVE = _object({"live": BOOLEAN})
READY = _object({"ready": BOOLEAN})
_PORT = _object({"name": STRING, "datatype": STRING, "shape": _array(INTEGER)})
MODEL = _object(
    {"name": STRING, "versions": _array(STRING), "platform": STRING, "inputs": _array(_PORT), "outputs": _array(_PORT)}
)
CONFIGURATION = _object({"name": STRING, "platform": STRING, "max_batch_size": INTEGER})
STATISTICS = _object({"model_stats": _array(_object({"name": STRING, "version": STRING}))})
INDEX = _array(_object({"name": STRING, "version": STRING, "state": STRING, "reason": STRING}))
INDEX_REQUEST = {
    "requestBody": {
        "required": False,
        "content": {"application/json": {"schema": {"type": "object", "properties": {"ready": BOOLEAN}}}},
    }
}

_DATA = {"type": "array", "description": "Flat, or nested as the shape is", "items": {}}
_TENSOR = {"name": STRING, "datatype": STRING, "shape": _array({"type": "integer", "minimum": 0}), "data": _DATA}
INFERENCE = _object(
    {
        "model_name": STRING,
        "model_version": STRING,
        "id": STRING,
        "outputs": _array(_object({**_TENSOR, "parameters": NOTHING}, ["name", "datatype", "shape"])),
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
                "schema": _object(
                    {
                        "id": STRING,
                        "inputs": _array(_object({**_TENSOR, "parameters": NOTHING}, ["name", "datatype", "shape"])),
                        "outputs": _array(_object({"name": STRING, "parameters": NOTHING}, ["name"])),
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


def answers(schema: Schema) -> dict[int | str, dict[str, Any]]:
    """Describe a successful answer in JSON."""
    return {200: {"description": "Done", "content": {"application/json": {"schema": schema}}}}


def path_parameters(path: str) -> list[dict[str, Any]]:
    """Describe the parameters in ``path``.

    >>> [each["name"] for each in path_parameters("/models/{model}/versions/{version}")]
    ['model', 'version']
    """
    return [{"name": name, "in": "path", "required": True, "schema": STRING} for name in re.findall(r"{(\w+)}", path)]
