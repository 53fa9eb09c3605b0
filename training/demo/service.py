"""The service as the demo uses it: a process of its own, asked over HTTP."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import httpx

from andon.models.types.errors import ResourceError
from andon.models.types.vibration import Signal
from andon.models.types.vision import Frame
from andon.models.vision.overlays import encode_png

STOP_TIMEOUT_S = 15
START_ATTEMPTS = 300
START_WAIT_S = 0.2
REPLY_TIMEOUT_S = 60


@dataclass(frozen=True)
class Service:
    """A running ``andon serve``."""

    process: subprocess.Popen[bytes]
    url: str

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        self.process.terminate()
        self.process.wait(STOP_TIMEOUT_S)


@dataclass(frozen=True, slots=True)
class Reply:
    """The service's document for one part, and the milliseconds from sending to receiving."""

    document: Mapping[str, Any]
    round_trip_ms: float


def start_service(bundles: Path, log: Path) -> Service:
    """Start ``andon serve`` on a free port, in a session of its own so that it can outlive the demo.

    Raises
    ------
    ResourceError
        It did not start; ``log`` holds what it said.
    """
    spoken = log.with_suffix(".json")
    command = [sys.executable, "-c", "from andon.models.command.main import main; raise SystemExit(main())"]
    with spoken.open("wb") as output, log.open("wb") as errors:
        process = subprocess.Popen(
            [*command, "serve", "--bundles", str(bundles), "--port", "0", "--json"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
            env=dict(os.environ),
        )
    return Service(process, _announced_url(process, spoken, log))


@contextmanager
def station(url: str, model: str) -> Iterator["Station"]:
    """Connect to the service at ``url`` as one station of a line does."""
    with httpx.Client(base_url=url, timeout=REPLY_TIMEOUT_S, trust_env=False) as client:
        yield Station(client, model)


@dataclass(frozen=True)
class Station:
    """Sends frames to one model and receives verdicts."""

    client: httpx.Client
    model: str

    def send(self, frame: Frame, serial: str) -> Reply:
        """Send one frame as PNG.

        Raises
        ------
        ResourceError
            The service does not answer, or answers with an error.
        """
        body = encode_png(frame)
        started = time.perf_counter()
        try:
            answer = self.client.post(
                "/api/v1/inspections",
                params={"model": self.model, "serial": serial, "station": "demo"},
                content=body,
                headers={"Content-Type": "image/png"},
            )
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise ResourceError("demo.no_reply", str(self.client.base_url), reason=str(error)) from error
        return Reply(answer.json(), (time.perf_counter() - started) * 1e3)


@contextmanager
def monitor_station(url: str) -> Iterator["MonitorStation"]:
    """Connect to the service at ``url`` as a gateway of sensors does."""
    with httpx.Client(base_url=url, timeout=REPLY_TIMEOUT_S, trust_env=False) as client:
        yield MonitorStation(client)


@dataclass(frozen=True)
class MonitorStation:
    """Sends signals and receives diagnoses."""

    client: httpx.Client

    def send(self, signal: Signal, sensor: str) -> Mapping[str, Any]:
        """Send one signal as raw float32.

        Raises
        ------
        ResourceError
            The service does not answer, or answers with an error.
        """
        said: dict[str, str | float] = {"sensor": sensor, "rate_hz": signal.rate_hz, "unit": signal.unit.value}
        if signal.rpm:
            said["rpm"] = signal.rpm
        if signal.orders:
            said["orders"] = ",".join(str(order) for order in astuple(signal.orders))
        try:
            answer = self.client.post("/api/v1/signals", params=said, content=signal.samples.astype("<f4").tobytes())
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise ResourceError("demo.no_reply", str(self.client.base_url), reason=str(error)) from error
        document: Mapping[str, Any] = answer.json()
        return document


def _announced_url(process: subprocess.Popen[bytes], spoken: Path, log: Path) -> str:
    for _ in range(START_ATTEMPTS):
        line = spoken.read_text(encoding="utf-8")
        if line.endswith("\n"):
            url: str = json.loads(line)["url"]
            return url
        if process.poll() is not None:
            break
        time.sleep(START_WAIT_S)
    process.kill()
    raise ResourceError("demo.not_started", "andon serve", log=str(log))
