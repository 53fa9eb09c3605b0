"""``/api/v1/signals``: a signal in, the diagnosis of its machine out, with any alert."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from andon.datasets.assets.known import said_machine
from andon.datasets.condition.desk import Assessment, HealthJudge, SignalDesk
from andon.datasets.condition.records import describe
from andon.datasets.store.conditions import SignalRecord
from andon.datasets.store.signals import KeptSignals, SignalFilter, answer_of
from andon.datasets.vibration.diagnosed import READ_S, first_block
from andon.datasets.vibration.hints import RecordHints, rate_checked, rpm_checked, unit_named
from andon.datasets.vibration.parquet_files import parquet_bytes
from andon.models.health.settings import Source
from andon.models.types.errors import DataError, NotFoundError, RecordError
from andon.models.types.vibration import Machine, Samples, Severity, Signal, Unit
from andon.serving.api import schemas
from andon.serving.api.answers import JSON, as_page
from andon.serving.api.bodies import Sent, checked_key, read_body
from andon.serving.api.callers import check_grade, customer_of
from andon.serving.api.queries import PageQuery, Text, Time, path_id, read_query
from andon.serving.api.routing import make_router
from andon.serving.api.service import Service
from andon.serving.engine.archive import request_digest
from andon.serving.engine.errors import MediaTypeError, RequestError
from andon.serving.engine.models import ServedHealth
from andon.serving.engine.replies import ReplyCache
from andon.serving.security.grades import Destination

BINARY = "application/octet-stream"
# What `curl --data-binary @signal.f32` says of its body where nobody says otherwise.
CURL_DEFAULT = "application/x-www-form-urlencoded"
WAVES = ("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave")
MIN_SAMPLES = 16
"""Fewer give no spectrum worth the name: a line for each eighth of the band."""

PARQUET = "application/vnd.apache.parquet"


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a signal, in the query or in a JSON body; None where it is not."""

    asset: Text | None = None
    sensor: Text | None = None
    rate_hz: float | None = None
    rpm: float | None = None
    unit: Text | None = None
    time: Time | None = None
    bearing: Text | None = None
    orders: Text | None = None
    machine: Text | None = None
    model: Text | None = None

    def or_else(self, other: "Said") -> "Said":
        """The same, with what ``other`` says where this says nothing."""
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in _FIELDS}
        return Said(**{name: second if first is None else first for name, (first, second) in pairs.items()})

    def described(self) -> Machine:
        """What is said of the machine; orders are left aside where a bearing is named.

        Raises
        ------
        AssetError
            The bearing, the orders or the class is not known.
        """
        return said_machine(self.bearing, self.orders, self.machine, "request", "machine")


