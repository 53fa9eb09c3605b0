"""``andon ledger``: check the chains, sign where they end, and hand records out with their proof."""

import argparse
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path

from andon.datasets.store.commands import add_database, database_of
from andon.datasets.store.database import Database
from andon.datasets.store.ledger import (
    entries,
    find_changed_document,
    keep_checkpoint,
    kept_checkpoints,
    numbers_of,
    origins,
)
from andon.models.codes.parsing import parse_code
from andon.models.command.console import Console
from andon.models.command.main import DONE, FAILED
from andon.models.command.options import actions
from andon.models.files.outputs import write_output
from andon.models.ledger.chain import Head, Verification, verify
from andon.models.ledger.checkpoints import Checkpoint, read_checkpoint, sign_checkpoint, verify_chains
from andon.models.ledger.errors import LedgerError
from andon.models.ledger.proof import export_lines, segments, verify_export
from andon.models.messages.catalogue import Catalogue
from andon.models.signing.keys import PublicKey, load_public_key, load_signing_key, passphrase_of
from andon.models.types.errors import NotFoundError, OptionError
from andon.models.types.identifiers import safe_name

SUFFIX = ".checkpoint.json"


def ledger(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Define ``andon ledger verify``, ``checkpoint``, ``export`` and ``prove``."""
    add = actions(parser, text, "ledger")
    verifying, signing = add("verify", _verify), add("checkpoint", _checkpoint)
    exporting, proving = add("export", _export), add("prove", _prove)
    for each in (verifying, signing, exporting):
        add_database(each, text)
    verifying.add_argument(
        "--checkpoint",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help=text.text("help.ledger_checkpoints"),
    )
    verifying.add_argument("--key", type=Path, metavar="FILE.pub", help=text.text("help.ledger_public"))
    signing.add_argument("--key", type=Path, required=True, metavar="FILE", help=text.text("help.ledger_private"))
    signing.add_argument("--out", type=Path, required=True, metavar="DIR", help=text.text("help.ledger_out"))
    exporting.add_argument("--serial", required=True, metavar="CODE", help=text.text("help.ledger_serial"))
    exporting.add_argument("--out", type=Path, required=True, metavar="FILE", help=text.text("help.ledger_file"))
    proving.add_argument("file", type=Path, metavar="FILE", help=text.text("help.ledger_export_file"))
    for each in (exporting, proving):
        each.add_argument("--key", type=Path, required=True, metavar="FILE.pub", help=text.text("help.ledger_public"))


def _verify(arguments: argparse.Namespace, console: Console) -> int:
    checkpoints = list(_given_checkpoints(arguments.checkpoint, arguments.key))
    with database_of(arguments) as database:
        chains = {origin: entries(database, origin) for origin in origins(database)}
        results = [_with_documents(database, each) for each in verify_chains(chains, checkpoints)]
    for result in results:
        _report(result, console)
    if not results:
        console.say("ledger.empty")
    return FAILED if any(result.broken for result in results) else DONE


def _with_documents(database: Database, verified: Verification) -> Verification:
    """Where a chain holds, check that what is shown to people is what it says."""
    changed = None if verified.broken else find_changed_document(database, verified.head.origin)
    return Verification(verified.head, changed, verified.confirmed) if changed else verified


def _report(result: Verification, console: Console) -> None:
    said = {"origin": result.head.origin, "count": result.head.seq, "confirmed": result.confirmed}
    broken = result.broken
    if broken is None:
        console.emit({**said, "holds": True, "bad": None, "hash": result.head.hash})
        console.say("ledger.holds", subject=result.head.origin, count=result.head.seq, confirmed=result.confirmed)
        return
    reason = console.catalogue.error(broken.error())
    console.emit({**said, "holds": False, "bad": broken.seq, "reason": reason})
    console.show_text(reason)


def _checkpoint(arguments: argparse.Namespace, console: Console) -> int:
    key = load_signing_key(arguments.key, passphrase_of(os.environ))
    with database_of(arguments) as database:
        for origin in origins(database):
            checkpoint = sign_checkpoint(_verified_head(database, origin, key.public), datetime.now(UTC), key)
            path = arguments.out / f"{_file_name(origin)}-{checkpoint.seq}{SUFFIX}"
            write_output(path, checkpoint.encode() + b"\n")
            keep_checkpoint(database, checkpoint)
            console.emit({"origin": origin, "count": checkpoint.seq, "hash": checkpoint.hash, "path": str(path)})
            console.say("ledger.signed", subject=origin, count=checkpoint.seq, path=str(path))
    return DONE


def _verified_head(database: Database, origin: str, key: PublicKey) -> Head:
    """Where a chain ends that holds since its last checkpoint: nobody should sign what does not."""
    signed = [read_checkpoint(each, key, origin).head for each in kept_checkpoints(database, origin)]
    last = signed[-1] if signed else Head(origin)
    verified = verify(entries(database, origin, last.seq + 1), last)
    if verified.broken:
        raise verified.broken.error()
    return verified.head


def _file_name(origin: str) -> str:
    """Names that differ in what a file's name may not hold get files of their own."""
    return f"{safe_name(origin)}-{sha256(origin.encode()).hexdigest()[:8]}"


def _export(arguments: argparse.Namespace, console: Console) -> int:
    key, part = load_public_key(arguments.key), parse_code(arguments.serial).canonical
    with database_of(arguments) as database:
        wanted = {origin: numbers_of(database, origin, part) for origin in origins(database)}
        lines = [line for origin, numbers in wanted.items() for line in _proof(database, origin, numbers, key)]
    if not (count := sum(map(len, wanted.values()))):
        raise NotFoundError("store.no_part", part)
    write_output(arguments.out, b"".join(line.rstrip(b"\n") + b"\n" for line in lines))
    console.emit({"part": part, "count": count, "path": str(arguments.out)})
    console.say("ledger.exported", subject=part, count=count, path=str(arguments.out))
    return DONE


def _proof(database: Database, origin: str, wanted: list[int], key: PublicKey) -> Iterator[bytes]:
    kept = [read_checkpoint(each, key, origin) for each in kept_checkpoints(database, origin)]
    for segment in segments(origin, wanted, kept):
        yield from export_lines(entries(database, origin, segment.first), segment)


def _prove(arguments: argparse.Namespace, console: Console) -> int:
    key = load_public_key(arguments.key)
    try:
        with arguments.file.open("rb") as lines:
            count = verify_export(lines, key, str(arguments.file))
    except OSError as error:
        raise OptionError("data.unreadable", str(arguments.file), found=error.strerror or str(error)) from error
    except LedgerError as error:
        console.complain_of(str(arguments.file), error)
        return FAILED
    console.emit({"path": str(arguments.file), "count": count, "holds": True})
    console.say("ledger.proven", subject=str(arguments.file), count=count)
    return DONE


def _given_checkpoints(paths: list[Path], key: Path | None) -> Iterator[Checkpoint]:
    if not paths:
        return
    if key is None:
        raise OptionError("ledger.need_key", "--checkpoint")
    read = partial(read_checkpoint, key=load_public_key(key))
    for path in paths:
        for file in sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]:
            yield read(_contents(file), subject=str(file))


def _contents(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise LedgerError("ledger.no_checkpoint", str(file)) from error
