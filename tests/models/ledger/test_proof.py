"""Who has only an export and the public key can tell that its records belong to the chain."""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.ledger.conftest import ORIGIN, START, chained, forged, record

from andon.models.ledger.chain import Entry, Head
from andon.models.ledger.checkpoints import Checkpoint, sign_checkpoint
from andon.models.ledger.errors import LedgerError
from andon.models.ledger.proof import export_lines, proven_entries, segments, verify_export
from andon.models.messages.catalogue import LANGUAGES, catalogue
from andon.models.signing.keys import SigningKey, generate_key

DECISION = Path(__file__).parents[3] / "docs" / "adr" / "0016-ledger.md"
SIGNED_AT = (50, 100, 130)
FILE = "export.jsonl"
WANTED = (7, 8, 42, 50, 51, 120)


@pytest.fixture(scope="module")
def checkpoints(entries: Sequence[Entry], key: SigningKey) -> list[Checkpoint]:
    return [sign_checkpoint(entries[seq - 1].head, START, key) for seq in SIGNED_AT]


def exported(entries: Sequence[Entry], wanted: Iterable[int], checkpoints: Iterable[Checkpoint]) -> list[bytes]:
    return [
        line
        for segment in segments(ORIGIN, wanted, checkpoints)
        for line in export_lines(entries[segment.first - 1 :], segment)
    ]


@pytest.fixture(scope="module")
def lines(entries: Sequence[Entry], checkpoints: list[Checkpoint]) -> list[bytes]:
    return exported(entries, WANTED, checkpoints)


def refusal(lines: Iterable[bytes], key: SigningKey) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        verify_export(lines, key.public, FILE)
    for language in LANGUAGES:
        assert catalogue(language).error(caught.value)
    return caught.value


def customers_check(folder: Path, lines: Iterable[bytes], key: SigningKey) -> subprocess.CompletedProcess[str]:
    """Run the program that the decision gives to customers."""
    _, _, rest = DECISION.read_text(encoding="utf-8").partition("```python\n")
    (folder / "check.py").write_text(rest.partition("```")[0], encoding="utf-8")
    (folder / "export.jsonl").write_bytes(b"".join(lines))
    (folder / "key.pub").write_bytes(key.public.pem())
    words = [sys.executable, "-X", "utf8", "check.py", "export.jsonl", "key.pub"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False)


def test_an_export_proves_its_records(entries: Sequence[Entry], lines: list[bytes], key: SigningKey) -> None:
    assert list(proven_entries(lines, key.public, FILE)) == [entries[seq - 1] for seq in WANTED]
    assert verify_export(lines, key.public, FILE) == len(WANTED)


def test_it_shows_only_what_was_asked_for(lines: list[bytes]) -> None:
    types = [msgspec.json.decode(line)["type"] for line in lines]
    # entries 7 to 50, then 51 to 100, then 120 to 130
    assert (types.count("entry"), types.count("link"), types.count("checkpoint")) == (6, 40 + 49 + 10, 3)
    assert sum(b"urn:part:" in line for line in lines) == len(WANTED)


@settings(max_examples=50)
@given(wanted=st.sets(st.integers(1, 130), min_size=1).map(sorted))
def test_any_choice_of_records_can_be_proven(
    entries: Sequence[Entry], checkpoints: list[Checkpoint], key: SigningKey, wanted: list[int]
) -> None:
    found = proven_entries(exported(entries, wanted, reversed(checkpoints)), key.public, FILE)
    assert [entry.seq for entry in found] == wanted


def test_a_whole_chain_can_be_exported(entries: Sequence[Entry], key: SigningKey) -> None:
    end = sign_checkpoint(entries[-1].head, START, key)
    assert verify_export(exported(entries, range(1, 10_001), [end]), key.public, FILE) == 10_000


@settings(max_examples=300)
@given(place=st.integers(0, 2**32), mask=st.integers(1, 255))
def test_no_byte_of_an_export_changes_unseen(lines: list[bytes], key: SigningKey, place: int, mask: int) -> None:
    changed = bytearray(b"".join(lines))
    changed[place % (len(changed) - 1)] ^= mask  # the end of the last line may be missing
    refusal(bytes(changed).splitlines(keepends=True), key)
    refusal(bytes(changed).split(b"\n"), key)


def test_no_line_is_missing_or_comes_twice_unseen(lines: list[bytes], key: SigningKey) -> None:
    for row, line in enumerate(lines):
        refusal([*lines[:row], line, *lines[row:]], key)
        if row not in (0, lines.index(next(each for each in lines if b'"checkpoint"' in each))):
            refusal([*lines[:row], *lines[row + 1 :]], key)


def test_a_later_checkpoint_proves_what_leads_to_it(lines: list[bytes], key: SigningKey) -> None:
    first = next(line for line in lines if b'"checkpoint"' in line)
    assert verify_export([line for line in lines if line != first], key.public, FILE) == len(WANTED)


def test_an_export_without_its_first_record_still_proves_the_others(lines: list[bytes], key: SigningKey) -> None:
    assert verify_export(lines[1:], key.public, FILE) == len(WANTED) - 1


def test_an_export_that_ends_early_is_refused(lines: list[bytes], key: SigningKey) -> None:
    assert refusal([], key).code == "ledger.export_end"
    assert refusal(lines[:-1], key).code == "ledger.export_end"
    assert refusal(lines[:-1], key).subject == f"{FILE}:{len(lines) - 1}"


