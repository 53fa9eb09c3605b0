"""What is let go, what never is, and what is left where a process is killed in between."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from tests.datasets.store.boxes import BOX, keep, rows
from tests.datasets.store.records import START, inspection

from andon.datasets.store.blobs import BlobStore, open_blobs
from andon.datasets.store.database import Database, open_database
from andon.datasets.store.ledger import entries, find_changed_document
from andon.datasets.store.opening import StoreOptions, open_store
from andon.datasets.store.recorder import Recorder
from andon.datasets.store.retention import KeepingRules, limits, plan, pressed, prune, sweep
from andon.datasets.store.schema import alerts, assets, dispositions, health, inspections, ledger, signals
from andon.datasets.store.upgrade import ensure_current
from andon.models.ledger.chain import Head, verify
from andon.models.types.errors import DataError, ResourceError
from andon.models.types.identifiers import first_id, new_id

ORIGIN = "box"
DAY = timedelta(days=1)
PLENTY = 1 << 50
RULES = KeepingRules()


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return open_blobs(str(tmp_path / "blobs"))


def keep_images(database: Database, blobs: BlobStore, kept: Sequence[tuple[str, bytes]]) -> list[str]:
    """Keep inspections with a verdict and an image each, a second apart."""
    recorder = Recorder(database, ORIGIN)
    records = [
        replace(inspection(number, verdict=verdict), image=blobs.put(contents))
        for number, (verdict, contents) in enumerate(kept)
    ]
    for future in [recorder.record(record) for record in records]:
        future.result()
    recorder.close()
    return [record.id for record in records]


def decide(database: Database, identifier: str) -> None:
    row = {"id": new_id(), "inspection": identifier, "time": START, "verdict": "NG", "label": "", "comment": ""}
    with database.writing() as connection:
        connection.execute(dispositions.insert(), {**row, "operator": "a"})


def keep_waveform(database: Database, blobs: BlobStore, asset: str | None, time: datetime, contents: bytes) -> str:
    identifier = first_id(time)[:-12] + os.urandom(6).hex()
    row = {
        "id": identifier,
        "time": time,
        "received": time,
        "asset": asset,
        "sensor": "s",
        "rate_hz": 1.0,
        "unit": "g",
        "fault": "none",
        "severity": "normal",
        "duration_s": 1.0,
        "document": b"{}",
        "waveform": blobs.put(contents),
        "waveform_kept": True,
    }
    with database.writing() as connection:
        if asset and not connection.scalar(select(func.count()).where(assets.c.name == asset)):
            connection.execute(assets.insert(), {"name": asset})
        connection.execute(signals.insert(), row)
    return identifier


def open_case(database: Database, asset: str, state: str, opened: datetime) -> None:
    row = {"id": new_id(), "asset": asset, "state": state, "kind": "zone", "fault": "none", "severity": "danger"}
    with database.writing() as connection:
        connection.execute(
            alerts.insert(), {**row, "opened": opened, "changed": opened, "case": b"{}", "document": b"{}"}
        )


def kept_images(database: Database) -> list[bool]:
    with database.reading() as connection:
        return list(connection.scalars(select(inspections.c.image_kept).order_by(inspections.c.id)))


def kept_waveforms(database: Database) -> list[bool]:
    with database.reading() as connection:
        return list(connection.scalars(select(signals.c.waveform_kept).order_by(signals.c.id)))


def is_there(blobs: BlobStore, contents: bytes) -> bool:
    digest = sha256(contents).hexdigest()
    return bool(blobs.files.exists(f"{blobs.root}/{digest[:2]}/{digest[2:4]}/{digest}"))


FOUR = [("OK", b"a"), ("NG", b"b"), ("RETAKE", b"c"), ("NG", b"d")]


@pytest.mark.parametrize(
    ("days", "kept"),
    [
        (29, [True, True, True, True]),
        (31, [True, True, False, True]),
        (91, [False, True, False, True]),
        (1096, [False, False, False, True]),
        (99_999, [False, False, False, True]),
    ],
)
def test_images_go_by_verdict_and_age(database: Database, blobs: BlobStore, days: int, kept: list[bool]) -> None:
    decide(database, keep_images(database, blobs, FOUR)[1])
    pruned = prune(database, blobs, ORIGIN, RULES, START + days * DAY, PLENTY)
    assert kept_images(database) == kept == [is_there(blobs, contents) for _, contents in FOUR]
    assert (pruned.images, pruned.files, pruned.freed_bytes) == (kept.count(False),) * 3


def test_an_image_that_nobody_decided_on_goes_only_where_the_rules_give_it_an_age(
    database: Database, blobs: BlobStore
) -> None:
    keep_images(database, blobs, FOUR)
    prune(database, blobs, ORIGIN, RULES, START + 9999 * DAY, 0)
    assert kept_images(database) == [False, True, False, True]
    prune(database, blobs, ORIGIN, replace(RULES, undecided_days=9000), START + 9999 * DAY, PLENTY)
    assert kept_images(database) == [False] * 4


def test_records_stay_and_the_ledger_says_what_went(database: Database, blobs: BlobStore) -> None:
    keep_images(database, blobs, [("OK", b"%d" % number) for number in range(7)])
    rules = replace(RULES, batch=3)
    assert plan(database, rules, START + 100 * DAY)["ok_days"] == 7
    assert prune(database, blobs, ORIGIN, rules, START + 100 * DAY, PLENTY).images == 7
    assert prune(database, blobs, ORIGIN, rules, START + 101 * DAY, PLENTY).images == 0
    chain = list(entries(database, ORIGIN))
    assert verify(chain, Head(ORIGIN)).broken is None
    assert find_changed_document(database, ORIGIN) is None
    said = [each.document()["record"] for each in chain if each.document()["kind"] == "removal"]
    assert [each["images"] for each in said] == [3, 3, 1]
    assert {each["rule"] for each in said} == {"ok_days"}
    digests = {sha256(b"%d" % number).hexdigest() for number in range(7)}
    assert {digest for each in said for digest in each["digests"]} == digests
    assert len(kept_images(database)) == 7


def test_a_run_ends_after_so_many_batches_and_the_next_goes_on(database: Database, blobs: BlobStore) -> None:
    keep_images(database, blobs, [("OK", b"%d" % number) for number in range(5)])
    rules = replace(RULES, batch=1, batches=2)
    counts = [prune(database, blobs, ORIGIN, rules, START + 100 * DAY, PLENTY).images for _ in range(4)]
    assert counts == [2, 2, 1, 0]


def test_a_file_that_another_record_names_stays(database: Database, blobs: BlobStore) -> None:
    keep_images(database, blobs, [("OK", b"same"), ("NG", b"same"), ("OK", b"wave")])
    keep_waveform(database, blobs, None, START + 99 * DAY, b"wave")
    pruned = prune(database, blobs, ORIGIN, RULES, START + 100 * DAY, PLENTY)
    assert (pruned.images, pruned.files) == (2, 0)
    assert is_there(blobs, b"same")
    assert is_there(blobs, b"wave")
    last = list(entries(database, ORIGIN))[-1].document()["record"]
    assert last["digests"] == []


def test_waveforms_go_by_the_health_of_their_machine(database: Database, blobs: BlobStore) -> None:
    for number, asset in enumerate((None, "well", "ill")):
        keep_waveform(database, blobs, asset, START + number * timedelta(hours=1), b"%d" % number)
    open_case(database, "ill", "resolved", START)
    for days, kept in ((179, [True] * 3), (182, [False, False, True]), (1097, [False] * 3)):
        prune(database, blobs, ORIGIN, RULES, START + days * DAY, PLENTY)
        assert kept_waveforms(database) == kept


@pytest.mark.parametrize("state", ["open", "acknowledged"])
def test_waveforms_of_an_open_case_stay(database: Database, blobs: BlobStore, state: str) -> None:
    """From thirty days before it was opened, however full the disk is."""
    for days in (0, 9, 11, 60):
        keep_waveform(database, blobs, "ill", START + days * DAY, b"%d" % days)
    open_case(database, "ill", state, START + 40 * DAY)
    prune(database, blobs, ORIGIN, RULES, START + 9999 * DAY, 0)
    assert kept_waveforms(database) == [False, False, True, True]


def test_a_full_disk_takes_the_oldest_first_and_only_as_much_as_it_needs(database: Database, blobs: BlobStore) -> None:
    keep_images(database, blobs, [("OK", b"%04d" % number) for number in range(4)])
    keep_waveform(database, blobs, None, START - DAY, b"wave")
    now, rules = START + 10 * DAY, replace(RULES, batch=1, min_free_bytes=1000)
    pruned = prune(database, blobs, ORIGIN, rules, now, 990)
    assert (pruned.waveforms, pruned.images, pruned.freed_bytes) == (1, 2, 12)
    assert kept_images(database) == [False, False, True, True]
    assert list(entries(database, ORIGIN))[-1].document()["record"]["rule"] == "min_free_bytes"


def test_nothing_younger_than_the_least_age_goes(database: Database, blobs: BlobStore) -> None:
    keep_images(database, blobs, FOUR)
    rules = replace(RULES, ok_days=0, retake_days=0)
    assert prune(database, blobs, ORIGIN, rules, START + 6 * DAY, 0).images == 0
    assert prune(database, blobs, ORIGIN, rules, START + 8 * DAY, 0).images == 2


def test_what_a_killed_process_left_is_swept(database: Database, blobs: BlobStore) -> None:
    """Killed after the transaction: the file is there, no record names it, and a day later it goes."""
    keep_images(database, blobs, [("OK", b"old"), ("NG", b"kept")])
    with patch.object(BlobStore, "remove", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        prune(database, blobs, ORIGIN, RULES, START + 100 * DAY, PLENTY)
    assert kept_images(database) == [False, True]
    assert is_there(blobs, b"old")
    blobs.put(b"of a request that runs")
    stamp = (START + 100 * DAY).timestamp()
    for contents in (b"old", b"kept"):
        digest = sha256(contents).hexdigest()
        os.utime(f"{blobs.root}/{digest[:2]}/{digest[2:4]}/{digest}", (stamp, stamp))
    assert sweep(database, blobs, START + 100 * DAY + DAY / 2) == 0
    assert sweep(database, blobs, START + 102 * DAY) == 1
    assert not is_there(blobs, b"old")
    assert is_there(blobs, b"kept")
    assert is_there(blobs, b"of a request that runs")
    assert verify(entries(database, ORIGIN), Head(ORIGIN)).broken is None


def test_a_transaction_that_fails_removes_no_file(database: Database, blobs: BlobStore) -> None:
    keep_images(database, blobs, [("OK", b"old")])
    failing = ResourceError("store.unreachable", "x", reason="away")
    with patch("andon.datasets.store.retention.append", side_effect=failing), pytest.raises(ResourceError):
        prune(database, blobs, ORIGIN, RULES, START + 100 * DAY, PLENTY)
    assert kept_images(database) == [True]
    assert is_there(blobs, b"old")


def test_an_empty_store_has_nothing_to_sweep(database: Database, blobs: BlobStore) -> None:
    assert sweep(database, blobs, START) == 0


def test_what_bundles_remember_goes_once_none_of_it_changes(database: Database, blobs: BlobStore) -> None:
    rows = [("used", "a", 0), ("used", "b", 200), ("unused", "a", 10)]
    with database.writing() as connection:
        for bundle, sensor, days in rows:
            row = {"bundle_digest": bundle, "sensor": sensor, "changed": START + days * DAY, "state": b"{}"}
            connection.execute(health.insert(), row)
    pruned = prune(database, blobs, ORIGIN, RULES, START + 210 * DAY, PLENTY)
    assert pruned.rows == {"health": 1, "sessions": 0, "audit": 0, "outbox": 0}
    with database.reading() as connection:
        assert set(connection.scalars(select(health.c.bundle_digest))) == {"used"}


@pytest.mark.parametrize("wrong", [{"ok_days": -1}, {"audit_days": 183}, {"batch": 0}, {"ng_days": float("nan")}])
def test_numbers_that_cannot_hold_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(DataError, match="too_low"):
        replace(RULES, **wrong)  # type: ignore[arg-type]


@given(st.builds(KeepingRules, *[st.floats(0, 9999)] * 3, st.none() | st.floats(0, 9999), *[st.floats(0, 9999)] * 3))
def test_no_limit_reaches_what_is_younger_than_the_least_age(rules: KeepingRules) -> None:
    youngest = START - timedelta(days=rules.least_days)
    assert all(each.before <= youngest for each in (*limits(rules, START), *pressed(rules, START)))
    kinds = {each.kind for each in pressed(rules, START)}
    assert ("undecided" in kinds) is (rules.undecided_days is not None)


_IMAGE = st.tuples(st.sampled_from(["OK", "NG", "RETAKE"]), st.sampled_from([b"a", b"b", b"c"]), st.booleans())


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], tuple[Database, BlobStore]]:
    def make() -> tuple[Database, BlobStore]:
        folder = tmp_path_factory.mktemp("store")
        database = open_database(f"sqlite:///{folder}/andon.db")
        ensure_current(database)
        return database, open_blobs(str(folder / "blobs"))

    return make


@settings(max_examples=25, deadline=None)
@given(st.lists(_IMAGE, max_size=8), st.integers(0, 2000), st.sampled_from([0, PLENTY]), st.integers(1, 4))
def test_what_is_needed_is_never_removed(
    fresh: Callable[[], tuple[Database, BlobStore]],
    kept: list[tuple[str, bytes, bool]],
    days: int,
    free_bytes: int,
    batch: int,
) -> None:
    """Every record that says that its image is kept has it; undecided parts and young images keep theirs."""
    database, blobs = fresh()
    ids = keep_images(database, blobs, [(verdict, contents) for verdict, contents, _ in kept])
    for identifier, (_, _, decided) in zip(ids, kept, strict=True):
        if decided:
            decide(database, identifier)
    prune(database, blobs, ORIGIN, replace(RULES, batch=batch), START + days * DAY, free_bytes)
    for (verdict, contents, decided), still in zip(kept, kept_images(database), strict=True):
        assert still or (days >= RULES.least_days and not (verdict == "NG" and not decided))
        assert is_there(blobs, contents) or not still
    with database.reading() as connection:
        assert (connection.scalar(select(func.count()).select_from(ledger)) or 0) >= len(kept)
    assert verify(entries(database, ORIGIN), Head(ORIGIN)).broken is None
    database.close()


def test_images_that_are_still_to_be_sent_go_only_where_the_disk_is_nearly_full(tmp_path: Path) -> None:
    with (store := open_store(tmp_path, StoreOptions(BOX))).database:
        keep(store, range(4))
        late = START + timedelta(days=400)
        prune(store.database, store.blobs, BOX, RULES, late, PLENTY, sent=2)
        assert [each["image_kept"] for each in rows(store, inspections)] == [False, False, True, True]
        prune(store.database, store.blobs, BOX, RULES, late, 0, sent=2)
        assert not any(each["image_kept"] for each in rows(store, inspections))
