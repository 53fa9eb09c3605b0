"""Boxes are asked over HTTP; what they say is shown, and those that say nothing are named."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import EntryPoint
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
import pytest
from tests.conftest import Andon, write_plates
from tests.serving.notify.receivers import free_port

from andon.hardware.edge.updates.fleet import Answer, Status, ask_all, report_of
from andon.hardware.edge.updates.fleet_file import Box, read_fleet
from andon.hardware.edge.updates.waves import Standing
from andon.models.bundle.bundle import VisionBundle
from andon.models.bundle.storage import write_bundle
from andon.models.types.errors import OptionError

DIGEST, OTHER = "ab" * 32, "cd" * 32


def station(**said: Any) -> dict[str, Any]:
    """A station as a box describes it: well, and with the release kept."""
    return {
        "name": "top",
        "kind": "vision",
        "state": "running",
        "fault": "none",
        "bundle": "plates",
        "bundle_digest": DIGEST,
        "previous_digest": OTHER,
        "update": {"phase": "kept", "digest": DIGEST, "since": "2026-03-02T06:00:00.000Z", "reason": None},
        "parts": 900,
        "ok": 890,
        "ng": 9,
        "retake": 1,
        "errors": 0,
        "last_verdict_time": "2026-03-02T08:00:00.000Z",
        "p50_ms": 11.0,
        "p99_ms": 19.5,
        **said,
    }


def status(*stations: dict[str, Any], **said: Any) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "box": "line-1",
        "stations": list(stations or (station(),)),
        "outbox": {"waiting": 7, "last_success": None, "last_error": None},
        "ledger": {"entries": 900, "head": "00" * 32},
        **said,
    }


class BoxServer(ThreadingHTTPServer):
    """A box: answers with ``body``, to whom it lets in."""

    body: bytes = b""
    key: str | None = None
    hangs: threading.Event | None = None


class Handler(BaseHTTPRequestHandler):
    server: BoxServer

    def do_GET(self) -> None:
        if self.server.hangs:
            self.server.hangs.wait(30)
        allowed = self.server.key in (None, self.headers.get("authorization", "").removeprefix("Bearer "))
        code = 200 if self.path == "/status" and allowed else 404 if allowed else 401
        self.send_response(code)
        self.send_header("content-length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


MakeBox = Callable[..., str]


@pytest.fixture
def box() -> Iterator[MakeBox]:
    """Start a box that answers with a document: ``box(status(), key="secret")`` returns its address."""
    running: list[tuple[BoxServer, threading.Thread]] = []

    def start(document: Any, key: str | None = None, hangs: threading.Event | None = None) -> str:
        server = BoxServer(("127.0.0.1", 0), Handler)
        server.body = document if isinstance(document, bytes) else json.dumps(document).encode()
        server.key, server.hangs = key, hangs
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in running:
        if server.hangs:
            server.hangs.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write ``fleet.toml``: ``fleet(line_1=url, more="[waves]...")``. The command is there as it is installed."""
    entry = EntryPoint("fleet", "andon.hardware.edge.updates.commands:fleet", "andon.commands")
    monkeypatch.setattr("andon.models.command.main.entry_points", lambda group: [entry])

    def write(more: str = "", key: str = "", **urls: str) -> Path:
        boxes = [f'[[boxes]]\nname = "{name}"\nurl = "{url}"\n{key}\n' for name, url in urls.items()]
        path = tmp_path / "fleet.toml"
        path.write_text("\n".join([*boxes, more]))
        return path

    return write


def test_every_station_of_every_box_is_shown(andon: Andon, fleet: Callable[..., Path], box: MakeBox) -> None:
    path = fleet(one=box(status(station(), station(name="side"))), two=box(status()))
    said = andon("fleet", "status", path, "--json")
    assert (said.code, said.err) == (0, "")
    assert [(each["box"], each["station"]) for each in said.documents] == [
        ("one", "top"),
        ("one", "side"),
        ("two", "top"),
    ]
    expected = {
        "bundle_digest": DIGEST,
        "update": {"phase": "kept", "digest": DIGEST, "reason": None},
        "last_verdict_time": "2026-03-02T08:00:00.000Z",
        "waiting": 7,
        "healthy": True,
    }
    assert {name: said.documents[0][name] for name in expected} == expected
    table = andon("fleet", "status", path).out
    for word in ("one", "side", DIGEST[:12], "kept", "2026-03-02T08:00:00.000Z", "7", "well", "waiting uploads"):
        assert word in table


