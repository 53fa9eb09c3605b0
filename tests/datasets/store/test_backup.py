"""Back up from one kind of database, restore into another."""

import json
from pathlib import Path
from zipfile import ZipFile

import pytest
from sqlalchemy import select
from tests.conftest import Andon
from tests.databases import PostgresServer
from tests.datasets.store.records import inspection

from andon.datasets.store.backup import back_up, restore
from andon.datasets.store.blobs import open_blobs
from andon.datasets.store.database import Database, open_database, sqlite_address
from andon.datasets.store.inspections import InspectionFilter, KeptInspections
from andon.datasets.store.ledger import entries
from andon.datasets.store.recorder import Recorder
from andon.datasets.store.schema import METADATA
from andon.models.ledger.chain import Head, verify
from andon.models.types.errors import DataError


def fill(database: Database, blobs_at: Path) -> None:
    recorder, blobs = Recorder(database, "box"), open_blobs(str(blobs_at))
    for number in range(30):
        blobs.put(b"image %d" % number)
        recorder.record(inspection(number, serial=f"板 {number}", key=f"k{number}", content=b"x")).result()
    recorder.close()


def rows(database: Database) -> dict[str, list[tuple[object, ...]]]:
    with database.reading() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]
            for table in METADATA.sorted_tables
        }


@pytest.mark.parametrize("to", ["sqlite", "postgresql"])
def test_all_of_it_comes_back_in_any_database(
    database: Database, postgres: PostgresServer, tmp_path: Path, to: str
) -> None:
    fill(database, tmp_path / "blobs")
    manifest = back_up(database, open_blobs(str(tmp_path / "blobs")), tmp_path / "b.zip")
    assert manifest.blobs == 30
    assert (tmp_path / "b.zip").stat().st_mode & 0o077 == 0
    address = sqlite_address(tmp_path / "new.db") if to == "sqlite" else postgres.new_database()
    restored, blobs = open_database(address), open_blobs(str(tmp_path / "new blobs"))
    assert restore(tmp_path / "b.zip", restored, blobs) == manifest
    assert rows(restored) == rows(database)
    assert blobs.get(json.loads(entries(database, "box").__next__().body)["record"]["image"]) == b"image 0"
    assert verify(entries(restored, "box"), Head("box")).head.seq == 30
    recorder = Recorder(restored, "box")
    recorder.record(inspection(31)).result()
    recorder.close()
    assert verify(entries(restored, "box"), Head("box")).head.seq == 31
    restored.close()


def test_nothing_that_is_there_is_overwritten(database: Database, tmp_path: Path) -> None:
    fill(database, tmp_path / "blobs")
    blobs = open_blobs(str(tmp_path / "blobs"))
    back_up(database, blobs, tmp_path / "b.zip")
    with pytest.raises(DataError, match="not_empty"):
        restore(tmp_path / "b.zip", database, blobs)


def test_a_damaged_backup_changes_nothing(tmp_path: Path) -> None:
    database = open_database(sqlite_address(tmp_path / "a.db"))
    from andon.datasets.store.upgrade import ensure_current

    ensure_current(database)
    fill(database, tmp_path / "blobs")
    blobs = open_blobs(str(tmp_path / "blobs"))
    back_up(database, blobs, tmp_path / "b.zip")
    with ZipFile(tmp_path / "b.zip") as whole, ZipFile(tmp_path / "cut.zip", "w") as cut:
        for name in whole.namelist():
            lines = whole.read(name)
            cut.writestr(name, lines.splitlines(True)[0] if name == "tables/inspections.jsonl" else lines)
    target = open_database(sqlite_address(tmp_path / "t.db"))
    with pytest.raises(DataError, match="no_backup"):
        restore(tmp_path / "cut.zip", target, blobs)
    assert not KeptInspections(target).page(InspectionFilter(), None, 10).items
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(DataError, match="no_backup"):
        restore(tmp_path / "text.zip", open_database(sqlite_address(tmp_path / "u.db")), blobs)


def test_by_the_command_line(andon: Andon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDON_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    assert andon("db", "upgrade", "--json").documents[0]["before"] is None
    said = andon("db", "backup", tmp_path / "b.zip", "--json")
    assert (said.code, said.documents[0]["blobs"]) == (0, 0)
    again = andon("db", "restore", tmp_path / "b.zip")
    assert again.code == 2
    assert "expected an empty database" in again.err
    other = sqlite_address(tmp_path / "other.db")
    assert andon("db", "restore", tmp_path / "b.zip", "--db", other).code == 0
    assert andon("db", "upgrade", "--db", "mysql://x/y").code == 2
    assert andon("db", "upgrade", "--db", "postgresql://127.0.0.1:1/x").code == 3
