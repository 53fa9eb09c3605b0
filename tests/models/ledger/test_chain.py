"""No byte of a chain changes unseen, and the entry is named."""

import json
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.ledger.conftest import FEW, ORIGIN, START, chained, forged, record
from tests.models.ledger.test_canonical import DOCUMENTS

from andon.models.ledger.chain import Break, Entry, Head, append, verify
from andon.models.ledger.errors import LedgerError
from andon.models.messages.catalogue import LANGUAGES, catalogue

COLUMNS = [each.name for each in fields(Entry)]
SEQ_BYTES = 8
BYTE = st.integers(0, 2**32)
MASK = st.integers(1, 255)
ROW = st.integers(1, 10_000)


def flipped(entry: Entry, column: str, place: int, mask: int) -> Entry:
    """Change bits of one byte of a column as it is stored."""
    value = getattr(entry, column)
    changed = bytearray(stored(value))
    changed[place % len(changed)] ^= mask
    damaged: dict[str, Any] = {column: read(bytes(changed), value)}
    return replace(entry, **damaged)


def stored(value: str | int | bytes) -> bytes:
    if isinstance(value, int):
        return value.to_bytes(SEQ_BYTES, "big", signed=True)
    return value.encode() if isinstance(value, str) else value


def read(data: bytes, like: str | int | bytes) -> str | int | bytes:
    if isinstance(like, int):
        return int.from_bytes(data, "big", signed=True)
    return data.decode(errors="surrogateescape") if isinstance(like, str) else data


def first_break(entries: Sequence[Entry], head: Head | None = None) -> Break:
    found = verify(entries, head or Head(ORIGIN))
    assert found.broken is not None
    assert found.head.seq == found.broken.seq - 1
    for language in LANGUAGES:
        assert catalogue(language).error(found.broken.error())
    return found.broken


def around(entries: Sequence[Entry], row: int, *stand_in: Entry) -> Break:
    """Put ``stand_in`` in the place of an entry, and verify from just before it."""
    before = entries[max(row - 3, 0) : row - 1]
    head = entries[row - 4].head if row > 3 else Head(ORIGIN)
    return first_break([*before, *stand_in, *entries[row : row + 2]], head)


def as_read(entries: Sequence[Entry]) -> list[Entry]:
    """In the order in which a store gives them."""
    return sorted(entries, key=lambda entry: (entry.seq < 1, entry.seq))


def test_a_whole_ledger_holds(entries: Sequence[Entry]) -> None:
    found = verify(iter(entries), Head(ORIGIN))
    assert (found.head, found.broken) == (entries[-1].head, None)


def test_verification_goes_on_from_a_head(entries: Sequence[Entry]) -> None:
    assert verify(entries[4000:], entries[3999].head).head == entries[-1].head


def as_doubles(document: dict[str, Any]) -> Any:
    """A document as JSON means it: every number is a double."""
    return json.loads(json.dumps(document), parse_int=float)


def test_an_empty_chain_holds() -> None:
    assert verify([], Head(ORIGIN)).broken is None


@settings(FEW, max_examples=60)
@given(row=ROW, column=st.sampled_from(COLUMNS), place=BYTE, mask=MASK)
def test_a_flipped_byte_in_ten_thousand_entries_is_found_and_its_entry_named(
    entries: Sequence[Entry], row: int, column: str, place: int, mask: int
) -> None:
    damaged = [*entries[: row - 1], flipped(entries[row - 1], column, place, mask), *entries[row:]]
    assert first_break(damaged).seq == row


@settings(max_examples=500, deadline=None)
@given(row=ROW, column=st.sampled_from(COLUMNS), place=BYTE, mask=MASK)
def test_a_flipped_byte_is_found_wherever_verification_starts(
    entries: Sequence[Entry], row: int, column: str, place: int, mask: int
) -> None:
    assert around(entries, row, flipped(entries[row - 1], column, place, mask)).seq == row


def test_every_byte_of_an_entry_counts(entries: Sequence[Entry]) -> None:
    entry, head = entries[41], entries[40].head
    for column in COLUMNS:
        for place in range(len(stored(getattr(entry, column)))):
            for mask in range(1, 256):
                broken = verify([flipped(entry, column, place, mask)], head).broken
                assert broken is not None, (column, place, mask)
                assert broken.seq == entry.seq