def test_a_box_that_does_not_answer_is_named_and_keeps_no_other_waiting(
    andon: Andon, fleet: Callable[..., Path], box: MakeBox
) -> None:
    path = fleet(gone="http://127.0.0.1:9", here=box(status()))
    said = andon("fleet", "status", path, "--json")
    assert said.code == 1
    gone, here = said.documents
    assert (gone["box"], gone["healthy"], here["healthy"]) == ("gone", False, True)
    assert "http://127.0.0.1:9" in gone["error"]
    shown = andon("fleet", "status", path)
    assert "does not answer" in shown.out
    assert "http://127.0.0.1:9" in shown.err


def test_a_station_in_fault_is_a_failure(andon: Andon, fleet: Callable[..., Path], box: MakeBox) -> None:
    path = fleet(one=box(status(station(state="stopped", fault="camera"))))
    said = andon("fleet", "status", path, "--json")
    assert (said.code, said.documents[0]["healthy"], said.documents[0]["fault"]) == (1, False, "camera")
    assert "fault: camera" in andon("fleet", "status", path).out


@pytest.mark.parametrize("said", [{}, {"state": ""}, {"state": "stopped"}])
def test_a_station_that_does_not_say_that_it_runs_is_not_well(said: dict[str, str], box: MakeBox) -> None:
    told = {**station(), **said} if said else {"name": "top", "fault": "none"}
    (answer,) = ask_all([Box("one", f"{box(status(told))}/status")])
    assert answer.status
    assert not answer.is_well


def test_a_station_that_begins_a_part_is_well(box: MakeBox) -> None:
    (answer,) = ask_all([Box("one", f"{box(status(station(fault='starting')))}/status")])
    assert answer.is_well


def test_a_box_that_uploads_nothing_is_well(andon: Andon, fleet: Callable[..., Path], box: MakeBox) -> None:
    said = andon("fleet", "status", fleet(one=box(status(outbox=None))), "--json")
    assert (said.code, said.documents[0]["waiting"]) == (0, 0)


def test_what_a_real_box_says_is_understood(
    andon: Andon, fleet: Callable[..., Path], tmp_path: Path, tiny_bundle: VisionBundle
) -> None:
    pytest.importorskip("pymodbus", reason="the extra edge is not installed")
    from tests.hardware.edge.lines import line_config, running

    from andon.hardware.sim.modbus_plc import ModbusPlcClient
    from andon.hardware.sim.simulated_plc import SimulatedPlc

    write_bundle(tiny_bundle, tmp_path / "plates.andon")
    config, port = tmp_path / "line.toml", free_port()
    config.write_text(line_config("plates.andon", write_plates(tmp_path / "images", 3), port, 5.0), encoding="utf-8")
    with running(config) as (process, url), ModbusPlcClient(port=port) as wire:
        assert SimulatedPlc(wire, takt_s=5.0).wait_until_ready(60.0)
        said = andon("fleet", "status", fleet(one=url), "--json")
        process.terminate()
        process.wait(60.0)
    assert (said.code, said.err) == (0, "")
    (document,) = said.documents
    assert (document["state"], document["bundle"], document["healthy"]) == ("running", "plates", True)
    assert document["bundle_digest"] == tiny_bundle.digest


def test_a_key_is_taken_from_the_environment(
    andon: Andon, fleet: Callable[..., Path], box: MakeBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fleet(key='key = "${LINE_1}"', one=box(status(), key="secret"))
    assert "LINE_1" in andon("fleet", "status", path).complaint
    monkeypatch.setenv("LINE_1", "wrong")
    refused = andon("fleet", "status", path)
    assert refused.code == 1
    assert "HTTP 401" in refused.err
    monkeypatch.setenv("LINE_1", "secret")
    assert andon("fleet", "status", path).code == 0


def test_slow_boxes_cost_the_time_of_one(box: MakeBox) -> None:
    """Each hangs for ever: they are given up together."""
    hangs = threading.Event()
    boxes = [Box(str(number), f"{box(status(), hangs=hangs)}/status") for number in range(4)]

    timer = threading.Timer(1.0, hangs.set)
    timer.start()
    started = monotonic()
    answers = ask_all(boxes, deadline_s=0.5)
    assert monotonic() - started < 4
    assert all(answer.status is None for answer in answers)
    timer.join()


@pytest.mark.parametrize(
    "document",
    [b"{", b"[]", {"schema_version": 2}, {"schema_version": 1, "stations": 3}, {"stations": []}, b"x" * (2 << 20)],
)
def test_what_is_no_status_is_said(box: MakeBox, document: Any) -> None:
    (answer,) = ask_all([Box("one", f"{box(document)}/status")])
    assert answer.error is not None
    assert answer.error.code in ("update.status", "update.store")


def test_a_redirect_is_not_followed(box: MakeBox) -> None:
    (answer,) = ask_all([Box("one", f"{box(status())}/other")])
    assert answer.error is not None


BOXES = '[[boxes]]\nname = "a"\nurl = "http://a"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("boxes = []", "boxes"),
        ("[[boxes]]\nname = 'a'\n", "url"),
        (BOXES + "ur = 1\n", "ur"),
        (BOXES + BOXES, "twice"),
        (BOXES.replace("http://a", "a"), "url 'a'"),
        (BOXES + "[waves]\nshares = [0.0]\n", "shares"),
        (BOXES + "[waves]\nhealthy_min = 3\n", "healthy_min"),
        ("boxes = [", "Invalid"),
    ],
)
def test_a_list_that_cannot_be_used_is_named_with_what_is_wrong(
    andon: Andon, fleet: Callable[..., Path], text: str, said: str
) -> None:
    path = fleet()
    path.write_text(text)
    refused = andon("fleet", "status", path)
    assert refused.code == 2
    assert "fleet.toml" in refused.complaint
    assert said in refused.complaint


