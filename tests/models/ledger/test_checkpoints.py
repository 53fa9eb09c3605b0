"""A chain that was cut or written anew is found by a checkpoint that was kept elsewhere."""

from collections.abc import Iterator, Sequence
from datetime import timedelta, timezone

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from tests.models.ledger.conftest import FEW, ORIGIN, START, chained, record

from andon.models.ledger.chain import Entry, Head, verify
from andon.models.ledger.checkpoints import (
    Checkpoint,
    read_checkpoint,
    sign_checkpoint,
    verify_against,
    verify_chains,
)
from andon.models.ledger.errors import LedgerError
from andon.models.messages.catalogue import catalogue
from andon.models.signing.keys import SigningKey, generate_key

SIGNED_AT = (100, 2_000, 5_000, 9_000)


@pytest.fixture(scope="module")
def checkpoints(entries: Sequence[Entry], key: SigningKey) -> list[Checkpoint]:
    return [sign_checkpoint(entries[seq - 1].head, START, key) for seq in SIGNED_AT]


def rewritten(entries: Sequence[Entry], first: int, count: int) -> Iterator[Entry]:
    """The chain with every entry from ``first`` on made anew, as good as any, up to ``count`` entries."""
    yield from entries[: first - 1]
    head = entries[first - 2].head if first > 1 else Head(ORIGIN)
    yield from chained([{**record(number), "verdict": "OK?"} for number in range(first, count + 1)], head)


def test_a_checkpoint_comes_back_from_its_document(entries: Sequence[Entry], key: SigningKey) -> None:
    made = sign_checkpoint(entries[41].head, START, key)
    document = made.encode()
    assert (
        read_checkpoint(document, key.public, "file") == read_checkpoint(document + b"\n", key.public, "file") == made
    )
    assert made.head == entries[41].head
    assert msgspec.json.decode(document) == {
        "type": "checkpoint",
        "schema_version": 1,
        "origin": ORIGIN,
        "seq": 42,
        "hash": entries[41].hash,
        "time": "2026-01-01T08:30:00.123456+00:00",
        "key": key.public.fingerprint,
        "signature": made.signature.hex(),
    }


def test_the_time_is_kept_in_utc(key: SigningKey) -> None:
    there = START.astimezone(timezone(timedelta(hours=8)))
    assert sign_checkpoint(Head(ORIGIN), there, key).encode() == sign_checkpoint(Head(ORIGIN), START, key).encode()


def test_no_byte_of_a_checkpoint_changes_unseen(entries: Sequence[Entry], key: SigningKey) -> None:
    document = sign_checkpoint(entries[41].head, START, key).encode()
    for place in range(len(document)):
        for mask in (1, 2, 4, 8, 16, 32, 64, 128, 255):
            changed = bytearray(document)
            changed[place] ^= mask
            with pytest.raises(LedgerError, match="ledger"):
                read_checkpoint(bytes(changed), key.public, "file")


def test_a_checkpoint_of_another_key_is_refused(entries: Sequence[Entry], key: SigningKey) -> None:
    other = generate_key()
    with pytest.raises(LedgerError) as caught:
        read_checkpoint(sign_checkpoint(entries[41].head, START, other).encode(), key.public, "a.json")
    assert caught.value.code == "ledger.checkpoint_key"
    assert caught.value.params == {
        "subject": "a.json",
        "found": other.public.fingerprint,
        "expected": key.public.fingerprint,
    }


def test_naming_the_right_key_is_not_enough(entries: Sequence[Entry], key: SigningKey) -> None:
    document = msgspec.json.decode(sign_checkpoint(entries[41].head, START, generate_key()).encode())
    document["key"] = key.public.fingerprint
    with pytest.raises(LedgerError) as caught:
        read_checkpoint(rfc8785.dumps(document), key.public, "a.json")
    assert caught.value.code == "ledger.checkpoint_signature"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"", "ledger.checkpoint_form"),
        (b"\xff", "ledger.checkpoint_form"),
        (b"[]", "ledger.checkpoint_form"),
        (b'{"type":"bundle"}', "ledger.checkpoint_form"),
        (b'{"a":' * 100_000, "ledger.checkpoint_form"),
    ],
)
def test_what_is_no_checkpoint_is_refused(document: bytes, code: str, key: SigningKey) -> None:
    with pytest.raises(LedgerError) as caught:
        read_checkpoint(document, key.public, "a.json")
    assert (caught.value.code, caught.value.subject) == (code, "a.json")
    assert catalogue("zh_CN").error(caught.value)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"schema_version": 2}, "ledger.schema"),
        ({"seq": -1}, "ledger.checkpoint_form"),
        ({"seq": 2**60}, "ledger.checkpoint_form"),
        ({"seq": "42"}, "ledger.checkpoint_form"),
        ({"hash": "F" * 64}, "ledger.checkpoint_form"),
        ({"time": "2026-01-01T08:30:00"}, "ledger.checkpoint_form"),
        ({"time": "2026-01-01T08:30:00.123456Z"}, "ledger.checkpoint_form"),
        ({"more": 1}, "ledger.checkpoint_form"),
    ],
)
def test_another_form_is_refused(change: dict[str, object], code: str, key: SigningKey) -> None:
    document = msgspec.json.decode(sign_checkpoint(Head(ORIGIN), START, key).encode())
    with pytest.raises(LedgerError) as caught:
        read_checkpoint(msgspec.json.encode(document | change, order="sorted"), key.public, "a.json")
    assert caught.value.code == code


