"""What the database's driver and its pool raise comes as the product's own errors."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine

from andon.datasets.store.database import Database, sqlite_address
from andon.datasets.store.schema import tallies
from andon.datasets.store.upserts import add_up
from andon.models.types.errors import ResourceError


def test_a_pool_without_a_free_connection_is_a_database_that_cannot_be_reached(tmp_path: Path) -> None:
    engine = create_engine(sqlite_address(tmp_path / "a.db"), pool_size=1, max_overflow=0, pool_timeout=0.01)
    with (
        Database(engine) as database,
        database.reading(),
        pytest.raises(ResourceError) as caught,
        database.reading(),
    ):
        pass
    assert caught.value.code == "store.unreachable"


def test_nothing_to_add_up_is_no_statement(database: Database) -> None:
    with database.writing() as connection:
        add_up(connection, tallies, {})
