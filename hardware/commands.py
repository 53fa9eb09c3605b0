"""``andon monitor``: records and process samples through checks and alert rules, as sensors would deliver them."""

import argparse
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path

from andon.datasets.assets.known import known_machine
from andon.datasets.assets.register import FOLDER, AssetRegister
from andon.datasets.health.sources import SKAB, check_source
from andon.datasets.vibration import mfpt
from andon.datasets.vibration.folders import folder_name, record_paths
from andon.datasets.vibration.records import SUFFIXES
from andon.datasets.vibration.skab import FIT_ROWS, SkabRun, skab_runs
from andon.hardware.acquisition.record_folder import RecordFiles
from andon.hardware.monitoring.records import monitor_records, policy_for
from andon.hardware.monitoring.reporter import Reporter
from andon.models.alerts.case import AlertPolicy
from andon.models.bundle.runtime import load_health
from andon.models.command.console import Console
from andon.models.command.main import BAD_INPUT, DONE
from andon.models.command.options import DATA_FOLDER, andon_home, define, positive
from andon.models.health.operating import Row
from andon.models.health.watching import HealthModel
from andon.models.messages.catalogue import Catalogue
from andon.models.monitoring.rows import RowResult, watch_rows
from andon.models.types.errors import DataError, OptionError
from andon.models.types.identifiers import new_id


def monitor(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Define ``andon monitor``."""
    define(parser, text, "monitor", _monitor)
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help=text.text("help.bundle_path"))
    parser.add_argument("source", metavar="SRC", help=text.text("help.monitor_source"))
    parser.add_argument(
        "--interval", type=positive, default=600.0, metavar="S", help=text.text("help.monitor_interval")
    )
    parser.add_argument("--persistence", type=positive, metavar="MIN", help=text.text("help.monitor_persistence"))
    parser.add_argument("--state", type=Path, metavar="FILE", help=text.text("help.monitor_state"))
    parser.add_argument("--accept", action="append", default=[], metavar="ASSET", help=text.text("help.monitor_accept"))
    parser.add_argument("--plots", type=Path, metavar="DIR", help=text.text("help.monitor_plots"))


def _monitor(arguments: argparse.Namespace, console: Console) -> int:
    reporter = _reporter(arguments.plots, console)
    loaded = load_health(arguments.bundle)
    model = loaded.model
    home = andon_home(os.environ)
    policy = policy_for(loaded.bundle.manifest.alerts, arguments.interval, arguments.persistence)
    check_source(model.contract, arguments.source)
    if arguments.source.startswith(SKAB):
        if arguments.state:
            raise OptionError("monitor.state_rows", "--state", found=arguments.source)
        _monitor_rows(model, Path(arguments.source.removeprefix(SKAB)), policy, reporter)
    else:
        records = _records(arguments.source, home, timedelta(seconds=arguments.interval), reporter)
        machines = cache(partial(known_machine, AssetRegister(home / FOLDER)))
        monitor_records(model, records, machines, policy, reporter, arguments.state, arguments.accept)
    reporter.finish()
    return BAD_INPUT if reporter.unread else DONE


def _reporter(plots: Path | None, console: Console) -> Reporter:
    if plots is None:
        return Reporter(console)
    from andon.hardware.monitoring.album import Album

    return Reporter(console, Album(plots, console.catalogue))


def _records(source: str, home: Path, interval: timedelta, reporter: Reporter) -> RecordFiles:
    path = mfpt.fetched(home / DATA_FOLDER) if source == mfpt.PROVENANCE.name else Path(source)
    paths = record_paths(path)
    if not paths:
        raise DataError("record.no_record", source, suffixes=" ".join(sorted(SUFFIXES)))
    return RecordFiles(paths, interval, reporter.unreadable, folder_name(path))


def _monitor_rows(model: HealthModel, folder: Path, policy: AlertPolicy, reporter: Reporter) -> None:
    for skab_run in skab_runs(folder):
        for event in watch_rows(model, skab_run.name, _timed_rows(skab_run), policy, new_id):
            if isinstance(event, RowResult):
                reporter.window(skab_run.name, event.document())
            else:
                reporter.alert(event)


def _timed_rows(skab_run: SkabRun) -> Iterator[tuple[datetime, Row]]:
    """The rows after those that fit; the rig's local time is taken for UTC."""
    for time, values in zip(skab_run.times[FIT_ROWS:].tolist(), skab_run.values[FIT_ROWS:].tolist(), strict=True):
        yield time.replace(tzinfo=UTC), dict(zip(skab_run.columns, values, strict=True))
