"""An outbox keeps what it took, in order, within its bounds, over restarts and kills."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andon.hardware.messaging.outbox import Kind, Message, Outbox, OutboxError
from andon.models.types.errors import StorageFullError

VERDICT, ALERT, INDICATOR = Kind.VERDICT, Kind.ALERT, Kind.INDICATOR


def message(number: int, kind: Kind = VERDICT, size: int = 10) -> Message:
    return Message(f"{kind.value}-{number}", kind, "andon/site/station/verdicts", bytes(size))


def ids(outbox: Outbox) -> list[str]:
    return [kept.message.id for kept in outbox.waiting(0, 1_000_000)]


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.db") as opened:
        yield opened


def test_what_was_added_waits_in_its_order_and_after_a_restart(outbox: Outbox, tmp_path: Path) -> None:
    outbox.add([message(2), message(1, ALERT)])
    outbox.add([message(3, INDICATOR)])
    expected = ["verdict-2", "alert-1", "indicator-3"]
    assert ids(outbox) == expected
    assert outbox.waiting(0, 1)[0].message == message(2)
    with Outbox(tmp_path / "outbox.db") as again:
        assert ids(again) == expected
        assert (
            again.waiting_bytes
            == outbox.waiting_bytes
            == sum(each.size_bytes for each in (message(2), message(1, ALERT), message(3, INDICATOR)))
        )


def test_what_was_settled_is_not_sent_again_even_if_it_is_added_again(outbox: Outbox) -> None:
    outbox.add([message(1), message(2)])
    outbox.settle([kept.number for kept in outbox.waiting(0, 1)])
    outbox.add([message(1)])
    assert ids(outbox) == ["verdict-2"]
    outbox.settle([kept.number for kept in outbox.waiting(0, 9)] * 2)
    assert (ids(outbox), outbox.counts(), outbox.waiting_bytes) == ([], {}, 0)


def test_only_so_many_that_were_sent_are_remembered(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox.db", remembered=3) as outbox:
        outbox.add([message(number) for number in range(10)])
        outbox.settle([kept.number for kept in outbox.waiting(0, 10)])
        with closing(sqlite3.connect(tmp_path / "outbox.db")) as file:
            rows = file.execute("SELECT id FROM message").fetchall()
        assert [id_ for (id_,) in rows] == ["verdict-7", "verdict-8", "verdict-9"]
        outbox.add([message(9)])
        assert ids(outbox) == []


def test_a_full_outbox_drops_the_oldest_indicators_and_refuses_verdicts_and_alerts(tmp_path: Path) -> None:
    room = 3 * message(1, INDICATOR).size_bytes + message(1).size_bytes
    with Outbox(tmp_path / "outbox.db", limit_bytes=room) as outbox:
        outbox.add([message(number, INDICATOR) for number in (1, 2, 3)])
        outbox.add([message(1)])
        assert outbox.dropped() == {}
        outbox.add([message(2)])
        assert ids(outbox) == ["indicator-2", "indicator-3", "verdict-1", "verdict-2"]
        outbox.add([message(3)])
        outbox.add([message(4)])
        assert ids(outbox) == ["verdict-1", "verdict-2", "verdict-3", "verdict-4"]
        for kind in (VERDICT, ALERT):
            with pytest.raises(StorageFullError) as refused:
                outbox.add([message(5, kind)])
            assert refused.value.code == "messaging.full"
        outbox.add([message(9, INDICATOR)])
        assert ids(outbox) == ["verdict-1", "verdict-2", "verdict-3", "verdict-4"]
        assert outbox.dropped() == {INDICATOR: 4}
        outbox.settle([outbox.waiting(0, 1)[0].number])
        outbox.add([message(5)])
        assert ids(outbox)[-1] == "verdict-5"


def test_several_are_kept_together_or_not_at_all(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox.db", limit_bytes=2 * message(1).size_bytes) as outbox:
        outbox.add([message(1)])
        with pytest.raises(StorageFullError):
            outbox.add([message(2), message(3)])
        assert ids(outbox) == ["verdict-1"]
        outbox.add([message(4)])
        assert ids(outbox) == ["verdict-1", "verdict-4"]


def test_what_many_threads_add_at_once_is_all_kept(outbox: Outbox) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: outbox.add([message(number)]), range(400)))
    assert sorted(ids(outbox)) == sorted(f"verdict-{number}" for number in range(400))


def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    other, newer = tmp_path / "other.db", tmp_path / "newer.db"
    other.write_bytes(b"this is a letter and no database" * 100)
    with pytest.raises(OutboxError):
        Outbox(other)
    assert other.read_bytes().startswith(b"this is a letter")
    connection = sqlite3.connect(newer)
    connection.execute("PRAGMA user_version=7")
    connection.close()
    with pytest.raises(OutboxError, match="version 7"):
        Outbox(newer)
    with pytest.raises(OutboxError):
        Outbox(tmp_path / "absent" / "outbox.db")


def test_a_full_disk_is_said_and_loses_nothing_that_was_kept(outbox: Outbox) -> None:
    outbox.add([message(1)])
    outbox._writer.execute("PRAGMA max_page_count = 12")
    with pytest.raises(StorageFullError) as full:
        outbox.add([message(4), message(2, size=100_000)])
    assert full.value.code == "messaging.disk_full"
    outbox._writer.execute("PRAGMA max_page_count = 10000")
    outbox.add([message(3)])
    assert ids(outbox) == ["verdict-1", "verdict-3"]
    assert outbox.waiting_bytes == message(1).size_bytes + message(3).size_bytes


def test_what_is_kept_is_flushed_to_the_disk(outbox: Outbox) -> None:
    """No test can cut the power; SQLite promises that 2 (FULL) with a write-ahead log outlives it."""
    assert outbox._writer.execute("PRAGMA synchronous").fetchone() == (2,)
    assert outbox._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


CHILD = """
import sys
from pathlib import Path
from andon.hardware.messaging.outbox import Kind, Message, Outbox
with Outbox(Path(sys.argv[1])) as outbox:
    for number in range(int(sys.argv[2]), 10**6):
        outbox.add([Message(str(number), Kind.VERDICT, "topic", b"body")])
        print(number, flush=True)
