"""A box that keeps parts and signals and sends them, for a test to kill: ``python -m ... HOME URL STOP``, until the file STOP is there and all is sent."""

import logging
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from pathlib import Path

import msgspec
from sqlalchemy import func, select
from tests.datasets.store.machines import raised, sense, tell

from andon.datasets.store.line_entries import keep_answer
from andon.datasets.store.opening import Store, StoreOptions, open_store
from andon.datasets.store.recorder import BundleRecord, InspectionRecord, Recorder
from andon.datasets.store.replication import BatchLimits, FileChoice
from andon.datasets.store.schema import inspections
from andon.hardware.edge.remote import KEY_VARIABLE, Service, ServiceAddress, load_key
from andon.hardware.edge.upload import Pace, Uploader
from andon.models.codes.parsing import parse_code
from andon.models.types.identifiers import new_id

BOX = "line-1"
TOGETHER = 16
QUICK = Pace(first_s=0.05, longest_s=0.5, gather_s=0.0, idle_s=0.5, close_s=1.0)
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
VERDICTS = ("OK", "OK", "OK", "NG", "RETAKE")


def picture(number: int) -> bytes:
    return b"picture %d" % number


def record(number: int) -> InspectionRecord:
    """The one with this number, made now."""
    identifier, verdict, serial = new_id(), VERDICTS[number % len(VERDICTS)], f"P-{number}"
    document = {"id": identifier, "serial": serial, "verdict": verdict, "station": "S1"}
    return InspectionRecord(
        id=identifier,
        time=datetime.now(UTC),
        code=parse_code(serial),
        station="S1",
        bundle=BundleRecord("b" * 64, "plates", "inspection", b"{}"),
        recipe=None,
        verdict=verdict,
        score=number / 7,
        threshold=0.75,
        operator=None,
        image=sha256(picture(number)).hexdigest(),
        request_key=None,
        request_digest=None,
        document=msgspec.json.encode(document),
    )


def produce(store: Store, uploader: Uploader, stop: Path) -> None:
    """Keep parts, some at once, with a picture of every tenth and the answer of the PLC to the last of them.

    Each time a signal comes as well, and each fourth time a machine has a case.
    """
    recorder = Recorder(store.database, store.origin)
    for numbers in together(kept_so_far(store)):
        if stop.exists():
            break
        for number in numbers:
            if number % 10 == 0:
                store.blobs.put(picture(number))
        records = [record(number) for number in numbers]
        for future in [recorder.record(each) for each in records]:
            future.result()
        keep_answer(store.database, BOX, records[-1].id, records[-1].verdict, numbers[-1] % 65_536, datetime.now(UTC))
        sense(store, numbers[:1], asset=f"motor {numbers[0] % 3}", start=TODAY)
        if numbers[0] % (4 * TOGETHER) == 0:
            tell(store, raised(numbers[0], asset=f"pump {numbers[0]}", start=TODAY))
        uploader.wake()
    recorder.close()


def together(first: int) -> Iterator[list[int]]:
    return ([start + step for step in range(TOGETHER)] for start in count(first, TOGETHER))


def kept_so_far(store: Store) -> int:
    with store.database.reading() as connection:
        return int(connection.scalar(select(func.count()).select_from(inspections)) or 0)


def main(home: str, url: str, stop: str) -> None:
    store = open_store(Path(home), StoreOptions(BOX))
    service = Service(ServiceAddress(url, load_key(None, os.environ), timeout_s=10.0))
    with store.database, Uploader(store, service, FileChoice(), BatchLimits(), QUICK) as uploader:
        print("working", flush=True)
        produce(store, uploader, Path(stop))
        while uploader.progress().waiting or uploader.progress().confirmed is None:
            time.sleep(0.05)
    print("sent", flush=True)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    assert KEY_VARIABLE in os.environ
    main(*sys.argv[1:])
