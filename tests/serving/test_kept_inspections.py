"""What is posted is kept: found again by page, by id, by part; decided on by people; refused where it cannot be kept."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient
from tests.databases import PostgresServer
from tests.serving.clients import at_this_machine
from tests.serving.conftest import OPTIONS
from tests.serving.test_inspections import assert_problem

from andon.datasets.store.blobs import open_blobs
from andon.datasets.store.database import open_database
from andon.datasets.store.ledger import entries
from andon.datasets.store.opening import Store
from andon.datasets.store.room import Room
from andon.datasets.store.upgrade import ensure_current
from andon.models.ledger.chain import Head, verify
from andon.models.types.vision import Frame
from andon.serving.api.app import create_app
from andon.serving.engine.repository import ModelRepository

URL = "/api/v1/inspections"
GS1 = "(01)09506000134352(21)A-1"


@pytest.fixture
def keeping(repository: ModelRepository, kept: Store) -> Iterator[TestClient]:
    with at_this_machine(create_app(repository, kept, options=OPTIONS), raise_server_exceptions=False) as started:
        yield started


@pytest.fixture(scope="session")
def good(draw_plate: Callable[..., Frame], png: Callable[[Frame], bytes]) -> bytes:
    return png(draw_plate(3))


@pytest.fixture(scope="session")
def bad(draw_plate: Callable[..., Frame], png: Callable[[Frame], bytes]) -> bytes:
    return png(draw_plate(3, True))


def post(client: TestClient, image: bytes, key: str | None = None, **said: str) -> dict[str, Any]:
    answer = client.post(URL, params=said, content=image, headers={"Idempotency-Key": key} if key else {})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_an_inspection_is_found_as_it_was_answered(keeping: TestClient, good: bytes) -> None:
    answer = post(keeping, good, serial="A1", station="S1")
    assert keeping.get(f"{URL}/{answer['id']}").json() == answer
    assert keeping.get(URL).json() == {"items": [answer], "next": None}
    image = keeping.get(f"{URL}/{answer['id']}/image")
    assert (image.content, image.headers["content-type"]) == (good, "image/png")


def test_lists_are_filtered_and_paged(keeping: TestClient, good: bytes, bad: bytes) -> None:
    answers = [post(keeping, bad if turn % 2 else good, serial=f"A{turn}", station=f"S{turn % 3}") for turn in range(6)]
    seen, query = list[str](), {"limit": "4"}
    while True:
        page = keeping.get(URL, params=query).json()
        seen += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == [each["id"] for each in reversed(answers)]

    def listed(**query: str) -> list[str]:
        return [each["serial"] for each in keeping.get(URL, params=query).json()["items"]]

    assert listed(verdict="NG") == ["A5", "A3", "A1"]
    assert listed(station="S2") == ["A5", "A2"]
    assert listed(serial=" A4 ") == ["A4"]
    assert listed(since=(datetime.now(UTC) + timedelta(hours=1)).isoformat()) == []
    assert len(listed(since="0001-01-01T00:00:00Z", until="9999-12-31T23:59:59Z")) == 6
    assert listed(until="0001-01-01T00:00:00Z") == []
    counts = Counter[str]()
    for each in keeping.get("/api/v1/yield").json()["items"]:
        counts[each["verdict"]] += each["count"]
    assert counts == {"OK": 3, "NG": 3}


@pytest.mark.parametrize("spelling", [GS1, "https://id.gs1.org/01/09506000134352/21/A-1", "A-1"])
def test_a_part_is_found_by_any_spelling_of_its_code(
    keeping: TestClient, good: bytes, bad: bytes, spelling: str
) -> None:
    first, second = post(keeping, bad, serial=GS1), post(keeping, good, serial="]d20109506000134352\x1d21A-1")
    post(keeping, good, serial="other")
    life = keeping.get(f"/api/v1/parts/{quote(spelling, safe='')}").json()
    assert [each["id"] for each in life["inspections"]] == [first["id"], second["id"]]
    assert (first["part"], life["part"], life["scheme"]) == (GS1, GS1, "gs1")
    assert first["serial"] == GS1


def test_a_damaged_code_is_refused(keeping: TestClient, good: bytes) -> None:
    answer = keeping.post(URL, params={"serial": "(01)09506000134353"}, content=good)
    assert answer.status_code == 400
    assert answer.json()["code"].startswith("code.")
    assert keeping.get("/api/v1/parts/unknown").status_code == 404


def test_people_decide_what_holds(keeping: TestClient, bad: bytes) -> None:
    answer = post(keeping, bad, serial="A1")
    decision = keeping.post(f"{URL}/{answer['id']}/disposition", json={"verdict": "OK", "label": "dust"})
    assert (decision.status_code, decision.json()["verdict"]) == (201, "OK")
    life = keeping.get("/api/v1/parts/A1").json()
    assert [(each["verdict"], each["label"]) for each in life["dispositions"]] == [("OK", "dust")]
    for body in ({"verdict": "MAYBE"}, {}, {"verdict": "OK", "lable": "x"}):
        assert_problem(keeping.post(f"{URL}/{answer['id']}/disposition", json=body), 400, "serving.parameters")
    nobody = "017f22e2-79b0-7000-98c4-dc0c0c07398f"
    assert keeping.post(f"{URL}/{nobody}/disposition", json={"verdict": "OK"}).status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{URL}/x", 400),
        (f"{URL}/017f22e2-79b0-7000-98c4-dc0c0c07398f", 404),
        (f"{URL}/017f22e2-79b0-7000-98c4-dc0c0c07398f/image", 404),
        (f"{URL}?limit=0", 400),
        (f"{URL}?limit=99999999999999999999999", 400),
        (f"{URL}?cursor=x", 400),
        (f"{URL}?verdict=ok", 400),
        (f"{URL}?since=yesterday", 400),
        (f"{URL}?since=0001-01-01T00:00:00%2B14:00", 400),
        (f"{URL}?colour=red", 400),
        (f"{URL}?limit=1&limit=2", 400),
        (f"{URL}?serial=%00", 400),
        (f"{URL}?station=S1%0A", 400),
    ],
)
def test_what_cannot_be_asked_is_a_problem(keeping: TestClient, path: str, status: int) -> None:
    answer = keeping.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_a_repeated_request_is_kept_once_over_restarts(
    repository: ModelRepository, kept: Store, good: bytes, bad: bytes
) -> None:
    answers = []
    for _ in range(2):
        with at_this_machine(create_app(repository, kept, options=OPTIONS)) as client:
            answers += [post(client, good, key="k", serial="A1") for _ in range(2)]
            conflict = client.post(URL, content=bad, headers={"Idempotency-Key": "k"})
            assert_problem(conflict, 422, "serving.key_reused")
            assert len(client.get(URL).json()["items"]) == 1
    assert [each == answers[0] for each in answers] == [True] * 4


def test_every_answer_stands_in_the_ledger(keeping: TestClient, kept: Store, good: bytes) -> None:
    answers = [post(keeping, good, serial=f"A{turn}") for turn in range(5)]
    chain = list(entries(kept.database, "box"))
    assert verify(chain, Head("box")).broken is None
    assert [each.hash for each in chain] == [each["ledger_hash"] for each in answers]
    (told,) = keeping.get("/api/v1/ledger/chains").json()["items"]
    assert (told["origin"], told["count"], told["hash"]) == ("box", 5, chain[-1].hash)
    lines = keeping.get("/api/v1/ledger/entries", params={"origin": "box", "after": 2, "limit": 2}).text.splitlines()
    assert [json.loads(each)["hash"] for each in lines] == [each.hash for each in chain[2:4]]
    assert keeping.get("/api/v1/ledger/entries").status_code == 400


def test_without_room_nothing_is_taken_and_what_is_kept_stays(
    repository: ModelRepository, kept: Store, keeping: TestClient, good: bytes
) -> None:
    before = post(keeping, good)
    full = replace(kept, room=Room(Path("/"), 1 << 60))
    with at_this_machine(create_app(repository, full, options=OPTIONS)) as client:
        assert_problem(client.post(URL, content=good), 507, "store.no_room")
        assert client.post("/api/v1/signals", params={"rate_hz": 1000}, content=bytes(400)).status_code == 507
        assert client.get(f"{URL}/{before['id']}").json() == before
        assert client.get("/v2/health/ready").status_code == 503
        health = client.get("/api/v1/health").json()
        assert [health[part]["ok"] for part in ("models", "database", "disk")] == [True, True, False]


def test_a_database_that_went_and_came_back(
    repository: ModelRepository, postgres: PostgresServer, tmp_path: Path, good: bytes
) -> None:
    database = open_database(postgres.new_database())
    ensure_current(database)
    store = Store(database, open_blobs(str(tmp_path / "kept")), "box", Room(tmp_path, 0))
    with at_this_machine(create_app(repository, store, options=OPTIONS), raise_server_exceptions=False) as client:
        before = post(client, good)
        postgres.stop()
        try:
            away = client.post(URL, content=good)
            assert_problem(away, 503, "store.unreachable")
            assert int(away.headers["retry-after"]) > 0
            assert client.get(URL).status_code == 503
            assert client.get("/v2/health/live").status_code == 200
            assert client.get("/v2/health/ready").status_code == 503
            health = client.get("/api/v1/health").json()
            assert [health[part]["ok"] for part in ("models", "database", "disk")] == [True, False, True]
        finally:
            postgres.start()
        assert client.get("/v2/health/ready").status_code == 200
        assert client.get("/api/v1/health").json()["ready"]
        after = post(client, good)
        assert [each["id"] for each in client.get(URL).json()["items"]] == [after["id"], before["id"]]
    assert verify(entries(database, "box"), Head("box")).head.seq == 2
    database.close()
