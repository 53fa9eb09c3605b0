"""``andon ledger`` on a real chain: what was changed is found and named, and records prove themselves."""

from pathlib import Path

import pytest
from sqlalchemy import text
from tests.conftest import Andon
from tests.datasets.store.records import inspection

from andon.datasets.store.database import Database, open_database, sqlite_address
from andon.datasets.store.parts import Parts
from andon.datasets.store.recorder import Recorder
from andon.datasets.store.upgrade import ensure_current
from andon.models.codes.parsing import parse_code

ORIGIN, COUNT = "线 1", 25


@pytest.fixture
def filled(database: Database) -> Database:
    recorder = Recorder(database, ORIGIN)
    futures = [recorder.record(inspection(number, serial=f"A{number % 5}")) for number in range(COUNT)]
    for future in futures:
        future.result()
    recorder.close()
    return database


@pytest.fixture
def key(andon: Andon, tmp_path: Path) -> Path:
    assert andon("bundle", "keygen", "--out", tmp_path / "site.pem").code == 0
    return tmp_path / "site.pem"


def change(database: Database, statement: str) -> None:
    with database.writing() as connection:
        assert connection.execute(text(statement)).rowcount > 0


def test_a_whole_chain_holds(andon: Andon, filled: Database, database_address: str) -> None:
    said = andon("ledger", "verify", "--db", database_address, "--json")
    assert said.code == 0
    (document,) = said.documents
    assert (document["origin"], document["count"], document["holds"]) == (ORIGIN, COUNT, True)


def test_an_empty_ledger_holds(andon: Andon, database: Database, database_address: str) -> None:
    assert andon("ledger", "verify", "--db", database_address).code == 0


@pytest.mark.parametrize(
    ("statement", "bad"),
    [
        ("UPDATE ledger SET hash = previous WHERE seq = 7", 7),
        ("UPDATE ledger SET previous = hash WHERE seq = 7", 7),
        ("UPDATE ledger SET body = (SELECT body FROM ledger WHERE seq = 8) WHERE seq = 7", 7),
        ("DELETE FROM ledger WHERE seq = 7", 7),
        ("UPDATE ledger SET seq = 700 WHERE seq = 7", 7),
        ("UPDATE ledger SET seq = -25 WHERE seq = 25", 25),
        ("UPDATE ledger SET origin = 'x' WHERE seq = 25", 1),
        ("UPDATE inspections SET verdict = 'NG' WHERE ledger_seq = 7", 7),
        (
            "UPDATE inspections SET document = (SELECT document FROM inspections WHERE ledger_seq = 8) WHERE ledger_seq = 7",
            7,
        ),
        ("UPDATE inspections SET part = 'A1' WHERE ledger_seq = 3", 3),
        ("DELETE FROM inspections WHERE ledger_seq = 9", 9),
        ("UPDATE inspections SET ledger_seq = 99 WHERE ledger_seq = 9", 9),
    ],
)
def test_what_was_changed_is_named(
    andon: Andon, filled: Database, database_address: str, statement: str, bad: int
) -> None:
    change(filled, statement)
    said = andon("ledger", "verify", "--db", database_address, "--json")
    assert said.code == 1
    assert (said.documents[0]["holds"], said.documents[0]["bad"]) == (False, bad)
    assert str(bad) in said.documents[0]["reason"]


def test_a_text_that_is_none_any_more_is_named(andon: Andon, tmp_path: Path) -> None:
    """SQLite takes any bytes."""
    address = sqlite_address(tmp_path / "andon.db")
    with open_database(address) as database:
        ensure_current(database)
        recorder = Recorder(database, ORIGIN)
        for number in range(3):
            recorder.record(inspection(number)).result()
        recorder.close()
        change(database, "UPDATE ledger SET hash = CAST(x'e3' || substr(hash, 2) AS TEXT) WHERE seq = 2")
    said = andon("ledger", "verify", "--db", address, "--json")
    assert (said.code, said.documents[0]["bad"]) == (1, 2)


def test_what_does_not_hold_is_not_signed(
    andon: Andon, filled: Database, database_address: str, key: Path, tmp_path: Path
) -> None:
    change(filled, "DELETE FROM ledger WHERE seq = 7")
    said = andon("ledger", "checkpoint", "--db", database_address, "--key", key, "--out", tmp_path / "office")
    assert said.code == 2
    assert not list((tmp_path / "office").glob("*"))


def test_a_checkpoint_kept_elsewhere_shows_a_cut_tail(
    andon: Andon, filled: Database, database_address: str, key: Path, tmp_path: Path
) -> None:
    away = tmp_path / "office"
    assert andon("ledger", "checkpoint", "--db", database_address, "--key", key, "--out", away).code == 0
    words = ("ledger", "verify", "--db", database_address, "--checkpoint", away, "--key", f"{key}.pub", "--json")
    whole = andon(*words)
    assert (whole.code, whole.documents[0]["confirmed"]) == (0, COUNT)
    change(filled, "DELETE FROM inspections WHERE ledger_seq > 20")
    change(filled, "DELETE FROM ledger WHERE seq > 20")
    assert andon("ledger", "verify", "--db", database_address).code == 0
    cut = andon(*words)
    assert (cut.code, cut.documents[0]["bad"]) == (1, 21)


def test_a_checkpoint_needs_its_key(
    andon: Andon, filled: Database, database_address: str, key: Path, tmp_path: Path
) -> None:
    andon("ledger", "checkpoint", "--db", database_address, "--key", key, "--out", tmp_path / "office")
    words = ("ledger", "verify", "--db", database_address, "--checkpoint", tmp_path / "office")
    assert andon(*words).code == 2
    andon("bundle", "keygen", "--out", tmp_path / "other.pem")
    assert andon(*words, "--key", tmp_path / "other.pem.pub").code == 2


def test_a_parts_records_prove_themselves(
    andon: Andon, filled: Database, database_address: str, key: Path, tmp_path: Path
) -> None:
    file, public = tmp_path / "a3.jsonl", f"{key}.pub"
    export = ("ledger", "export", "--db", database_address, "--serial", "A3", "--key", public, "--out", file)
    unsigned = andon(*export)
    assert (unsigned.code, file.exists()) == (2, False)
    andon("ledger", "checkpoint", "--db", database_address, "--key", key, "--out", tmp_path / "office")
    assert andon(*export, "--json").documents[0]["count"] == COUNT / 5
    assert andon("ledger", "prove", file, "--key", public, "--json").documents[0]["count"] == COUNT / 5
    file.write_bytes(file.read_bytes().replace(b'\\"verdict\\":\\"OK\\"', b'\\"verdict\\":\\"NG\\"', 1))
    assert andon("ledger", "prove", file, "--key", public).code == 1
    assert andon("ledger", "export", *export[2:4], "--serial", "A9", "--key", public, "--out", file).code == 2


def test_a_decision_on_a_part_stands_in_its_life_and_in_the_ledger(
    andon: Andon, filled: Database, database_address: str
) -> None:
    parts = Parts(filled, ORIGIN)
    before = parts.life(parse_code("A3"))
    assert len(before.inspections) == COUNT / 5
    record = inspection(3)
    _, ledger_hash = parts.dispose(record.id, "NG", "scratch", "seen", "night shift", record.time)
    (decision,) = parts.life(parse_code("A3")).dispositions
    assert (decision.inspection, decision.verdict, decision.label) == (record.id, "NG", "scratch")
    said = andon("ledger", "verify", "--db", database_address, "--json")
    assert (said.code, said.documents[0]["count"], said.documents[0]["hash"]) == (0, COUNT + 1, ledger_hash)