@FEW
@given(row=ROW | st.just(10_000), place=BYTE, mask=MASK)
def test_a_damaged_number_moves_an_entry_but_it_is_named(
    entries: Sequence[Entry], row: int, place: int, mask: int
) -> None:
    moved = flipped(entries[row - 1], "seq", place, mask)
    if 1 <= moved.seq <= len(entries):
        return  # the place is taken: a store refuses it
    assert first_break(as_read([*entries[: row - 1], moved, *entries[row:]])).seq == row


@FEW
@given(row=st.integers(1, 9_998))
def test_swapped_missing_doubled_and_inserted_entries_are_found(entries: Sequence[Entry], row: int) -> None:
    entry, following = entries[row - 1], entries[row]
    assert around(entries, row).code == "ledger.missing"
    assert around(entries, row).seq == row
    doubled = around(entries, row, entry, entry)
    assert (doubled.code, doubled.seq, doubled.found) == ("ledger.repeated", row + 1, str(row))
    swapped = first_break([*entries[: row - 1], following, entry, *entries[row + 1 :]])
    assert (swapped.code, swapped.seq, swapped.found) == ("ledger.missing", row, str(row + 1))
    strange = append(entry.head, "inspection", {"part": "inserted"}, START)
    inserted = around(entries, row, entry, strange)
    assert (inserted.code, inserted.seq) == ("ledger.repeated", row + 2)
    replaced = first_break([entry, strange, entries[row + 1]], Head(ORIGIN, row - 1, entry.previous))
    assert (replaced.code, replaced.seq) == ("ledger.unlinked", row + 2)


def test_an_entry_of_another_chain_is_found(entries: Sequence[Entry]) -> None:
    strange = append(Head("box", 6, entries[5].hash), "inspection", {}, START)
    broken = around(entries, 7, strange)
    assert (broken.code, broken.seq, broken.found, broken.expected) == ("ledger.foreign", 7, "box", ORIGIN)


@given(records=st.lists(DOCUMENTS, min_size=1, max_size=4))
def test_every_record_comes_back_from_a_chain_that_holds(records: list[dict[str, Any]]) -> None:
    made = list(chained(records, Head(ORIGIN)))
    assert verify(made, Head(ORIGIN)).head == made[-1].head
    for entry, wanted in zip(made, records, strict=True):
        document = entry.document()
        assert as_doubles(document["record"]) == as_doubles(wanted)
        assert (document["origin"], document["seq"], document["kind"]) == (entry.origin, entry.seq, "inspection")


@settings(max_examples=200)
@given(records=st.lists(DOCUMENTS, min_size=1, max_size=4), data=st.data())
def test_a_flipped_byte_in_any_record_is_found(records: list[dict[str, Any]], data: st.DataObject) -> None:
    made = list(chained(records, Head(ORIGIN)))
    row = data.draw(st.integers(1, len(made)))
    made[row - 1] = flipped(made[row - 1], data.draw(st.sampled_from(COLUMNS)), data.draw(BYTE), data.draw(MASK))
    assert first_break(made).seq == row