def test_a_link_or_checkpoint_proves_nothing_alone(lines: list[bytes], key: SigningKey) -> None:
    link = next(line for line in lines if b'"link"' in line)
    assert refusal([link, *lines], key).code == "ledger.export_start"
    assert refusal([lines[-1]], key).code == "ledger.export_start"


def test_an_export_signed_by_another_is_refused(lines: list[bytes]) -> None:
    assert refusal(lines, generate_key()).code == "ledger.checkpoint_key"


def test_a_forged_record_does_not_lead_to_the_checkpoint(
    entries: Sequence[Entry], checkpoints: list[Checkpoint], key: SigningKey
) -> None:
    forgery = list(chained([{**record(42), "verdict": "NG"}], entries[40].head))
    lines = exported(entries, [42], checkpoints)
    swapped = exported([*entries[:41], *forgery], [42], [sign_checkpoint(forgery[0].head, START, key)])
    found = refusal([swapped[0], *lines[1:]], key)
    assert found.code == "ledger.unproven"
    assert entries[49].hash in str(found.params["expected"])


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"\xff\n", b"[]\n", b'{"type":"key"}\n', b'{"digest":"12","type":"link"}\n', b'{"a":' * 100_000],
)
def test_what_is_no_line_of_an_export_is_refused(line: bytes, lines: list[bytes], key: SigningKey) -> None:
    found = refusal([lines[0], line, *lines[1:]], key)
    assert (found.code, found.subject) == ("ledger.export_line", f"{FILE}:2")


def test_a_line_says_nothing_twice(lines: list[bytes], key: SigningKey) -> None:
    other = lines[0].replace(b'{"body":', b'{"body":"{}","body":')
    assert refusal([other, *lines[1:]], key).code == "ledger.export_line"
    assert refusal([lines[0].replace(b'{"body":', b'{"more":1,"body":'), *lines[1:]], key).code == "ledger.export_line"


def test_a_body_that_was_never_written_is_refused(
    entries: Sequence[Entry], key: SigningKey, lines: list[bytes]
) -> None:
    """Even where who signs checkpoints has signed it."""
    entry = forged(entries[6], entries[6].body.replace(b'"verdict":"OK"', b'"verdict":"NG","verdict":"OK"'))
    document = msgspec.json.decode(lines[0]) | {"hash": entry.hash, "body": entry.body.decode()}
    line = msgspec.json.encode(document, order="sorted") + b"\n"
    checkpoint = sign_checkpoint(entry.head, START, key).encode() + b"\n"
    assert refusal([line, checkpoint], key).code == "ledger.not_canonical"


def test_what_no_checkpoint_follows_cannot_be_exported(checkpoints: list[Checkpoint]) -> None:
    for signed, last in ((checkpoints, 130), ([], 0)):
        with pytest.raises(LedgerError) as caught:
            list(segments(ORIGIN, [131, 140], signed))
        assert (caught.value.code, caught.value.params["found"]) == ("ledger.unsigned", last)
        assert caught.value.subject == f"{ORIGIN} 131"


def test_a_broken_chain_is_not_exported(entries: Sequence[Entry], checkpoints: list[Checkpoint]) -> None:
    (segment,) = segments(ORIGIN, [42], checkpoints)
    damaged = [entries[41], replace(entries[42], body=b"{}"), *entries[43:60]]
    for chain, code in (
        (damaged, "ledger.changed"),
        (entries[42:60], "ledger.missing"),
        (entries[41:45], "ledger.unproven"),
        ([], "ledger.export_start"),
        (list(chained([record(0)] * 20, entries[40].head)), "ledger.unproven"),
    ):
        with pytest.raises(LedgerError) as caught:
            list(export_lines(chain, segment))
        assert caught.value.code == code


def test_no_more_is_read_than_the_proof_needs(entries: Sequence[Entry], checkpoints: list[Checkpoint]) -> None:
    (segment,) = segments(ORIGIN, [42], checkpoints)
    following = iter(entries[41:])
    list(export_lines(following, segment))
    assert next(following).seq == 51


def test_a_customer_can_check_with_twenty_lines(tmp_path: Path, lines: list[bytes], key: SigningKey) -> None:
    said = customers_check(tmp_path, lines, key)
    assert (said.returncode, said.stdout, said.stderr) == (0, "6 proven\n", "")


@pytest.mark.parametrize("row", [0, 1, 3, -1])
def test_a_customer_sees_a_change(tmp_path: Path, lines: list[bytes], key: SigningKey, row: int) -> None:
    changed = list(lines)
    changed[row] = changed[row].replace(b"1", b"2", 1) if b"1" in changed[row] else changed[row].replace(b"a", b"b", 1)
    assert changed != lines
    assert customers_check(tmp_path, changed, key).returncode == 1


def test_a_customer_sees_a_missing_end_and_another_key(tmp_path: Path, lines: list[bytes], key: SigningKey) -> None:
    assert customers_check(tmp_path, lines[:-1], key).returncode == 1
    assert customers_check(tmp_path, [], key).returncode == 1
    assert customers_check(tmp_path, lines, generate_key()).returncode == 1


def test_where_a_chain_begins_is_proven_too(
    entries: Sequence[Entry], checkpoints: list[Checkpoint], key: SigningKey
) -> None:
    (first,) = proven_entries(exported(entries, [1], checkpoints), key.public, FILE)
    assert first.previous == Head(ORIGIN).hash
