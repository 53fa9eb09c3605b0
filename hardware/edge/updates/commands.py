"""``andon fleet``: how the boxes are, and what is to be done next about a release."""

import argparse
import os
import re
from datetime import UTC, datetime
from getpass import getuser
from pathlib import Path
from typing import Any

from andon.datasets.registry.folder_store import FolderStore
from andon.datasets.registry.stores import CHAMPION
from andon.hardware.edge.updates.fleet import Answer, Outbox, Station, Update, ask_all, report_of, roll_back
from andon.hardware.edge.updates.fleet_file import read_fleet
from andon.hardware.edge.updates.waves import Advice, decide, plan_waves
from andon.models.bundle.signature import SignatureError, read_signatures
from andon.models.bundle.storage import read_bundle
from andon.models.command.console import Console
from andon.models.command.main import DONE, FAILED
from andon.models.command.options import actions, natural
from andon.models.messages.catalogue import Catalogue
from andon.models.types.errors import OptionError

SHOWN_DIGITS = 12
_DIGEST = re.compile(f"[0-9a-f]{{{SHOWN_DIGITS},64}}")
COLUMNS = (
    "update.column_box",
    "update.column_station",
    "update.column_bundle",
    "update.column_phase",
    "update.column_last_verdict",
    "update.column_waiting",
    "update.column_health",
)


