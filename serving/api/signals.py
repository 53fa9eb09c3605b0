"""``/api/v1/signals``: a signal in, the diagnosis of its machine out, with any alert."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from andon.datasets.vibration.hints import RecordHints, rate_checked, rpm_checked, unit_named
from andon.datasets.vibration.records import read_record
from andon.models.alerts.card import alert_document
from andon.models.types.errors import RecordError
from andon.models.types.identifiers import new_id
from andon.models.types.vibration import Bearing, Machine, Signal, Unit
from andon.models.vibration.bearings import find_bearing
from andon.models.vibration.documents import diagnosis_document
from andon.models.vibration.fault_orders import parse_orders
from andon.models.vibration.zones import parse_machine_class
from andon.serving.api.answers import JSON
from andon.serving.api.bodies import read_body
from andon.serving.api.schemas import PROBLEM_RESPONSES, SIGNAL, SIGNAL_REQUEST, answers
from andon.serving.api.service import Service
from andon.serving.engine.errors import MediaTypeError, RequestError
from andon.serving.engine.models import ServedHealth
from andon.serving.engine.signals import Assessment, SignalDesk

BINARY = "application/octet-stream"
CURL_DEFAULT = "application/x-www-form-urlencoded"
WAVES = frozenset({"audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"})
MIN_SAMPLES = 16
_FIELDS = ("asset", "sensor", "rate_hz", "rpm", "unit", "time", "bearing", "orders", "machine", "model")


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of a signal, in the query or in a JSON body; None where it is not."""

    asset: str | None = None
    sensor: str | None = None
    rate_hz: float | None = None
    rpm: float | None = None
    unit: str | None = None
    time: datetime | None = None
    bearing: str | None = None
    orders: str | None = None
    machine: str | None = None
    model: str | None = None

    def hints(self) -> RecordHints:
        """What a reader of records takes; a signal of which nobody says the unit is in g."""
        return RecordHints(
            rate_hz=self.rate_hz,
            rpm=self.rpm,
            unit=self.unit or Unit.G.value,
            asset=self.asset,
            sensor=self.sensor,
            time=self.time,
        )

    def described(self) -> Machine:
        """What is said of the machine.

        Raises
        ------
        AssetError
            The bearing, the orders or the class is not known.
        """
        bearings: tuple[Bearing, ...] = ()
        if self.bearing:
            bearings = (find_bearing(self.bearing),)
        elif self.orders:
            bearings = (Bearing("", parse_orders(self.orders), "request"),)
        machine_class = parse_machine_class(self.machine, "machine") if self.machine else None
        return Machine(bearings=bearings, machine_class=machine_class)


class _Body(msgspec.Struct):
    """A JSON body: the samples with what is said of them."""

    samples: list[float]
    asset: str | None = None
    sensor: str | None = None
    rate_hz: float | None = None
    rpm: float | None = None
    unit: str | None = None
    time: datetime | None = None
    bearing: str | None = None
    orders: str | None = None
    machine: str | None = None
    model: str | None = None


class SignalEndpoints:
    """Assesses what is posted."""

    def __init__(self, service: Service, desk: SignalDesk) -> None:
        self._service = service
        self._desk = desk

    def router(self) -> APIRouter:
        """Make the routes."""
        router = APIRouter(prefix="/api/v1", tags=["signals"])
        router.add_api_route(
            "/signals",
            self.assess,
            methods=["POST"],
            summary="Diagnose a machine from a signal",
            response_class=Response,
            responses={**answers(SIGNAL), **PROBLEM_RESPONSES},
            openapi_extra=SIGNAL_REQUEST,
        )
        return router

    async def assess(self, request: Request) -> Response:
        """Diagnose: raw little-endian float32, a WAV file or JSON as the body, what is known of it in the query."""
        body = await read_body(request, self._service.options.max_body_bytes)
        media_type = request.headers.get("content-type", BINARY).split(";")[0].strip().lower()
        said = read_said(request.query_params)
        document = await self._service.engine.call(partial(self._assess, body, media_type, said))
        return Response(document, media_type=JSON)

    def _assess(self, body: bytes, media_type: str, said: Said) -> bytes:
        signal, said = read_signal(body, media_type, said)
        model = self._model(said.model)
        assessed = self._desk.assess(signal, said.described(), model)
        return msgspec.json.encode(_document(signal, assessed, model))

    def _model(self, name: str | None) -> ServedHealth | None:
        """The model that is named, or the only one; without any, physics alone diagnoses."""
        served = self._service.repository.models_of(ServedHealth)
        if name is None and len(served) != 1:
            return None
        return self._service.repository.model_of(ServedHealth, name)


