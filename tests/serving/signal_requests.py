"""Requests with signals, as sensors and their gateways send them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import msgspec
import numpy as np
import soundfile
from starlette.testclient import TestClient
from tests.motors import ASSETS, PLACE, START, motor_signal

from andon.models.types.vibration import Samples, Signal

URL = "/api/v1/signals"
ORDERS = "3.5848,5.4152,2.3568,0.39828"
SICK = [motor_signal(turn, snr_db=0.0) for turn in range(6)]
CALM = [motor_signal(turn) for turn in range(6)]
STEP = timedelta(minutes=10)
BINARY, WAV, JSON = "application/octet-stream", "audio/wav", "application/json"


def said_of(signal: Signal, **more: object) -> dict[str, Any]:
    """What a sender says of a signal of the motors in the query; None in ``more`` leaves a word out."""
    said = {"rate_hz": signal.rate_hz, "rpm": signal.rpm, "orders": ORDERS, **more}
    return {name: value for name, value in said.items() if value is not None}


def floats(samples: Samples) -> bytes:
    return samples.astype("<f4").tobytes()


def wave(samples: Samples, rate_hz: float, channels: int = 1) -> bytes:
    buffer = BytesIO()
    frames = np.repeat(samples.astype(np.float32)[:, None], channels, axis=1)
    soundfile.write(buffer, frames, int(rate_hz), subtype="FLOAT", format="WAV")
    return buffer.getvalue()


def json_of(samples: Samples, **said: object) -> bytes:
    return msgspec.json.encode({"samples": samples.astype(np.float32).astype(float).tolist(), **said})


def send(
    client: TestClient, signal: Signal, params: Mapping[str, Any], media_type: str = BINARY, body: bytes | None = None
) -> dict[str, Any]:
    """Post a signal that can be used, as raw floats where no body is given."""
    contents = floats(signal.samples) if body is None else body
    answer = client.post(URL, params=dict(params), content=contents, headers={"Content-Type": media_type})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def send_series(
    client: TestClient, signals: list[Signal], start: datetime = START, asset: str = ASSETS[0]
) -> list[dict[str, Any]]:
    """Post signals of one sensor, taken ten minutes apart."""
    times = [start + turn * STEP for turn in range(len(signals))]
    return [
        send(client, signal, said_of(signal, asset=asset, sensor=PLACE, time=time.isoformat()))
        for signal, time in zip(signals, times, strict=True)
    ]
