"""Inspections to keep, as the service makes them."""

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from andon.datasets.store.recorder import BundleRecord, InspectionRecord
from andon.models.codes.parsing import parse_code
from andon.models.types.identifiers import first_id

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
BUNDLE = BundleRecord("b" * 64, "plates", "inspection", b"{}")


def inspection(
    number: int,
    *,
    serial: str | None = None,
    station: str | None = "S1",
    verdict: str = "OK",
    key: str | None = None,
    content: bytes = b"",
) -> InspectionRecord:
    """The one that came ``number`` seconds after the first."""
    time = START + timedelta(seconds=number)
    identifier = first_id(time)[:-4] + f"{number % 0xFFFF:04x}"
    document = {"id": identifier, "serial": serial, "verdict": verdict}
    return InspectionRecord(
        id=identifier,
        time=time,
        code=parse_code(serial) if serial else None,
        station=station,
        bundle=BUNDLE,
        recipe=None,
        verdict=verdict,
        score=0.5,
        threshold=0.75,
        operator=None,
        image=sha256(b"image %d" % number).hexdigest(),
        request_key=key,
        request_digest=sha256(content).digest() if key else None,
        document=json.dumps(document).encode(),
    )