def read_said(query: Mapping[str, str]) -> Said:
    """Read what the query says.

    Raises
    ------
    RequestError
        A number or a time is none.
    """
    given = {name: query[name] for name in _FIELDS if query.get(name)}
    try:
        return msgspec.convert(given, Said, strict=False)
    except msgspec.ValidationError as error:
        raise RequestError("serving.query", "query", reason=str(error)) from error


def read_signal(body: bytes, media_type: str, said: Said) -> tuple[Signal, Said]:
    """Read a signal, and what is said of it by the query, or else by a JSON body.

    Raises
    ------
    MediaTypeError
        The body is in none of the three forms.
    RequestError
        It is damaged, or too short.
    RecordError
        The rate is missing, or a value cannot be used.
    """
    if media_type in WAVES:
        return _of_wave(body, said), said
    if media_type == JSON:
        return _of_json(body, said)
    if media_type not in (BINARY, CURL_DEFAULT):
        raise MediaTypeError(
            "serving.media_type", "Content-Type", found=media_type, expected=f"{BINARY}, audio/wav, {JSON}"
        )
    if len(body) % 4:
        raise RequestError("serving.float32", "body", found=len(body))
    return _signal(np.frombuffer(body, "<f4").astype(np.float64), said), said


def _of_wave(body: bytes, said: Said) -> Signal:
    """Read a WAV file through the reader of records, which takes a path."""
    with TemporaryDirectory() as scratch:
        path = Path(scratch, "body.wav")
        path.write_bytes(body)
        try:
            return read_record(path, said.hints())
        except RecordError as error:
            # Its subject and reason name the scratch file.
            raise RequestError("serving.wave", "body", found=len(body)) from error


def _of_json(body: bytes, said: Said) -> tuple[Signal, Said]:
    try:
        read = msgspec.json.decode(body, type=_Body)
    except msgspec.DecodeError as error:
        raise RequestError("serving.signal_json", "body", reason=str(error)) from error
    both = replace(said, **{name: getattr(said, name) or getattr(read, name) for name in _FIELDS})
    return _signal(np.array(read.samples, np.float64), both), both


def _signal(samples: np.ndarray[Any, np.dtype[np.float64]], said: Said) -> Signal:
    if len(samples) < MIN_SAMPLES:
        raise RequestError("serving.few_samples", "body", found=len(samples), expected=MIN_SAMPLES)
    hints = said.hints()
    return Signal(
        samples=samples,
        rate_hz=rate_checked(hints.rate_hz, "rate_hz"),
        unit=unit_named(hints.unit, "unit"),
        sensor=said.sensor or "",
        asset=said.asset or "",
        time=said.time.astimezone(UTC) if said.time else None,
        rpm=rpm_checked(said.rpm, "rpm"),
    )


def _document(signal: Signal, assessed: Assessment, model: ServedHealth | None) -> dict[str, Any]:
    middle = assessed.health.middle
    return {
        "id": new_id(),
        "time": (signal.time or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "path": None,
        "asset": signal.asset or None,
        "sensor_name": signal.sensor or None,
        **diagnosis_document(assessed.diagnosis),
        "plots": [],
        "health": None
        if middle is None or model is None
        else {
            "model": model.name,
            "bundle_digest": model.digest,
            "anomalous": assessed.health.abnormal,
            "score": middle.score,
            "threshold": middle.threshold if middle.threshold is None or isfinite(middle.threshold) else None,
            "contributions": dict(middle.contributions or {}),
        },
        "alerts": [alert_document(alert) for alert in assessed.alerts],
        "ledger_hash": None,
    }