class _Body(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A JSON body: the samples with what is said of them."""

    samples: list[float]


_FIELDS = Said.__struct_fields__


class SignalQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which signals are asked for."""

    asset: Text | None = None
    sensor: Text | None = None
    severity: Severity | None = None


class SignalEndpoints:
    """Assesses what is posted."""

    def __init__(self, service: Service, desk: SignalDesk) -> None:
        self._service = service
        self._desk = desk
        self._kept = KeptSignals(service.archive.store.database)
        self._replies = ReplyCache[bytes](service.options.remembered_replies)

    def router(self) -> APIRouter:
        """Make the routes."""
        router = make_router("signals", "/api/v1")
        add = partial(schemas.add_route, router)
        one = schemas.SIGNAL
        add("POST", "/signals", self.assess, "Diagnose a machine from a signal", one, schemas.SIGNAL_REQUEST)
        add("GET", "/signals", self.page, "List signals", schemas.page_of(one), schemas.SIGNALS_REQUEST)
        add("GET", "/signals/{id}", self.get, "Show what was found in a signal", one)
        add("GET", "/signals/{id}/waveform", self.waveform, "Get its samples as a Parquet file", schemas.BYTES)
        return router

    async def assess(self, request: Request) -> Response:
        """Diagnose: raw little-endian float32, a WAV file or JSON as the body, what is known of it in the query."""
        self._service.archive.store.room.check()
        body = await read_body(request, self._service.options.max_body_bytes)
        media_type = request.headers.get("content-type", BINARY).split(";")[0].strip().lower()
        said = read_said(request.query_params)
        key = checked_key(request.headers.get("idempotency-key"))
        if key is None:
            return Response(await self._assess(body, media_type, said, None), media_type=JSON)
        sent = Sent(key, request_digest(msgspec.json.encode(said), body))
        make = partial(self._assess, body, media_type, said, sent)
        return Response(await self._replies.reply(key, sent.digest, make), media_type=JSON)

    async def page(self, request: Request) -> Response:
        """List signals, the latest first."""
        asked = read_query(request, SignalQuery)
        wanted = SignalFilter(asked.asset, asked.sensor, asked.severity, customer_of(request))
        find = partial(self._kept.page, wanted, asked.before, asked.limit)
        return as_page(await self._service.archive.call(find), bytes)

    async def get(self, request: Request) -> Response:
        """Show a signal as it was answered."""
        find = partial(self._kept.get, path_id(request), customer_of(request))
        return Response(answer_of(await self._service.archive.call(find)), media_type=JSON)

    async def waveform(self, request: Request) -> Response:
        """Give the samples of a signal."""
        check_grade(request, self._service.options.grade, Destination.HERE)
        find = partial(self._waveform, path_id(request), customer_of(request))
        return Response(await self._service.archive.call(find), media_type=PARQUET)

    def _waveform(self, signal: str, customer: str | None) -> bytes:
        kept = self._kept.get(signal, customer)
        if not kept.waveform_kept:
            raise NotFoundError("store.image_removed", signal, digest=kept.waveform)
        return self._service.archive.store.blobs.get(kept.waveform)

    async def _assess(self, body: bytes, media_type: str, said: Said, sent: Sent | None) -> bytes:
        return await self._service.engine.call(partial(self._answer, body, media_type, said, sent))

    def _answer(self, body: bytes, media_type: str, said: Said, sent: Sent | None) -> bytes:
        if sent and (kept := self._kept.sent_under(sent.key, sent.digest)):
            return kept
        signal, said = read_signal(body, media_type, said)
        model = self._model(said.model)
        judge = model.judge if model else None
        waveform = self._service.archive.store.blobs.put(parquet_bytes(signal))
        record = partial(_record, signal, judge, waveform, sent)
        return self._desk.assess(signal, said.described(), judge, record).answer

    def _model(self, name: str | None) -> ServedHealth | None:
        """The model that is named, or the only one that judges signals; without any, physics alone diagnoses."""
        repository = self._service.repository
        if name is None:
            judges = [model for model in repository.models_of(ServedHealth) if _judges_signals(model)]
            return judges[0] if len(judges) == 1 else None
        model = repository.model_of(ServedHealth, name)
        if not _judges_signals(model):
            raise DataError("health.other_source", name, expected=model.health.contract.source.value)
        return model


def _judges_signals(model: ServedHealth) -> bool:
    return model.health.contract.source is Source.INDICATORS


def read_said(query: Mapping[str, str]) -> Said:
    """Read what the query says.

    Raises
    ------
    RequestError
        A parameter is unknown, a number or a time is none, or a text is too long.
    """
    given = {name: value for name, value in query.items() if value}
    if unknown := ", ".join(sorted(given.keys() - set(_FIELDS))):
        raise RequestError("serving.parameters", "query", reason=unknown, known=", ".join(_FIELDS))
    try:
        return msgspec.convert(given, Said, strict=False)
    except msgspec.ValidationError as error:
        raise RequestError("serving.query", "query", reason=str(error)) from error


def read_signal(body: bytes, media_type: str, said: Said) -> tuple[Signal, Said]:
    """Read a signal, and what is said of it by the query, or else by the body.

    No more is kept of it than is diagnosed, however long it is.

    Raises
    ------
    MediaTypeError
        The body is in none of the three forms.
    RequestError
        It is damaged, or too short.
    RecordError
        The rate is missing, or a value cannot be used.
    """
    if media_type not in _READERS:
        raise MediaTypeError(
            "serving.media_type", "Content-Type", found=media_type, expected=f"{BINARY}, audio/wav, {JSON}"
        )
    samples, of_body = _READERS[media_type](body)
    both = said.or_else(of_body)
    return _signal(samples, both), both


def _of_floats(body: bytes) -> tuple[Samples, Said]:
    if len(body) % 4:
        raise RequestError("serving.float32", "body", found=len(body))
    return np.frombuffer(body, "<f4").astype(np.float64), Said()


def _of_wave(body: bytes) -> tuple[Samples, Said]:
    """Read a WAV file through the reader of records, which takes a path."""
    with TemporaryDirectory() as scratch:
        path = Path(scratch, "body.wav")
        path.write_bytes(body)
        try:
            signal = first_block(path, RecordHints(unit=Unit.G.value))
        except RecordError as error:
            # Its subject and reason name the scratch file.
            raise RequestError("serving.wave", "body", found=len(body)) from error
    return signal.samples, Said(rate_hz=signal.rate_hz)


def _of_json(body: bytes) -> tuple[Samples, Said]:
    try:
        read = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError("serving.signal_json", "body", reason=str(error)) from error
    return np.array(read.samples, np.float64), read


_READERS: Mapping[str, Callable[[bytes], tuple[Samples, Said]]] = {
    **dict.fromkeys((BINARY, CURL_DEFAULT), _of_floats),
    **dict.fromkeys(WAVES, _of_wave),
    JSON: _of_json,
}


def _signal(samples: Samples, said: Said) -> Signal:
    rate_hz = rate_checked(said.rate_hz, "rate_hz")
    kept = samples[: int(min(len(samples), READ_S * rate_hz))]
    if len(kept) < MIN_SAMPLES:
        raise RequestError("serving.few_samples", "body", found=len(kept), expected=MIN_SAMPLES, seconds=f"{READ_S:g}")
    return Signal(
        samples=kept,
        rate_hz=rate_hz,
        unit=unit_named(said.unit or Unit.G.value, "unit"),
        sensor=said.sensor or "",
        asset=said.asset or "",
        time=_in_utc(said.time) if said.time else None,
        rpm=rpm_checked(said.rpm, "rpm"),
    )


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError as error:  # the first and last hours that there are, in another zone
        raise RequestError("serving.query", "time", reason=str(error)) from error


def _record(
    signal: Signal, judge: HealthJudge | None, waveform: str, sent: Sent | None, assessed: Assessment
) -> SignalRecord:
    record = describe(signal, judge, waveform, assessed)
    return replace(record, request_key=sent.key, request_digest=sent.digest) if sent else record
