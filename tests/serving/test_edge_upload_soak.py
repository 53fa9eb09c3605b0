"""Boxes and the service killed while one sends to the other, and what waited for days: nothing is lost, and nothing comes twice."""

import os
import random
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Table
from tests.conftest import Andon
from tests.datasets.store.boxes import BOX, assert_holds, keep, rows
from tests.datasets.store.machines import sense
from tests.serving.edge_senders import NO_FILES, PATIENCE_S, QUICK, bearing, give_key
from tests.serving.notify.receivers import WebServer, eventually, web_server
from tests.serving.test_soak import service

from andon.datasets.store.database import open_database
from andon.datasets.store.ledger import head_of
from andon.datasets.store.opening import Store, StoreOptions, open_store
from andon.datasets.store.schema import alert_events, alerts, indicators, inspections, ledger, sensors, signals, tallies
from andon.datasets.store.upgrade import ensure_current
from andon.hardware.edge.remote import KEY_VARIABLE, Service, ServiceAddress
from andon.hardware.edge.upload import Uploader

IS_SOAK = bool(os.environ.get("ANDON_SOAK"))
KILLS = 50 if IS_SOAK else 2
"""For each kind of database."""
MEASURED = 20_000 if IS_SOAK else 1_000


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """Whom the service tells of alerts; on this machine, whatever proxy stands between it and others."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with web_server() as server:
        yield server


@contextmanager
def working_box(home: Path, url: str, key: str, stop: Path) -> Iterator[subprocess.Popen[str]]:
    """A box in a process of its own; it is killed where it still runs."""
    command = [sys.executable, "-m", "tests.serving.uploading_box", str(home), url, str(stop)]
    environment = {**os.environ, KEY_VARIABLE: key}
    root = Path(__file__).parents[2]
    with (
        (home.with_suffix(".log")).open("a") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment, cwd=root) as process,
    ):
        try:
            assert process.stdout
            assert process.stdout.readline() == "working\n", home.with_suffix(".log").read_text()
            yield process
        finally:
            process.kill()


CONDITIONS: dict[Table, tuple[str, ...]] = {
    signals: ("request_key", "request_digest"),
    indicators: (),
    sensors: (),
    alerts: ("origin", "changed"),
    alert_events: ("id",),
}
"""What is known of machines, and what of it each place says for itself."""
LEASED_S = 90.0


def telling(web: WebServer) -> str:
    """A service's file of channels with one that it posts to."""
    channel = f'kind = "webhook"\nurl = "{web.url}"\nsecrets = ["whsec_{b64encode(bytes(24)).decode()}"]\n'
    return f'[channels.cmms]\n{channel}[[routes]]\nchannels = ["cmms"]\n'


def all_pages(url: str, key: str) -> list[dict[str, Any]]:
    items, asked = list[dict[str, Any]](), {"limit": "100"}
    while True:
        page = httpx.get(url, params=asked, headers=bearing(key)).json()
        items += page["items"]
        if page["next"] is None:
            return items
        asked["cursor"] = page["next"]


@pytest.mark.soak
def test_whoever_is_killed_nothing_is_lost_and_nothing_comes_twice(
    database_address: str,
    tmp_path: Path,
    andon: Andon,
    web: WebServer,
    record_property: Callable[[str, object], None],
) -> None:
    chance = random.Random(11)
    home, stop = tmp_path / "box", tmp_path / "stop"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    (tmp_path / "notify.toml").write_text(telling(web))
    options = ["--port", str(port), "--db", database_address, "--blobs", str(tmp_path / "kept"), "--origin", "service"]
    options += ["--notify", str(tmp_path / "notify.toml")]
    with open_database(database_address) as database:
        ensure_current(database)
        key = give_key(database, BOX, "operator")
    with ExitStack() as serving, ExitStack() as boxes:
        starts: dict[ExitStack, Callable[[], Any]] = {
            serving: lambda: service(*options, home=tmp_path / "home"),
            boxes: lambda: working_box(home, url, key, stop),
        }
        for stack, start in starts.items():
            stack.enter_context(start())
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.2, 1.5))
            for stack in chance.choice(([serving], [boxes], [boxes, serving])):
                stack.close()
                stack.enter_context(starts[stack]())
        boxes.close()
        stop.touch()
        last = boxes.enter_context(working_box(home, url, key, stop))
        assert last.stdout
        assert last.stdout.readline() == "sent\n"
        assert last.wait(PATIENCE_S) == 0
        cases = all_pages(f"{url}/api/v1/alerts", key)
        # What was being told when a process was killed is told again under the same identifier, once its lease has run out.
        eventually(lambda: len(set(web.ids)) == len(cases), LEASED_S)
    box = open_store(home, StoreOptions(BOX))
    there = Store(open_database(database_address), box.blobs, "service", box.room)
    with box.database, there.database:
        n_entries = head_of(box.database, BOX).seq
        for table in (ledger, tallies):
            assert rows(there, table) == rows(box, table), table.name
        assert rows(there, inspections, "image_kept") == rows(box, inspections, "image_kept")
        for table, changing in CONDITIONS.items():
            assert rows(there, table, *changing) == rows(box, table, *changing), table.name
        assert all(each["waveform_kept"] for each in rows(there, signals))
        told = Counter(
            each["id"] for each in {each.document["event_id"]: each.document for each in web.requests}.values()
        )
        assert cases
        assert told == Counter(each["id"] for each in cases) == Counter(each["id"] for each in rows(box, alerts))
        assert_holds(there, BOX, n_entries)
        shown = Counter(each["verdict"] for each in rows(there, inspections))
    assert sum(shown.values()) % 16 == 0
    record_property("kills", KILLS)
    record_property("entries", n_entries)
    record_property("alerts", len(cases))
    verified = andon("ledger", "verify", "--db", database_address, "--json")
    assert (verified.code, [each["count"] for each in verified.documents]) == (0, [n_entries])


@pytest.mark.soak
@pytest.mark.parametrize("keep_at", [keep, sense], ids=["parts", "signals"])
def test_what_waited_for_days_goes_quickly(
    box: Store,
    database_address: str,
    tmp_path: Path,
    keep_at: Callable[..., object],
    record_property: Callable[[str, object], None],
) -> None:
    keep_at(box, range(MEASURED))
    with open_database(database_address) as database:
        ensure_current(database)
        key = give_key(database, BOX, "operator")
    options = ("--db", database_address, "--blobs", str(tmp_path / "kept"), "--origin", "service")
    with service(*options, home=tmp_path / "home") as (_, url):
        uploader = Uploader(box, Service(ServiceAddress(url, key)), NO_FILES, pace=QUICK)
        began = time.monotonic()
        with uploader:
            while uploader.progress().waiting:
                time.sleep(0.01)
        taken_s = time.monotonic() - began
    with open_database(database_address) as database:
        assert head_of(database, BOX).seq == MEASURED
    record_property("records", MEASURED)
    record_property("records_per_s", round(MEASURED / taken_s))
