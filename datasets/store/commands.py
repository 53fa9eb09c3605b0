"""``andon db`` and ``andon ledger``: the database, and the chains in it."""

import argparse
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from socket import gethostname

from andon.datasets.store.backup import BackupManifest, back_up, restore
from andon.datasets.store.blobs import BlobStore, open_blobs
from andon.datasets.store.database import Database, open_database, sqlite_address
from andon.datasets.store.keeping_file import load_rules
from andon.datasets.store.opening import BLOBS, DATABASE
from andon.datasets.store.retention import KeepingRules, plan, prune, sweep
from andon.datasets.store.room import Room
from andon.datasets.store.upgrade import newest, revision, upgrade
from andon.models.command.console import Console
from andon.models.command.main import DONE
from andon.models.command.options import actions, andon_home
from andon.models.messages.catalogue import Catalogue


def db(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Define ``andon db upgrade``, ``backup``, ``prune`` and ``restore``."""
    add = actions(parser, text, "db")
    upgrading = add("upgrade", _upgrade)
    backing_up = add("backup", _back_up)
    backing_up.add_argument("out", type=Path, metavar="OUT.zip", help=text.text("help.db_out"))
    backing_up.add_argument("--without-blobs", action="store_true", help=text.text("help.db_without_blobs"))
    pruning = add("prune", _prune)
    pruning.add_argument("--dry-run", action="store_true", help=text.text("help.db_dry_run"))
    add_keeping(pruning, text)
    pruning.add_argument("--origin", default=gethostname(), metavar="NAME", help=text.text("help.serve_origin"))
    restoring = add("restore", _restore)
    restoring.add_argument("backup", type=Path, metavar="BACKUP.zip", help=text.text("help.db_file"))
    for each in (upgrading, backing_up, pruning, restoring):
        add_database(each, text)
    for each in (backing_up, pruning, restoring):
        add_blobs(each, text)


def add_database(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Let ``parser`` take the address of a database."""
    parser.add_argument("--db", metavar="URL", help=text.text("help.db_url"))


def add_blobs(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Let ``parser`` take where images and waveforms lie."""
    parser.add_argument("--blobs", metavar="URL", help=text.text("help.db_blobs"))


def add_keeping(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Let ``parser`` take rules for how long what is kept."""
    parser.add_argument("--keeping", type=Path, metavar="FILE.toml", help=text.text("help.db_keeping"))


def rules_of(arguments: argparse.Namespace) -> KeepingRules:
    """Read the rules that are named, or take the usual ones; raises as ``load_rules`` does."""
    return load_rules(arguments.keeping) if arguments.keeping else KeepingRules()


def database_of(arguments: argparse.Namespace) -> Database:
    """Open the database that is named, or Andon's own, for a ``with`` statement.

    Raises
    ------
    OptionError
        The address is none.
    """
    return open_database(arguments.db or sqlite_address(andon_home(os.environ) / DATABASE))


def blobs_of(arguments: argparse.Namespace) -> BlobStore:
    """Open the store of images and waveforms that is named, or Andon's own.

    Raises
    ------
    OptionError
        The address is of a kind that is not known.
    """
    return open_blobs(arguments.blobs or str(andon_home(os.environ) / BLOBS))


def _upgrade(arguments: argparse.Namespace, console: Console) -> int:
    with database_of(arguments) as database:
        before = revision(database)
        upgrade(database)
    console.emit({"database": database.name, "before": before, "after": newest()})
    console.say("store.upgraded", subject=database.name, before=before or "-", after=newest())
    return DONE


def _back_up(arguments: argparse.Namespace, console: Console) -> int:
    with_blobs = not arguments.without_blobs
    with console.progress() as progress, database_of(arguments) as database:
        manifest = back_up(database, blobs_of(arguments), arguments.out, with_blobs, progress)
    _report("store.backed_up", arguments.out, manifest, console)
    return DONE


def _prune(arguments: argparse.Namespace, console: Console) -> int:
    now, rules = datetime.now(UTC), rules_of(arguments)
    with database_of(arguments) as database:
        if arguments.dry_run:
            planned = plan(database, rules, now)
            console.emit(planned)
            console.say("store.planned", subject=database.name, count=sum(planned.values()))
            return DONE
        blobs, room = blobs_of(arguments), Room(andon_home(os.environ), 0)
        pruned = prune(database, blobs, arguments.origin, rules, now, room.free_bytes())
        orphans = sweep(database, blobs, now)
    console.emit({**asdict(pruned), "orphans": orphans})
    console.say(
        "store.pruned",
        subject=database.name,
        images=pruned.images,
        waveforms=pruned.waveforms,
        mib=pruned.freed_bytes >> 20,
    )
    return DONE


def _restore(arguments: argparse.Namespace, console: Console) -> int:
    with console.progress() as progress, database_of(arguments) as database:
        manifest = restore(arguments.backup, database, blobs_of(arguments), progress)
    _report("store.restored", arguments.backup, manifest, console)
    return DONE


def _report(code: str, path: Path, manifest: BackupManifest, console: Console) -> None:
    rows = sum(table.rows for table in manifest.tables.values())
    console.emit({"path": str(path), "rows": rows, "blobs": manifest.blobs, "revision": manifest.revision})
    console.say(code, subject=str(path), rows=rows, blobs=manifest.blobs)
