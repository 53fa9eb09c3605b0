"""The store of a box, and that of the service that it sends to."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.datasets.store.boxes import BOX, opened_store

from andon.datasets.store.blobs import open_blobs
from andon.datasets.store.database import Database
from andon.datasets.store.opening import Store
from andon.datasets.store.room import Room


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Store]:
    """The store of a box."""
    with opened_store(tmp_path / "box", BOX) as opened:
        yield opened


@pytest.fixture
def service(database: Database, tmp_path: Path) -> Store:
    """The store of the service, on each kind of database."""
    return Store(database, open_blobs(str(tmp_path / "service")), "service", Room(tmp_path, 0))
