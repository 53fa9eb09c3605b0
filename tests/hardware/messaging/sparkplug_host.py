"""Run by ``test_sparkplug_decoder`` with another interpreter, which has pysparkplug: reads an edge node's messages, and writes some.

Usage: ``python sparkplug_host.py``; reads ``[[topic, payload in hexadecimal], ...]`` from standard input and prints one JSON object with what
each means (``messages``), a rebirth command (``command``) and a payload with every type of value (``values``), both in hexadecimal.
"""

import json
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

VALUES = {
    "INT8": -128, "INT16": -32_768, "INT32": -(1 << 31), "INT64": -(1 << 63), "UINT8": 255, "UINT16": 65_535, "UINT32": (1 << 32) - 1,
    "UINT64": (1 << 64) - 1, "FLOAT": 0.5, "DOUBLE": 0.1, "BOOLEAN": True, "STRING": "件号 7", "TEXT": "text", "BYTES": b"\x00\xff",
    "UUID": str(UUID(int=7)), "DATETIME": datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC),
}  # fmt: skip


def plain(value: object) -> object:
    """A value as JSON holds it."""
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    return value.hex() if isinstance(value, bytes) else value


def understood(messages: list[list[str]]) -> list[dict[str, Any]]:
    """What each message means, once the births have told names and types."""
    from pysparkplug import MessageType, Topic  # type: ignore[import-not-found]

    found: list[dict[str, Any]] = []
    births: dict[str | None, Any] = {}
    for text, payload in messages:
        topic = Topic.from_str(text)
        decoder = topic.message_type.payload
        decoded = decoder.decode(bytes.fromhex(payload), birth=births.get(topic.device_id))
        if topic.message_type in (MessageType.NBIRTH, MessageType.DBIRTH):
            births[topic.device_id] = decoded
        metrics = (
            [decoded.bd_seq_metric] if topic.message_type == MessageType.NDEATH else getattr(decoded, "metrics", ())
        )
        told = [
            [each.name, each.datatype.name, plain(each.value), each.is_null, each.is_historical, each.timestamp]
            for each in metrics
        ]
        found.append(
            {
                "type": topic.message_type.value,
                "device": topic.device_id,
                "seq": getattr(decoded, "seq", None),
                "metrics": told,
            }
        )
    return found


def written() -> dict[str, str]:
    from pysparkplug import DataType, Metric, NBirth, NCmd

    rebirth = Metric(timestamp=1, name="Node Control/Rebirth", datatype=DataType.BOOLEAN, value=True)
    metrics = tuple(
        Metric(timestamp=5, name=name, datatype=DataType[name], value=value) for name, value in VALUES.items()
    )
    return {
        "command": NCmd(timestamp=1, metrics=(rebirth,)).encode().hex(),
        "values": NBirth(timestamp=7, seq=9, metrics=metrics).encode().hex(),
    }


if __name__ == "__main__":
    print(json.dumps({"messages": understood(json.load(sys.stdin)), **written()}))