def test_a_list_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"update\.fleet .*none\.toml"):
        read_fleet(tmp_path / "none.toml", {})


def test_an_address_without_a_path_is_that_of_the_status(fleet: Callable[..., Path]) -> None:
    read = read_fleet(fleet(a="http://a:1", b="https://b/box/status"), {})
    assert [each.url for each in read.boxes] == ["http://a:1/status", "https://b/box/status"]


def standing(*stations: dict[str, Any], name: str | None = None) -> Standing:
    answer = Answer(Box("one", "http://one"), msgspec.convert(status(*stations), Status))
    return report_of(answer, DIGEST[:12], name).standing


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, Standing.WELL),
        ({"state": "stopped", "fault": "camera"}, Standing.FAILED),
        ({"fault": "starting"}, Standing.WELL),
        ({"update": {"phase": "probation", "digest": DIGEST}}, Standing.TRYING),
        ({"update": {"phase": "refused", "digest": OTHER}}, Standing.WELL),
        ({"bundle_digest": OTHER, "update": {"phase": "shadow", "digest": DIGEST}}, Standing.TRYING),
        ({"bundle_digest": OTHER, "update": {"phase": "kept", "digest": OTHER}}, Standing.WAITING),
        ({"bundle_digest": OTHER, "update": None}, Standing.WAITING),
        ({"bundle_digest": OTHER, "update": {"phase": "refused", "digest": DIGEST}}, Standing.FAILED),
        ({"bundle_digest": OTHER, "update": {"phase": "rolled_back", "digest": DIGEST}}, Standing.FAILED),
    ],
)
def test_how_a_box_stands_to_a_release(said: dict[str, Any], expected: Standing) -> None:
    assert standing(station(**said)) is expected


def test_a_box_stands_as_the_worst_of_the_stations_that_it_is_for() -> None:
    other = station(name="side", bundle="boards", bundle_digest=OTHER, update=None)
    assert standing(station(), other) is Standing.WAITING
    assert standing(station(), other, name="plates") is Standing.WELL
    assert standing(other, name="plates") is Standing.WAITING


def test_a_box_that_is_away_is_away() -> None:
    assert report_of(Answer(Box("one", "http://one")), DIGEST).standing is Standing.AWAY


def test_the_next_wave_is_named(andon: Andon, fleet: Callable[..., Path], box: MakeBox) -> None:
    waiting = station(bundle_digest=OTHER, update=None)
    path = fleet(a=box(status()), b=box(status(waiting)), c=box(status(waiting)), more="[waves]\nshares = [0.5, 1.0]\n")

    def advice(started: int) -> Any:
        (document,) = andon("fleet", "next", path, "--digest", DIGEST[:12], "--started", started, "--json").documents
        return document["advice"], document["wave"], document["boxes"]

    assert advice(0) == ("start", 1, ["a"])
    assert advice(1) == ("start", 2, ["b"])
    assert advice(2) == ("wait", 2, ["b"])
    assert "start wave 2 of 3: b" in andon("fleet", "next", path, "--digest", DIGEST, "--started", 1).out


def test_a_failed_box_stops_the_release(andon: Andon, fleet: Callable[..., Path], box: MakeBox) -> None:
    failed = station(bundle_digest=OTHER, update={"phase": "rolled_back", "digest": DIGEST})
    path = fleet(a=box(status(failed)), b=box(status()))
    said = andon("fleet", "next", path, "--digest", DIGEST, "--started", 1)
    assert said.code == 1
    assert "stop after wave 1 of 2" in said.out
    assert andon("fleet", "next", path, "--digest", "12", "--started", 1).code == 2