"""


def test_what_was_kept_outlives_a_killed_process(tmp_path: Path) -> None:
    path, told = tmp_path / "outbox.db", -1
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path), str(told + 1)], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout
            for _ in range(20):
                told = int(child.stdout.readline())
            os.kill(child.pid, signal.SIGKILL)
            told = max([told, *map(int, child.stdout.read().split())])
        with Outbox(path) as outbox:
            kept = [int(each) for each in ids(outbox)]
            assert kept[: told + 1] == list(range(told + 1))
            told = kept[-1]


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.tuples(st.sampled_from([*Kind, None]), st.integers(0, 300)), max_size=40),
    limit=st.integers(200, 2000),
)
def test_it_never_holds_more_than_it_may_nor_drops_what_it_must_not(
    steps: list[tuple[Kind | None, int]], limit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    expected: list[str] = []
    with Outbox(tmp_path_factory.mktemp("outbox") / "outbox.db", limit_bytes=limit) as outbox:
        for number, (kind, size) in enumerate(steps):
            if kind is None:
                oldest = outbox.waiting(0, 1)
                outbox.settle([kept.number for kept in oldest])
                expected = [each for each in expected if each not in {kept.message.id for kept in oldest}]
                continue
            try:
                outbox.add([message(number, kind, size)])
                expected += [f"{kind.value}-{number}"] if kind is not INDICATOR else []
            except StorageFullError:
                assert kind is not INDICATOR
            waiting = [kept.message for kept in outbox.waiting(0, 100)]
            assert outbox.waiting_bytes == sum(each.size_bytes for each in waiting) <= limit
            assert [each.id for each in waiting if each.kind is not INDICATOR] == expected