def test_a_chain_that_holds_what_was_signed_holds(entries: Sequence[Entry], checkpoints: list[Checkpoint]) -> None:
    found = verify_against(iter(entries), Head(ORIGIN), reversed(checkpoints))
    assert (found.head, found.broken, found.confirmed) == (entries[-1].head, None, 9_000)


def test_the_very_end_may_be_signed(entries: Sequence[Entry], key: SigningKey) -> None:
    ends = [sign_checkpoint(head, START, key) for head in (Head(ORIGIN), entries[9].head)]
    assert verify_against(entries[:10], Head(ORIGIN), ends).broken is None
    assert verify_against(entries[:10], Head(ORIGIN), ends).confirmed == 10


@FEW
@given(length=st.integers(0, 9_999))
def test_a_chain_that_was_cut_before_a_checkpoint_is_found(
    entries: Sequence[Entry], checkpoints: list[Checkpoint], length: int
) -> None:
    found = verify_against(entries[:length], Head(ORIGIN), checkpoints)
    assert verify(entries[:length], Head(ORIGIN)).broken is None
    if length >= max(SIGNED_AT):
        assert found.broken is None
        return
    assert found.broken is not None
    assert (found.broken.code, found.broken.seq) == ("ledger.cut", length + 1)
    assert (found.broken.found, found.broken.expected) == (str(length), "9000")
    assert found.head.seq == length


@FEW
@given(first=st.integers(1, 3_000))
def test_a_chain_that_was_written_anew_is_found(
    entries: Sequence[Entry], checkpoints: list[Checkpoint], first: int
) -> None:
    forgery = list(rewritten(entries, first, 5_500))
    assert verify(forgery, Head(ORIGIN)).broken is None
    found = verify_against(forgery, Head(ORIGIN), checkpoints)
    named = next(seq for seq in SIGNED_AT if seq >= first)
    assert found.broken is not None
    assert (found.broken.code, found.broken.seq) == ("ledger.rewritten", named)
    assert (found.broken.found, found.broken.expected) == (forgery[named - 1].hash, entries[named - 1].hash)
    assert found.confirmed == found.head.seq == max((seq for seq in SIGNED_AT if seq < first), default=0)


def test_damage_before_a_checkpoint_is_named_itself(entries: Sequence[Entry], checkpoints: list[Checkpoint]) -> None:
    found = verify_against([*entries[:149], *entries[150:]], Head(ORIGIN), checkpoints)
    assert found.broken is not None
    assert (found.broken.code, found.broken.seq, found.confirmed) == ("ledger.missing", 150, 100)


def test_two_checkpoints_that_contradict_each_other_cannot_both_hold(entries: Sequence[Entry], key: SigningKey) -> None:
    other = sign_checkpoint(Head(ORIGIN, 42, "f" * 64), START, key)
    for both in ([sign_checkpoint(entries[41].head, START, key), other], [other]):
        found = verify_against(entries[:50], Head(ORIGIN), both)
        assert found.broken is not None
        assert (found.broken.code, found.broken.expected) == ("ledger.rewritten", "f" * 64)


def test_verification_from_a_checkpoint_looks_at_those_after_it(
    entries: Sequence[Entry], checkpoints: list[Checkpoint], key: SigningKey
) -> None:
    assert verify_against(entries[5_000:], checkpoints[2].head, checkpoints).confirmed == 9_000
    wrong = Head(ORIGIN, 5_000, "f" * 64)
    broken = verify_against(entries[5_000:], wrong, checkpoints).broken
    assert broken is not None
    assert (broken.code, broken.seq) == ("ledger.rewritten", 5_000)


def test_a_checkpoint_of_another_chain_says_so(entries: Sequence[Entry], key: SigningKey) -> None:
    broken = verify_against(entries, Head(ORIGIN), [sign_checkpoint(Head("box", 3, "f" * 64), START, key)]).broken
    assert broken is not None
    assert (broken.code, broken.found, broken.expected) == ("ledger.foreign", "box", ORIGIN)


def test_every_chain_is_checked_against_its_own_checkpoints(entries: Sequence[Entry], key: SigningKey) -> None:
    others = list(chained([record(number) for number in range(5)], Head("box")))
    signed = [
        sign_checkpoint(head, START, key)
        for head in (entries[9].head, others[4].head, Head("gone", 3, "a" * 64), Head("gone", 7, "b" * 64))
    ]
    box, gone, line = verify_chains({ORIGIN: iter(entries[:20]), "box": iter(others)}, signed)
    assert (box.head, box.broken, box.confirmed) == (others[4].head, None, 5)
    assert (line.head, line.broken, line.confirmed) == (entries[19].head, None, 10)
    assert gone.broken is not None
    assert (gone.broken.code, gone.broken.subject, gone.broken.expected) == ("ledger.unknown_origin", "gone 1", "7")