def swap(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(body: bytes) -> bytes:
        assert old in body
        return body.replace(old, new, 1)

    return change


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda _: b"", "ledger.malformed"),
        (lambda _: b"\xff\xfe\x00", "ledger.malformed"),
        (lambda _: b"[]", "ledger.malformed"),
        (lambda _: b"null", "ledger.malformed"),
        (lambda _: b"{}", "ledger.malformed"),
        (lambda _: b'{"schema_version":', "ledger.malformed"),
        (lambda body: body[:-1], "ledger.malformed"),
        (lambda body: body + b"{}", "ledger.malformed"),
        (lambda body: body.decode().encode("utf-16"), "ledger.malformed"),
        (swap(b'"record":', b'"record":' + b'{"a":' * 100_000), "ledger.malformed"),
        (swap(b'"seq":42', b'"seq":true'), "ledger.malformed"),
        (swap(b'"seq":42', b'"seq":"42"'), "ledger.malformed"),
        (swap(b'"score":6', b'"score":NaN'), "ledger.malformed"),
        (swap(b'"kind":"inspection",', b""), "ledger.malformed"),
        (swap(b'"kind":', b'"extra":1,"kind":'), "ledger.malformed"),
        (swap(b'"seq":42', b'"seq":43'), "ledger.mislabelled"),
        (swap(f'"origin":"{ORIGIN}"'.encode(), b'"origin":"box"'), "ledger.mislabelled"),
        (swap(b'"schema_version":1', b'"schema_version":2'), "ledger.schema"),
        (lambda _: b'{"schema_version":2,"ciphertext":"..."}', "ledger.schema"),
        (swap(b'"seq":42', b'"seq":42.0'), "ledger.malformed"),
        (swap(b'"score":6', b'"score":1' + b"0" * 5000), "ledger.malformed"),
        (swap(b'"seq":42', b'"seq":41,"seq":42'), "ledger.not_canonical"),
        (swap(b'"verdict":"OK"', b'"verdict":"NG","verdict":"OK"'), "ledger.not_canonical"),
        (swap(b'"seq":42', b'"seq": 42'), "ledger.not_canonical"),
        (lambda body: body + b"\n", "ledger.not_canonical"),
        (swap(b'"threshold":0.5', b'"threshold":0.50'), "ledger.not_canonical"),
        (swap(b'"threshold":0.5', b'"threshold":5e-1'), "ledger.not_canonical"),
        (swap(b'"threshold":0.5', b'"threshold":1.0'), "ledger.not_canonical"),
        (swap(b'"threshold":0.5', b'"threshold":1e400'), "ledger.not_canonical"),
        (swap("站".encode(), b"\\u7ad9"), "ledger.not_canonical"),
    ],
)
def test_a_body_that_was_never_written_is_found_though_its_hash_belongs_to_it(
    entries: Sequence[Entry], change: Callable[[bytes], bytes], code: str
) -> None:
    entry = entries[41]
    broken = around(entries, 42, forged(entry, change(entry.body)))
    assert (broken.code, broken.seq) == (code, 42)


@settings(max_examples=300)
@given(body=st.binary(max_size=200) | st.text().map(str.encode))
def test_whatever_stands_in_a_body_is_a_break_and_no_exception(entries: Sequence[Entry], body: bytes) -> None:
    assert around(entries, 42, forged(entries[41], body)).seq == 42


@pytest.mark.parametrize(
    ("column", "value"),
    [("seq", 42.0), ("seq", None), ("seq", "42"), ("body", "{}"), ("body", None), ("hash", b"\xff"), ("origin", 1)],
)
def test_a_column_of_another_type_is_found(entries: Sequence[Entry], column: str, value: Any) -> None:
    broken = around(entries, 42, replace(entries[41], **{column: value}))
    assert (broken.code, broken.seq) == ("ledger.types", 42)
    assert type(value).__name__ in broken.found


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 2**53, -(2**53), b"bytes", {1: "x"}, "\ud800", {"\ud800": 1}, START, {1, 2}],
)
def test_a_record_that_json_does_not_hold_is_refused(value: Any) -> None:
    with pytest.raises(LedgerError) as caught:
        append(Head(ORIGIN, 4), "inspection", {"value": value}, START)
    assert (caught.value.code, caught.value.subject) == ("ledger.record", f"{ORIGIN} 5")


def test_a_record_that_is_nested_too_deeply_is_refused() -> None:
    nested: Any = 1
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(LedgerError, match="record"):
        append(Head(ORIGIN), "inspection", {"nested": nested}, START)


def test_entries_are_read_no_further_than_the_first_that_does_not_hold(entries: Sequence[Entry]) -> None:
    reading = iter([entries[0], entries[2], entries[3]])
    assert verify(reading, Head(ORIGIN)).broken is not None
    assert next(reading) == entries[3]


def test_the_same_record_gives_the_same_entry() -> None:
    first, second = (append(Head(ORIGIN), "inspection", record(1), START) for _ in range(2))
    assert first == second
    assert first.hash == "aebe4c99ad4d01ac3480634359baf108cb7a9facf58d51ba999b543dffa0ccf3"
