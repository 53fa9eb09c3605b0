"""What boxes at the line kept, taken in by the service: shown as if it had been decided here, once each, whoever is killed meanwhile."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn
from starlette.testclient import TestClient
from tests.datasets.store.boxes import BOX, assert_holds, counts, keep, keep_all_kinds, rows
from tests.datasets.store.records import START, inspection
from tests.datasets.store.test_replicated_conditions import Ears
from tests.motors import ASSETS, motor
from tests.serving.clients import at_this_machine
from tests.serving.conftest import OPTIONS
from tests.serving.edge_senders import NO_FILES, PATIENCE_S, QUICK, bearing, give_key
from tests.serving.security.test_listening import write_pair
from tests.serving.signal_requests import CALM, SICK, STEP
from tests.serving.test_inspections import assert_problem

from andon.datasets.condition.desk import SignalDesk
from andon.datasets.condition.records import describe
from andon.datasets.store.condition_chain import OwnChain
from andon.datasets.store.conditions import Conditions, SignalRecord
from andon.datasets.store.ledger import entries
from andon.datasets.store.opening import Store
from andon.datasets.store.recorder import Recorder
from andon.datasets.store.replication import BatchLimits, FileChoice, Outgoing
from andon.datasets.store.room import Room
from andon.datasets.store.schema import inspections
from andon.datasets.vibration.parquet_files import parquet_bytes
from andon.hardware.edge.remote import Service, ServiceAddress
from andon.hardware.edge.upload import Progress, Uploader
from andon.models.alerts.case import AlertEvent, AlertPolicy
from andon.models.signing.server_tls import tls_context
from andon.models.types.vibration import Machine, Signal
from andon.models.types.vision import Frame
from andon.serving.api.app import Surroundings, create_app
from andon.serving.api.schemas import MOST_DIGESTS, MOST_ENTRIES
from andon.serving.engine.repository import ModelRepository

URL = "/api/v1/edge"
HEAD, ENTRIES = f"{URL}/{BOX}/head", f"{URL}/{BOX}/entries"


@pytest.fixture
def taking(repository: ModelRepository, kept: Store) -> Iterator[TestClient]:
    """The service over an empty store on each kind of database, for somebody at its machine."""
    with at_this_machine(create_app(repository, kept, options=OPTIONS), raise_server_exceptions=False) as started:
        yield started


def batch_of(box: Store, after: int = 0) -> dict[str, Any]:
    """What the box sends next, as JSON."""
    parcel = Outgoing(box, NO_FILES, BatchLimits(entries=MOST_ENTRIES)).after(after)
    assert parcel
    document: dict[str, Any] = msgspec.to_builtins(parcel.batch)
    return document


def upload(box: Store, url: str, key: str, ca: Path | None = None) -> Progress:
    """Upload until all is there or something is refused."""
    with Uploader(box, Service(ServiceAddress(url, key, ca)), pace=QUICK) as uploader:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            progress = uploader.progress()
            if progress.error or (progress.confirmed is not None and progress.waiting == 0):
                return progress
            assert time.monotonic() < deadline, progress
            time.sleep(0.01)


def test_a_boxs_records_are_shown_as_the_services_own(box: Store, taking: TestClient, kept: Store) -> None:
    identifier = keep_all_kinds(box)[0]
    for digest in taking.post(
        f"{URL}/images/missing", json={"digests": [each["image"] for each in rows(box, inspections)]}
    ).json()["missing"]:
        taking.put(f"{URL}/images/{digest}", content=b"picture 0")
    answer = taking.post(ENTRIES, json=batch_of(box))
    assert (answer.status_code, answer.json()["seq"]) == (200, 7), answer.text
    assert taking.get(HEAD).json() == answer.json()
    listed = taking.get("/api/v1/inspections").json()["items"]
    assert [each["id"] for each in listed] == [each["id"] for each in reversed(rows(box, inspections))]
    shown = taking.get(f"/api/v1/inspections/{identifier}").json()
    assert shown["ledger_hash"] == next(entries(box.database, BOX)).hash
    life = taking.get("/api/v1/parts/A0").json()
    assert ([each["id"] for each in life["inspections"]], life["dispositions"][0]["label"]) == ([identifier], "dust")
    span = {"since": START.isoformat(), "until": START.replace(hour=23).isoformat()}
    found = taking.get("/api/v1/yield", params=span).json()["items"]
    assert {each["verdict"]: each["count"] for each in found} == {"NG": 1, "OK": 2}
    chains = taking.get("/api/v1/ledger/chains").json()["items"]
    assert chains == [{"origin": BOX, "count": 7, "hash": answer.json()["hash"]}]
    assert len(taking.get("/api/v1/recipes").json()["items"]) == 1
    assert_holds(kept, BOX, 7)
    assert taking.post(f"/api/v1/inspections/{identifier}/disposition", json={"verdict": "NG"}).status_code == 201
    assert_holds(kept, BOX, 7)
    assert_holds(kept, kept.origin, 1)
    assert taking.post(ENTRIES, json=batch_of(box)).json() == answer.json()


def test_pictures_are_shown(
    box: Store, server: str, store: Store, draw_plate: Callable[..., Frame], png: Callable[[Frame], bytes]
) -> None:
    picture, key = png(draw_plate(1)), give_key(store.database, BOX, "operator")
    recorder = Recorder(box.database, BOX)
    recorder.record(replace(inspection(1), image=box.blobs.put(picture))).result()
    recorder.close()
    assert upload(box, f"http://{server}", key).error is None
    shown = httpx.get(f"http://{server}/api/v1/inspections/{inspection(1).id}/image", headers=bearing(key))
    assert shown.content == picture


def test_each_record_is_told_once(box: Store, server: str, store: Store) -> None:
    """To those who follow events, however often it is sent."""
    url, key = f"http://{server}", give_key(store.database, BOX, "operator")
    keep(box, range(5))
    events = f"{url}/api/v1/events?topics=verdicts"
    with httpx.stream("GET", events, headers=bearing(key), timeout=PATIENCE_S) as following:
        lines = following.iter_lines()
        while next(lines):
            pass
        for _ in range(2):
            assert upload(box, url, key).error is None
        answer = httpx.post(f"{url}{ENTRIES}", json=batch_of(box), headers=bearing(key))
        assert answer.json()["seq"] == 5
        keep(box, [9])
        assert upload(box, url, key).error is None
        told = list[str]()
        while len(told) < 6:
            line = next(lines)
            if line.startswith("data:"):
                told.append(json.loads(line.removeprefix("data:"))["id"])
    assert told == [each["id"] for each in rows(box, inspections)]


def test_a_boxs_signals_and_alerts_are_shown_and_told_as_the_services_own(
    box: Store, kept: Store, repository: ModelRepository
) -> None:
    """From a motor whose outer race is damaged, as the box assesses it; people at the service decide on its case."""
    ears = Ears()
    app = create_app(repository, kept, options=OPTIONS, around=Surroundings(teller=ears))
    with at_this_machine(app, raise_server_exceptions=False) as client:
        answers = assess_at(box, SICK)
        assert taken(client, box) == len(answers) + 1
        (alert,) = client.get("/api/v1/alerts").json()["items"]
        assert [each.case.id for each in ears.told] == [alert["id"]]
        assert (alert["fault"], alert["state"], alert["asset"]) == ("outer_race", "open", ASSETS[0])
        listed = client.get("/api/v1/signals", params={"asset": ASSETS[0]}).json()["items"]
        assert listed == [msgspec.json.decode(each.answer) for each in reversed(answers)]
        shown = client.get(f"/api/v1/signals/{answers[0].id}/waveform")
        assert shown.content == box.blobs.get(answers[0].waveform)
        chain = {each.hash for each in entries(kept.database, BOX)}
        assert all(each["ledger_hash"] in chain for each in listed)
        assert client.post(f"/api/v1/alerts/{alert['id']}/acknowledge", json={}).json()["state"] == "acknowledged"
        answers = assess_at(box, CALM, len(SICK))
        assert taken(client, box, len(SICK) + 1) == len(SICK) + 1 + len(answers) + 1
        events = client.get(f"/api/v1/alerts/{alert['id']}").json()["events"]
        assert [each["event"] for each in events] == ["raised", "acknowledged", "cleared"]
        (machine,) = client.get("/api/v1/assets").json()["items"]
        assert (machine["name"], machine["alert"]) == (ASSETS[0], None)
        assert [each.event for each in ears.told] == [AlertEvent.RAISED, AlertEvent.CLEARED]
    assert_holds(kept, BOX, 14)


def taken(client: TestClient, box: Store, after: int = 0) -> int:
    """Send what follows an entry with its files; return where the chain ends then."""
    parcel = Outgoing(box, FileChoice(), BatchLimits()).after(after)
    assert parcel
    for digest in client.post(f"{URL}/images/missing", json={"digests": list(parcel.files.values())}).json()["missing"]:
        assert client.put(f"{URL}/images/{digest}", content=box.blobs.get(digest)).status_code == 200
    answer = client.post(ENTRIES, json=msgspec.to_builtins(parcel.batch))
    assert answer.status_code == 200, answer.text
    return int(answer.json()["seq"])


def assess_at(box: Store, series: list[Signal], first: int = 0) -> list[SignalRecord]:
    """Assess signals at the box, taken ten minutes apart."""
    conditions = Conditions(box.database, chain=OwnChain(BOX))
    desk, answers = SignalDesk(motor, conditions, AlertPolicy()), list[SignalRecord]()
    for turn, signal in enumerate(series, first):
        given = replace(signal, asset=ASSETS[0], time=START + turn * STEP)
        waveform = box.blobs.put(parquet_bytes(given))
        record = partial(describe, given, None, waveform)
        answers.append(desk.assess(given, Machine(ASSETS[0]), None, record))
    return answers


# Who may.


def test_a_key_writes_the_chain_that_it_is_named_after(box: Store, kept: Store, repository: ModelRepository) -> None:
    keep(box, [1])
    with at_this_machine(create_app(repository, kept, options=OPTIONS)) as client:

        def status(key: str, path: str = HEAD) -> tuple[int, str]:
            answer = client.get(path, headers=bearing(key))
            return answer.status_code, answer.json().get("code", "")

        own = give_key(kept.database, BOX, "operator")
        assert status(own) == (200, "")
        assert status(own, f"{URL}/line-2/head") == (403, "upload.other_key")
        assert status(give_key(kept.database, "other", "operator")) == (403, "upload.other_key")
        assert status(give_key(kept.database, "watcher", "viewer")) == (403, "security.role")
        assert status(give_key(kept.database, "line-3", "operator", "Acme")) == (403, "security.not_separated")
        for role in ("engineer", "admin"):
            key = give_key(kept.database, role, role)
            assert status(key) == (200, "")
            assert status(key, f"{URL}/{kept.origin}/head") == (403, "upload.own_chain")
        other = client.post(f"{URL}/line-2/entries", json=batch_of(box), headers=bearing(own))
        assert_problem(other, 403, "upload.other_key")
        mine = client.post(ENTRIES, json=batch_of(box), headers=bearing(own))
        assert mine.status_code == 200
    assert counts(kept)["ledger"] == 1


# What cannot be used.


def damaged(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], bytes]:
    def make(batch: dict[str, Any]) -> bytes:
        change(batch)
        return json.dumps(batch).encode()

    return make


HOSTILE: tuple[tuple[Callable[[dict[str, Any]], bytes], int, str], ...] = (
    (lambda batch: b"", 400, "serving.parameters"),
    (lambda batch: b"null", 400, "serving.parameters"),
    (lambda batch: b"{" * 100_000, 400, "serving.parameters"),
    (lambda batch: b"[" * 100_000, 400, "serving.parameters"),
    (lambda batch: json.dumps(batch).encode("utf-16"), 400, "serving.parameters"),
    (lambda batch: json.dumps(batch).encode()[:-9], 400, "serving.parameters"),
    (lambda batch: b'{"entries": [{"seq": 1e999}]}', 400, "serving.parameters"),
    (lambda batch: json.dumps(batch).encode() + b" " * OPTIONS.max_body_bytes, 413, "serving.too_large"),
    (damaged(lambda batch: batch.update(entries=[])), 400, "serving.parameters"),
    (damaged(lambda batch: batch.update(origin=BOX)), 400, "serving.parameters"),
    (damaged(lambda batch: batch["entries"][0].update(time="now")), 400, "serving.parameters"),
    (damaged(lambda batch: batch["entries"][0].update(seq=0)), 400, "serving.parameters"),
    (damaged(lambda batch: batch["entries"][0].update(seq=2**63)), 400, "serving.parameters"),
    (damaged(lambda batch: batch["entries"][0].update(hash="f" * 63)), 400, "serving.parameters"),
    (damaged(lambda batch: batch["entries"][0].update(body="\ud800")), 400, "serving.parameters"),
    (damaged(lambda batch: batch["entries"][0].update(body="x" * 9)), 400, "ledger.changed"),
    (damaged(lambda batch: batch["entries"][0].update(document="x")), 400, "upload.document"),
    (damaged(lambda batch: batch["entries"][0].update(image=True)), 422, "upload.image_absent"),
    (damaged(lambda batch: batch.update(bundles=[])), 400, "upload.no_bundle"),
    (damaged(lambda batch: batch["bundles"][0].update(name="a\x00b")), 400, "serving.parameters"),
    (damaged(lambda batch: batch.update(entries=batch["entries"][1:])), 422, "upload.gap"),
    (damaged(lambda batch: batch["entries"].reverse()), 400, "ledger.repeated"),
    (damaged(lambda batch: batch.update(entries=[*batch["entries"], *batch["entries"]])), 400, "ledger.repeated"),
    (
        damaged(lambda batch: batch.update(entries=batch["entries"][:1] * (MOST_ENTRIES + 1))),
        413,
        "upload.too_many",
    ),
)


def test_what_cannot_be_used_is_a_problem_and_changes_nothing(box: Store, taking: TestClient, kept: Store) -> None:
    keep(box, range(3))
    before = counts(kept)
    for number, (make, status, code) in enumerate(HOSTILE):
        answer = taking.post(ENTRIES, content=make(batch_of(box)))
        assert (answer.status_code, answer.json()["code"]) == (status, code), number
        assert_problem(answer, status, code)
    assert counts(kept) == before
    for path in (f"{URL}/line-2/entries", f"{URL}/a%20b/entries"):
        assert_problem(taking.post(path, json=batch_of(box)), 400, "ledger.mislabelled")
    assert_problem(taking.post(f"{URL}/{kept.origin}/entries", json=batch_of(box)), 403, "upload.own_chain")
    assert_problem(taking.get(f"{URL}/a%0Ab/head"), 400, "serving.parameters")
    assert_problem(taking.get(f"{URL}/{'x' * 300}/head"), 400, "serving.parameters")
    assert counts(kept) == before
    assert taking.post(ENTRIES, json=batch_of(box)).status_code == 200


def test_pictures_that_cannot_be_used_are_a_problem(taking: TestClient) -> None:
    digest = "0" * 64
    for path, body, status, code in (
        (f"{URL}/images/{digest}", b"x", 400, "upload.image_digest"),
        (f"{URL}/images/{'A' * 64}", b"x", 400, "serving.parameters"),
        (f"{URL}/images/..%2f..%2fx", b"x", 404, "serving.route_unknown"),
        (f"{URL}/images/{digest}", b"x" * (OPTIONS.max_body_bytes + 1), 413, "serving.too_large"),
    ):
        assert_problem(taking.put(path, content=body), status, code)
    for said in ({"digests": ["x"]}, {"digests": [digest] * (MOST_DIGESTS + 1)}, {}, {"digests": [], "x": 1}):
        assert_problem(taking.post(f"{URL}/images/missing", json=said), 400, "serving.parameters")


def test_a_full_disk_takes_nothing_and_the_box_waits(
    box: Store, kept: Store, repository: ModelRepository, tmp_path: Path
) -> None:
    keep(box, [1])
    full = replace(kept, room=Room(tmp_path, 1 << 60))
    with at_this_machine(create_app(repository, full, options=OPTIONS)) as client:
        assert_problem(client.post(ENTRIES, json=batch_of(box)), 507, "store.no_room")
        assert_problem(client.put(f"{URL}/images/{'0' * 64}", content=b"x"), 507, "store.no_room")
        assert client.get(HEAD).json()["seq"] == 0


# On the wire.


@contextmanager
def listening(app: Any, context: ssl.SSLContext) -> Iterator[int]:
    """Serve on a free port with TLS."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, ssl_context_factory=lambda *_: context)
    serving = uvicorn.Server(config)
    thread = threading.Thread(target=serving.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        app.state.leave()
        serving.should_exit = True
        thread.join()
        listener.close()


def test_it_goes_over_tls_to_whom_the_box_trusts(
    box: Store, store: Store, repository: ModelRepository, tmp_path: Path
) -> None:
    keep(box, range(3))
    for name in ("own", "other"):
        (tmp_path / name).mkdir()
    files, others = write_pair(tmp_path / "own"), write_pair(tmp_path / "other")
    key = give_key(store.database, BOX, "operator")
    app = create_app(repository, store, options=OPTIONS)
    with listening(app, tls_context(files)) as port:
        for address, ca in (
            (f"https://localhost:{port}", others.certificate),
            (f"https://127.0.0.1:{port}", files.certificate),
        ):
            refused = upload(box, address, key, ca).error
            assert refused
            assert refused.code == "upload.away"
            assert "certificate" in str(refused)
        wrong = upload(box, f"https://localhost:{port}", "wrong", files.certificate).error
        assert wrong
        assert (wrong.code, wrong.params["status"]) == ("upload.refused", 401)
        assert upload(box, f"https://localhost:{port}", key, files.certificate).error is None
    assert_holds(store, BOX, 3)