def fleet(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Define ``andon fleet status`` and ``andon fleet next``."""
    add = actions(parser, text, "fleet")
    status, following = add("status", _show_status), add("next", _show_next)
    for each in (status, following):
        each.add_argument("fleet", type=Path, metavar="FLEET.toml", help=text.text("help.fleet_file"))
    following.add_argument("--digest", type=_digest, required=True, metavar="D", help=text.text("help.fleet_digest"))
    following.add_argument("--started", type=natural, required=True, metavar="N", help=text.text("help.fleet_started"))
    release = add("release", _release)
    release.add_argument("bundle", type=Path, metavar="BUNDLE", help=text.text("help.bundle_path"))
    release.add_argument("--to", type=Path, required=True, metavar="DIR", help=text.text("help.fleet_to"))
    release.add_argument("--name", metavar="N", help=text.text("help.fleet_release_name"))
    release.add_argument("--alias", default=CHAMPION, metavar="A", help=text.text("help.fleet_alias"))
    back = add("rollback", _roll_back)
    back.add_argument("fleet", type=Path, metavar="FLEET.toml", help=text.text("help.fleet_file"))
    back.add_argument("box", metavar="BOX", help=text.text("help.fleet_box"))
    back.add_argument("release", metavar="NAME", help=text.text("help.fleet_of"))
    back.add_argument("--digest", type=_digest, metavar="D", help=text.text("help.fleet_back_digest"))
    following.add_argument("--name", metavar="N", help=text.text("help.fleet_name"))


def _show_status(arguments: argparse.Namespace, console: Console) -> int:
    answers = ask_all(read_fleet(arguments.fleet, os.environ).boxes)
    rows = [row for answer in answers for row in _rows(answer, console)]
    for row in rows:
        console.emit(row)
    console.show(_table(rows, console))
    for answer in answers:
        if answer.error is not None and not console.as_json:
            console.complain(answer.error)
    return DONE if all(answer.is_well for answer in answers) else FAILED


def _release(arguments: argparse.Namespace, console: Console) -> int:
    """Bring a signed bundle to a folder, and let an alias stand for it."""
    bundle = read_bundle(arguments.bundle)
    signed = read_signatures(bundle.signature, str(arguments.bundle))
    if not signed:
        raise SignatureError("bundle.unsigned", str(arguments.bundle))
    name = arguments.name or signed[-1].release.name
    store = FolderStore(arguments.to)
    store.promote(name, store.put(bundle, name), arguments.alias)
    console.emit({"name": name, "alias": arguments.alias, "digest": bundle.digest})
    console.say("update.released", name=name, alias=arguments.alias, digest=bundle.digest[:SHOWN_DIGITS])
    return DONE


def _roll_back(arguments: argparse.Namespace, console: Console) -> int:
    boxes = {box.name: box for box in read_fleet(arguments.fleet, os.environ).boxes}
    if arguments.box not in boxes:
        raise OptionError("update.no_box", arguments.box, expected=", ".join(boxes))
    asked = {"release": arguments.release, "by": getuser(), "digest": arguments.digest}
    roll_back(boxes[arguments.box], asked)
    console.emit({"box": arguments.box, **asked})
    console.say("update.back", box=arguments.box, release=arguments.release)
    return DONE


def _show_next(arguments: argparse.Namespace, console: Console) -> int:
    known = read_fleet(arguments.fleet, os.environ)
    plan = plan_waves([box.name for box in known.boxes], known.rule)
    answers = ask_all(known.boxes)
    reports = {answer.box.name: report_of(answer, arguments.digest, arguments.name) for answer in answers}
    decision = decide(plan, arguments.started, reports, known.rule, datetime.now(UTC))
    document = {
        "advice": decision.advice.value,
        "wave": decision.wave,
        "waves": len(plan),
        "boxes": list(decision.boxes),
        "standings": {name: report.standing.value for name, report in reports.items()},
    }
    console.emit(document)
    boxes = ", ".join(decision.boxes) or "-"
    console.say(_SAID[decision.advice], wave=decision.wave, waves=len(plan), boxes=boxes)
    return FAILED if decision.advice is Advice.STOP else DONE


_SAID = {
    Advice.START: "update.advice_start",
    Advice.WAIT: "update.advice_wait",
    Advice.STOP: "update.advice_stop",
    Advice.DONE: "update.advice_done",
}


def _digest(value: str) -> str:
    """Read a digest, or the beginning of one that is long enough to mean no other.

    >>> _digest("3F5AC01D99E2")
    '3f5ac01d99e2'
    """
    digest = value.lower()
    if not _DIGEST.fullmatch(digest):
        raise argparse.ArgumentTypeError(f"{value!r} is not {SHOWN_DIGITS} to 64 hexadecimal digits")
    return digest


def _rows(answer: Answer, console: Console) -> list[dict[str, Any]]:
    """A line a station, or one that says why the box has none."""
    if answer.status is None:
        reason = console.catalogue.error(answer.error) if answer.error else ""
        return [{"box": answer.box.name, "error": reason, "healthy": False}]
    outbox = answer.status.outbox or Outbox()
    about = {"box": answer.box.name, "waiting": outbox.waiting, "outbox_error": outbox.last_error}
    return [{**about, **_station(station)} for station in answer.status.stations] or [{**about, "healthy": True}]


def _station(station: Station) -> dict[str, Any]:
    update = station.update or Update()
    return {
        "station": station.name,
        "kind": station.kind,
        "state": station.state,
        "fault": station.fault,
        "bundle": station.bundle,
        "bundle_digest": station.bundle_digest,
        "update": {"phase": update.phase, "digest": update.digest, "reason": update.reason},
        "errors": station.errors,
        "last_verdict_time": station.last_verdict_time,
        "p99_ms": station.p99_ms,
        "healthy": station.is_well,
    }


def _table(rows: list[dict[str, Any]], console: Console) -> object:
    from rich.table import Table

    table = Table(*(console.text(code) for code in COLUMNS))
    for row in rows:
        table.add_row(*_cells(row, console))
    return table


def _cells(row: dict[str, Any], console: Console) -> list[str]:
    if "error" in row:
        return [row["box"], "-", "-", "-", "-", "-", console.text("update.no_answer")]
    health = console.text("update.well") if row["healthy"] else console.text("update.fault", found=str(row["fault"]))
    digest = row.get("bundle_digest") or ""
    bundle = " ".join(each for each in (row.get("bundle"), digest[:SHOWN_DIGITS]) if each)
    phase = row.get("update", {}).get("phase")
    cells = (row["box"], row.get("station"), bundle, phase, row.get("last_verdict_time"), str(row["waiting"]), health)
    return [each or "-" for each in cells]
