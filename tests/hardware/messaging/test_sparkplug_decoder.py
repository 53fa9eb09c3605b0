"""Another implementation of Sparkplug B reads what ours writes, and ours reads what it writes. It needs an interpreter of its own."""

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from andon.hardware.messaging.documents import StationVerdict
from andon.hardware.messaging.edge_node import (
    REBIRTH,
    NodeName,
    NodeState,
    Outgoing,
    asks_for_rebirth,
    births,
    connecting,
    death,
    declared,
    device_lost,
    replayed,
    reported,
)
from andon.hardware.messaging.metrics import INSPECTION, unknown, verdict_metrics
from andon.hardware.messaging.sparkplug_payload import DataType, Metric, Value, decode
from andon.models.types.line import VerdictCode

INTERPRETER = Path(
    os.environ.get("ANDON_SPARKPLUG_PYTHON") or Path(__file__).parents[3] / ".sparkplug" / "bin" / "python"
)
SCRIPT = Path(__file__).with_name("sparkplug_host.py")
LIMIT_S = 60
NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)
VALUES: dict[DataType, Value] = {
    DataType.INT8: -128, DataType.INT16: -32_768, DataType.INT32: -(1 << 31), DataType.INT64: -(1 << 63), DataType.UINT8: 255,
    DataType.UINT16: 65_535, DataType.UINT32: (1 << 32) - 1, DataType.UINT64: (1 << 64) - 1, DataType.FLOAT: 0.5, DataType.DOUBLE: 0.1,
    DataType.BOOLEAN: True, DataType.STRING: "件号 7", DataType.TEXT: "text", DataType.BYTES: b"\x00\xff", DataType.UUID: UUID(int=7),
    DataType.DATETIME: NOW,
}  # fmt: skip

pytestmark = pytest.mark.skipif(
    not INTERPRETER.is_file(),
    reason=f"no {INTERPRETER} with pysparkplug: make sparkplug, or name one with ANDON_SPARKPLUG_PYTHON",
)


def ask_host(messages: tuple[Outgoing, ...]) -> Any:
    """What the other implementation makes of messages, and what it writes itself."""
    text = json.dumps([[each.topic, each.payload.hex()] for each in messages])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    asked = subprocess.run(
        [str(INTERPRETER), str(SCRIPT)],
        input=text,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=environment,
        check=False,
    )
    assert asked.returncode == 0, asked.stderr
    return json.loads(asked.stdout)


def told(message: dict[str, Any]) -> dict[str, tuple[str, object, bool, bool, int]]:
    return {name: tuple(rest) for name, *rest in message["metrics"]}


def test_it_reads_a_node_s_life() -> None:
    verdict = StationVerdict(
        id="v1", station="s1", time=NOW, verdict=VerdictCode.NG, score=1.5, threshold=1.25, serial="SN-7"
    )
    state, will = connecting(NodeState(NodeName("plant", "box")), 41, NOW)
    state = declared(state, "s1", unknown(INSPECTION))
    state, born = births(state, NOW)
    state, data = reported(state, "s1", verdict_metrics(verdict), NOW)
    earlier = NOW - timedelta(hours=1)
    state, missed = replayed(state, "s1", [Metric("Inspection/Score", DataType.DOUBLE, 0.5, earlier)], NOW)
    state, gone = device_lost(state, "s1", NOW)
    said = ask_host((*born, *data, *missed, *gone, death(state, NOW), will))["messages"]
    assert [(each["type"], each["device"], each["seq"]) for each in said] == [
        ("NBIRTH", None, 0), ("DBIRTH", "s1", 1), ("DDATA", "s1", 2), ("DDATA", "s1", 3), ("DDEATH", "s1", 4), ("NDEATH", None, None),
        ("NDEATH", None, None),
    ]  # fmt: skip
    assert told(said[0]) == {
        "bdSeq": ("INT64", 41, False, False, NOW_MS),
        REBIRTH: ("BOOLEAN", False, False, False, NOW_MS),
    }
    assert told(said[1])["Inspection/Score"] == ("DOUBLE", None, True, False, NOW_MS)
    assert told(said[2]) == {
        "Inspection/Id": ("STRING", "v1", False, False, NOW_MS),
        "Inspection/Verdict": ("STRING", "NG", False, False, NOW_MS),
        "Inspection/Verdict Code": ("UINT8", 2, False, False, NOW_MS),
        "Inspection/Score": ("DOUBLE", 1.5, False, False, NOW_MS),
        "Inspection/Threshold": ("DOUBLE", 1.25, False, False, NOW_MS),
        "Inspection/Serial": ("STRING", "SN-7", False, False, NOW_MS),
        "Inspection/Reason": ("STRING", None, True, False, NOW_MS),
        "Inspection/Milliseconds": ("DOUBLE", 0.0, False, False, NOW_MS),
        "Inspection/Bundle": ("STRING", None, True, False, NOW_MS),
    }
    assert told(said[3]) == {"Inspection/Score": ("DOUBLE", 0.5, False, True, NOW_MS - 3_600_000)}
    assert told(said[5]) == told(said[6]) == {"bdSeq": ("INT64", 41, False, False, NOW_MS)}


def test_it_reads_every_type_in_births_and_in_data() -> None:
    metrics = [Metric(datatype.name, datatype, value, NOW) for datatype, value in VALUES.items()]
    state, born = births(connecting(NodeState(NodeName("plant", "box")), 0, NOW)[0], NOW)
    state, birth = reported(state, "s1", metrics, NOW)
    _, data = reported(state, "s1", metrics, NOW)
    expected = {
        datatype.name: (datatype.name, plain(value), False, False, NOW_MS) for datatype, value in VALUES.items()
    }
    said = ask_host((*born, *birth, *data))["messages"]
    assert (said[1]["type"], told(said[1])) == ("DBIRTH", expected)
    assert (said[2]["type"], told(said[2])) == ("DDATA", expected)


def test_what_it_writes_is_read() -> None:
    written = ask_host(())
    assert asks_for_rebirth(bytes.fromhex(written["command"]))
    payload = decode(bytes.fromhex(written["values"]))
    assert payload.seq == 9
    assert {metric.name: metric.value for metric in payload.metrics} == {
        datatype.name: value for datatype, value in VALUES.items()
    }
    assert all(metric.datatype is not None and metric.datatype.name == metric.name for metric in payload.metrics)


def plain(value: object) -> object:
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, UUID) else value
