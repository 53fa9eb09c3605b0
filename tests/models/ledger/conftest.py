"""A ledger of ten thousand entries, and the keys that sign where it ends."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import Phase, settings

from andon.models.ledger.chain import Entry, Head, append, digest_of, linked
from andon.models.signing.keys import SigningKey, generate_key

ORIGIN = "线-1"
START = datetime(2026, 1, 1, 8, 30, 0, 123456, tzinfo=UTC)


FEW = settings(max_examples=20, deadline=None, phases=(Phase.explicit, Phase.generate))
"""For tests that go through the whole ledger: a failure is shown as it was found."""


class Ledger(tuple[Entry, ...]):
    """Entries that a failing test does not print one by one."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} entries>"


def record(number: int) -> dict[str, Any]:
    """A record as inspections leave them."""
    return {
        "inspection": f"017f22e2-79b0-7000-8000-{number:012}",
        "part": f"urn:part:A{number}",
        "station": "站 3",
        "image": digest_of(b"image %d" % number),
        "score": number / 7,
        "threshold": 0.5,
        "verdict": "NG" if number % 5 == 0 else "OK",
        "operator": None,
        "box": [number % 64, 0, 1.5e-7],
    }


def chained(records: Sequence[Mapping[str, Any]], head: Head) -> Iterator[Entry]:
    """Entries for ``records``, a second apart."""
    for number, each in enumerate(records):
        entry = append(head, "inspection", each, START + timedelta(seconds=number))
        yield entry
        head = entry.head


def forged(entry: Entry, body: bytes) -> Entry:
    """The entry with another body, and the hash that belongs to it: what somebody does who knows how hashes are made."""
    return replace(entry, body=body, hash=linked(entry.previous, digest_of(body)))


@pytest.fixture(scope="session")
def entries() -> Sequence[Entry]:
    return Ledger(chained([record(number) for number in range(1, 10_001)], Head(ORIGIN)))


@pytest.fixture(scope="session")
def key() -> SigningKey:
    return generate_key()
