"""A box cleans its store while it runs."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.datasets.store.boxes import BOX, keep, rows

from andon.datasets.store.opening import Store, StoreOptions, open_store
from andon.datasets.store.retention import KeepingRules
from andon.datasets.store.schema import inspections
from andon.hardware.edge.cleaning import cleaning
from andon.models.types.errors import ResourceError

NOTHING_KEPT = KeepingRules(least_days=0, ok_days=0)
PATIENCE_S = 20.0


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path, StoreOptions(BOX))
    yield opened
    opened.database.close()


def awaited(is_there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_there():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_pictures_go_once_the_service_has_their_records(box: Store) -> None:
    keep(box, range(3))
    confirmed = 0

    def kept() -> list[bool]:
        return [each["image_kept"] for each in rows(box, inspections)]

    looks = list[int]()

    def sent() -> int:
        looks.append(confirmed)
        return confirmed

    with cleaning(box, NOTHING_KEPT, sent, 0.01):
        awaited(lambda: len(looks) > 2)
        assert kept() == [True] * 3
        confirmed = 2
        awaited(lambda: kept() == [False, False, True])


def test_it_goes_on_where_the_database_refuses(box: Store, caplog: pytest.LogCaptureFixture) -> None:
    looks = list[int]()

    def sent() -> int:
        looks.append(1)
        raise ResourceError("store.unreachable", "andon.db", reason="locked")

    with cleaning(box, NOTHING_KEPT, sent, 0.01) as thread:
        awaited(lambda: len(looks) > 2)
        assert thread.is_alive()
    assert not thread.is_alive()
    assert "not cleaned" in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_this_program_ends_its_thread(box: Store) -> None:
    def sent() -> int:
        raise ZeroDivisionError

    with cleaning(box, NOTHING_KEPT, sent, 0.01) as thread:
        awaited(lambda: not thread.is_alive())
