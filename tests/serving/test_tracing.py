"""Traces arrive at a real OTLP/HTTP receiver; where nobody asks for them, nothing is there that could make them."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.testclient import TestClient
from tests.serving.clients import at_this_machine
from tests.serving.conftest import OPTIONS

from andon.datasets.store.opening import Store
from andon.models.types.vision import Frame
from andon.serving.api.app import Surroundings, create_app
from andon.serving.engine.repository import ModelRepository
from andon.serving.engine.statistics import Spans
from andon.serving.tracing import NO_TRACING, Tracing, is_quiet, tracing_of

STAGES = ["queue", "decode", "judge", "encode"]
CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
INFER = "/v2/models/plates/infer"


@dataclass
class Span:
    name: str
    trace: str
    id: str
    parent: str
    start: int
    end: int
    kind: int
    status: int
    attributes: dict[str, Any]


@dataclass
class Receiver:
    """An OTLP/HTTP receiver: what it was sent."""

    url: str = ""
    paths: list[str] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)

    def take(self, path: str, body: bytes) -> None:
        self.paths.append(path)
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append({each.key: _value(each.value) for each in group.resource.attributes})
            self.spans += [_span(each) for scope in group.scope_spans for each in scope.spans]

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


def _span(sent: Any) -> Span:
    return Span(
        name=sent.name,
        trace=sent.trace_id.hex(),
        id=sent.span_id.hex(),
        parent=sent.parent_span_id.hex(),
        start=sent.start_time_unix_nano,
        end=sent.end_time_unix_nano,
        kind=sent.kind,
        status=sent.status.code,
        attributes={each.key: _value(each.value) for each in sent.attributes},
    )


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(each) for each in value.array_value.values] if kind == "array_value" else getattr(value, kind)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    received = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.take(self.path, self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        received.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield received
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def start(repository: ModelRepository, store: Store) -> Any:
    """Run the service as the environment says: a context manager, at whose end all spans have been sent."""

    @contextmanager
    def run() -> Iterator[TestClient]:
        around = Surroundings(tracing=tracing_of(os.environ))
        app = create_app(repository, store, options=OPTIONS, around=around)
        with at_this_machine(app, raise_server_exceptions=False) as client:
            yield client

    return run


@pytest.fixture
def traced(start: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The same with traces that go to the receiver."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    return start


def post_plate(client: TestClient, image: bytes, **headers: str) -> None:
    response = client.post("/api/v1/inspections?serial=7", content=image, headers=headers)
    assert response.status_code == 200, response.text


@pytest.fixture
def image(draw_plate: Callable[..., Frame], png: Callable[[Frame], bytes]) -> bytes:
    return png(draw_plate(4, True))


def test_a_request_and_its_stages_arrive_below_the_callers_span(
    traced: Any, receiver: Receiver, image: bytes, repository: ModelRepository
) -> None:
    before = time.time_ns()
    with traced() as client:
        post_plate(client, image, traceparent=CALLER)
    assert set(receiver.paths) == {"/v1/traces"}
    assert receiver.resources[0]["service.name"] == "andon"
    (request,) = receiver.named("POST /api/v1/inspections")
    assert (request.trace, request.parent) == (CALLER[3:35], CALLER[36:52])
    assert request.kind == 2, "a server's"
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["http.route"] == "/api/v1/inspections"
    stages = [receiver.named(name)[0] for name in STAGES]
    assert {stage.trace for stage in stages} == {request.trace}
    assert {stage.parent for stage in stages} == {request.id}
    assert before < request.start <= stages[0].start
    for first, second in pairwise(stages):
        assert first.start <= first.end == second.start
    assert stages[-1].end <= request.end
    spans = repository.model("plates").statistics.counts.spans
    durations = [stage.end - stage.start for stage in stages]
    assert durations == [spans.queue, spans.decode, spans.inspect, spans.encode]
    judge = stages[2]
    assert judge.attributes["andon.model"] == "plates"
    assert judge.attributes["andon.bundle_digest"] == repository.model("plates").digest
    assert judge.attributes["andon.verdicts"] == ["NG"]


def test_the_inspection_is_stored_within_the_request(traced: Any, receiver: Receiver, image: bytes) -> None:
    with traced() as client:
        post_plate(client, image)
    (request,) = receiver.named("POST /api/v1/inspections")
    (store,) = receiver.named("store")
    assert (store.trace, store.parent) == (request.trace, request.id)


def test_requests_without_a_caller_begin_traces_of_their_own(traced: Any, receiver: Receiver, image: bytes) -> None:
    with traced() as client:
        for _ in range(2):
            post_plate(client, image)
    requests = receiver.named("POST /api/v1/inspections")
    assert len({request.trace for request in requests}) == 2
    assert [request.parent for request in requests] == ["", ""]
    assert len(receiver.named("judge")) == 2


def test_a_request_that_fails_has_no_stages(traced: Any, receiver: Receiver) -> None:
    with traced() as client:
        client.post(INFER, content=b"{")
        client.get("/v2/models/other")
    refused, unknown = receiver.named(f"POST {INFER.replace('plates', '{model}')}") + receiver.named(
        "GET /v2/models/{model}"
    )
    assert refused.attributes["http.response.status_code"] == 400
    assert unknown.attributes["http.response.status_code"] == 404
    assert {span.name for span in receiver.spans} == {refused.name, unknown.name}


def test_work_that_no_request_asked_for_is_not_traced(
    repository: ModelRepository, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    tracing = tracing_of(os.environ)
    tracing.observing(lambda *_: None)(repository.model("plates"), ["OK"], Spans(1, 1, 1, 1))
    with tracing.stage("store"):
        pass
    tracing.close()
    assert receiver.paths == []


def test_probes_and_streams_are_not_traced(traced: Any, receiver: Receiver) -> None:
    with traced() as client:
        for path in ("/ping", "/v2/health/live", "/v2/health/ready", "/metrics", "/docs"):
            client.get(path)
        client.get("/v2")
    assert [span.name for span in receiver.spans] == ["GET /v2"]
    assert is_quiet({"path": "/api/v1/events"})


def test_a_sampled_out_caller_is_honoured(traced: Any, receiver: Receiver, image: bytes) -> None:
    with traced() as client:
        post_plate(client, image, traceparent=f"{CALLER[:-2]}00")
    assert receiver.spans == []


def test_the_environment_names_the_service(traced: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "产线 3")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=line")
    with traced() as client:
        client.get("/v2")
    assert receiver.resources[0]["service.name"] == "产线 3"
    assert receiver.resources[0]["deployment.environment"] == "line"


def test_a_receiver_that_is_away_holds_nothing_up(start: Any, image: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with start() as client:
        post_plate(client, image)


ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_SERVICE_NAME": "andon"},
        {**ENDPOINT, "OTEL_SDK_DISABLED": "true"},
        {**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"},
        {**ENDPOINT, "OTEL_TRACES_EXPORTER": "console"},
    ],
)
def test_without_the_wish_there_is_nothing(environment: dict[str, str]) -> None:
    assert tracing_of(environment) is NO_TRACING


def test_a_wish_that_cannot_be_met_is_logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracing_of({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}) is NO_TRACING
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    assert tracing_of(ENDPOINT) is NO_TRACING
    reasons = [record.__dict__["fields"]["reason"] for record in caplog.records if record.levelno == logging.WARNING]
    assert "grpc" in reasons[0] and "andon[traces]" in reasons[1]


def test_either_endpoint_will_do(start: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{receiver.url}/elsewhere")
    with start() as client:
        client.get("/v2")
    assert set(receiver.paths) == {"/elsewhere"}


def test_off_nothing_of_it_is_imported() -> None:
    script = (
        "import os, sys\n"
        "from andon.serving.api.app import create_app\n"
        "from andon.serving.tracing import tracing_of\n"
        "tracing_of(os.environ)\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_off_the_engine_is_told_what_it_was_told_before() -> None:
    def observe(*_: object) -> None:
        raise AssertionError

    off: Tracing = NO_TRACING
    assert off.observing(observe) is observe
    with off.stage("store"):
        pass
    off.close()
