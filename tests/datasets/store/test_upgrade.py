"""The tables and how they come about."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import upgrade as alembic_upgrade
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from tests.datasets.store.records import START

from andon.datasets.store import upgrade as upgrading
from andon.datasets.store.database import Database, open_database, sqlite_address
from andon.datasets.store.schema import METADATA
from andon.datasets.store.signals import KeptSignals, answer_of
from andon.datasets.store.upgrade import ensure_current, newest, revision, upgrade
from andon.models.types.errors import DataError, OptionError, ResourceError
from andon.models.types.moments import unix_us

OLD, DOCUMENT = "017f22e279b0700098c4dc0c0c07398f", b'{"ledger_hash":null}'
OLD_SIGNAL = """
    INSERT INTO signals (id, time, received, sensor, rate_hz, unit, fault, severity, duration_s, waveform, waveform_kept, document)
    VALUES (:id, :now, :now, 's', 1.0, 'g', 'none', 'normal', 1.0, 'w', :yes, :document)
"""


def test_the_steps_lead_to_the_tables_that_the_program_knows(database: Database) -> None:
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    assert revision(database) == newest()
    upgrade(database)
    ensure_current(database)


def test_what_was_kept_before_a_step_is_still_shown(database_address: str) -> None:
    """A signal of before signals had entries."""
    with open_database(database_address) as opened:
        with opened.writing() as connection:
            alembic_upgrade(upgrading._config(connection), "0001")
            now = unix_us(START)
            connection.execute(text(OLD_SIGNAL), {"id": OLD, "now": now, "yes": True, "document": DOCUMENT})
        with pytest.raises(DataError, match="behind"):
            ensure_current(opened)
        upgrade(opened)
        ensure_current(opened)
        with opened.reading() as connection:
            assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        row = KeptSignals(opened).get(OLD)
        assert (answer_of(row), row.time, row.origin, row.ledger_seq) == (DOCUMENT, START, None, None)


def test_tables_of_another_program_are_not_touched(database_address: str) -> None:
    opened = open_database(database_address)
    with opened.writing() as connection:
        connection.execute(text("CREATE TABLE theirs (id INTEGER)"))
    for step in (ensure_current, upgrade):
        with pytest.raises(DataError, match="foreign"):
            step(opened)
    opened.close()


def test_tables_of_a_newer_program_are_refused(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for step in (ensure_current, upgrade):
        with pytest.raises(DataError, match="foreign"):
            step(database)


@pytest.mark.parametrize("address", ["mysql://a/b", "nothing", "", "sqlite"])
def test_an_address_of_another_kind_is_refused(address: str) -> None:
    with pytest.raises(OptionError, match="address"):
        open_database(address)


def test_a_database_that_cannot_be_reached_says_so_without_its_password(tmp_path: Path) -> None:
    for address in ("postgresql://u:secret@127.0.0.1:1/x", sqlite_address(tmp_path / "no" / "andon.db")):
        with pytest.raises(ResourceError, match="unreachable") as caught:
            ensure_current(open_database(address))
        assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    path = tmp_path / "andon.db"
    path.write_bytes(b"not a database " * 100)
    with pytest.raises(ResourceError, match="unreachable"):
        ensure_current(open_database(sqlite_address(path)))
