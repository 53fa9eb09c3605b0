"""Clean the box's store now and then: a disk that fills up would stop the line."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from andon.datasets.store.cleaning import clean
from andon.datasets.store.opening import Store
from andon.datasets.store.retention import KeepingRules
from andon.models.types.errors import ResourceError

CLEAN_S = 3600.0

logger = logging.getLogger(__name__)


@contextmanager
def cleaning(
    store: Store, rules: KeepingRules, sent: Callable[[], int | None], interval_s: float = CLEAN_S
) -> Iterator[Thread]:
    """Clean at once and then every ``interval_s`` while the block runs, on the thread that is given.

    What the database or the disk refuses is tried again; a thread that has ended met a fault of this program, and nothing is let go any more.

    Parameters
    ----------
    sent
        Says which entry of the ledger the service has last; None where nothing is sent.
    """
    ending = Event()

    def work() -> None:
        while True:
            try:
                clean(store, rules, sent())
            except ResourceError as error:
                logger.warning("not cleaned", extra={"fields": {"code": error.code, "reason": str(error)}})
            if ending.wait(interval_s):
                return

    thread = Thread(target=work, name="cleaning")
    thread.start()
    try:
        yield thread
    finally:
        ending.set()
        thread.join()
