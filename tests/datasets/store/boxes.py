"""Boxes at a line with what they kept, and what stands in a store."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from tests.datasets.store.records import START, inspection

from andon.datasets.store.ledger import entries, find_changed_document
from andon.datasets.store.line_entries import keep_answer, keep_unjudged
from andon.datasets.store.opening import Store, StoreOptions, open_store
from andon.datasets.store.parts import Parts
from andon.datasets.store.recipes import Recipes
from andon.datasets.store.recorder import Recorder
from andon.datasets.store.retention import KeepingRules, prune
from andon.datasets.store.schema import (
    bundles,
    dispositions,
    inspections,
    ledger,
    parts,
    recipes,
    stations,
    tallies,
)
from andon.models.ledger.chain import Head, verify

BOX = "line-1"
TABLES = (ledger, inspections, dispositions, parts, stations, bundles, recipes, tallies)
PLENTY = 1 << 50


@contextmanager
def opened_store(folder: Path, origin: str) -> Iterator[Store]:
    """Open a store in a folder."""
    store = open_store(folder, StoreOptions(origin))
    with store.database:
        yield store


def keep(box: Store, numbers: Sequence[int], **said: Any) -> list[str]:
    """Inspect parts at the box, each with a picture."""
    recorder = Recorder(box.database, box.origin)
    records = [
        replace(inspection(number, serial=f"A{number}", **said), image=box.blobs.put(b"picture %d" % number))
        for number in numbers
    ]
    for future in [recorder.record(record) for record in records]:
        future.result()
    recorder.close()
    return [record.id for record in records]


def keep_all_kinds(box: Store) -> list[str]:
    """One entry of every kind that a box writes."""
    recipe = Recipes(box.database).put("housing", "S1", {"exposure_us": 100}, "b" * 64, START)
    recorder = Recorder(box.database, box.origin)
    record = replace(inspection(0, serial="A0", verdict="NG"), recipe=recipe, image=box.blobs.put(b"picture 0"))
    recorder.record(record).result()
    recorder.close()
    found = [record.id, *keep(box, [1, 2])]
    keep_answer(box.database, BOX, found[0], "NG", 7, START)
    keep_unjudged(box.database, BOX, "S1", "A9", 8, "CAMERA", START)
    Parts(box.database, BOX).dispose(found[0], "OK", "dust", "wiped off\nby hand", "anna", START)
    prune(box.database, box.blobs, BOX, KeepingRules(least_days=0, ok_days=0), START + timedelta(seconds=2), PLENTY)
    return found


def counts(store: Store) -> dict[str, int]:
    with store.database.reading() as connection:
        return {each.name: int(connection.scalar(select(func.count()).select_from(each)) or 0) for each in TABLES}


def rows(store: Store, table: Any, *without: str) -> list[dict[str, Any]]:
    with store.database.reading() as connection:
        found = connection.execute(select(table).order_by(*table.primary_key.columns))
        return [{name: value for name, value in each._mapping.items() if name not in without} for each in found]


def assert_holds(store: Store, origin: str, count: int) -> None:
    verified = verify(entries(store.database, origin), Head(origin))
    assert (verified.broken, verified.head.seq) == (None, count)
    assert find_changed_document(store.database, origin) is None
