"""``andon monitor``: records and process samples through checks and alert rules, as sensors would deliver them."""

import argparse
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

from andon.datasets.assets.known import known_machine
from andon.datasets.assets.register import FOLDER, AssetRegister
from andon.datasets.health.sources import SKAB, check_source
from andon.datasets.vibration import mfpt
from andon.datasets.vibration.folders import folder_name, record_paths
from andon.datasets.vibration.records import SUFFIXES
from andon.datasets.vibration.skab import FIT_ROWS, SkabRun, skab_runs
from andon.hardware.acquisition.pictures import Album
from andon.hardware.acquisition.record_folder import Length, RecordFiles, shortest_record
from andon.hardware.acquisition.remembered import Remembered, recall, remember
from andon.models.alerts.budget import MONTH_S, poisson_upper_bound
from andon.models.alerts.card import alert_document, alert_text
from andon.models.alerts.case import Alert, AlertEvent, AlertPolicy
from andon.models.bundle.runtime import load_health
from andon.models.command.console import Console
from andon.models.command.main import BAD_INPUT, DONE
from andon.models.command.options import DATA_FOLDER, andon_home, define, positive
from andon.models.health.operating import Row
from andon.models.health.watching import HealthModel
from andon.models.messages.catalogue import Catalogue
from andon.models.monitoring.documents import window_document
from andon.models.monitoring.rows import RowResult, watch_rows
from andon.models.monitoring.watch import ConditionWatch, HealthMemory, Machines, watched_name
from andon.models.stream.engine import Event, StreamEngine, run
from andon.models.stream.windows import StreamEventKind, StreamOptions, WindowResult
from andon.models.types.errors import DataError, OptionError, RecordError
from andon.models.types.identifiers import new_id
from andon.models.vibration.diagnosis import MAX_DURATION_S

SILENT_INTERVALS = 3
"""A sensor is silent when three records in a row are missing."""


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
    loaded = load_health(arguments.bundle)
    model = loaded.model
    home = andon_home(os.environ)
    reporter = Reporter(console, Album(arguments.plots, console.catalogue) if arguments.plots else None)
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


def policy_for(trained: AlertPolicy, interval_s: float, persistence_min: float | None = None) -> AlertPolicy:
    """The alert rules of a bundle for snapshots that come every ``interval_s``, with another persistence where one is given."""
    silence_s = max(trained.silence_s, SILENT_INTERVALS * interval_s)
    duration_s = trained.min_duration_s if persistence_min is None else 60 * persistence_min
    return replace(trained, min_duration_s=duration_s, silence_s=silence_s)


@dataclass(slots=True)
class Reporter:
    """Tells people and machines what monitoring finds."""

    console: Console
    album: Album | None = None
    unread: int = 0
    n_windows: int = 0
    n_judged: int = 0
    n_anomalous: int = 0
    n_alerts: int = 0
    spans: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)

    def unreadable(self, path: Path, error: RecordError) -> None:
        """Report a record that is left out."""
        self.unread += 1
        self.console.complain_of(str(path), error)

    def event(self, event: Event) -> None:
        """Report whatever comes out of the stream engine."""
        if isinstance(event, WindowResult):
            self.window(watched_name(event.head.asset, event.head.sensor), window_document(event))
        elif isinstance(event, Alert):
            self.alert(event)
        elif event.kind is not StreamEventKind.GAP:  # between two records there always is one
            where = {"asset": event.asset, "sensor": event.sensor}
            self.console.emit({"type": "stream", "kind": event.kind.value, **where, **event.params})
            self.console.show_text(event.text(self.console.catalogue))

    def window(self, name: str, document: dict[str, Any]) -> None:
        """Report a ``window`` object; people see those that are anomalous counted at the end."""
        self.n_windows += 1
        self.n_judged += document["judged"]
        self.n_anomalous += bool(document["anomalous"])
        time = datetime.fromisoformat(document["time"])
        first, _ = self.spans.get(document["asset"], (time, time))
        self.spans[document["asset"]] = first, time
        self.console.emit(document)
        if self.album:
            self.album.note(name, document)

    def alert(self, alert: Alert) -> None:
        """Report an alert with its card and picture."""
        self.n_alerts += alert.event is AlertEvent.RAISED
        plot = self.album.draw_alert(alert) if self.album else None
        document = alert_document(alert, str(plot) if plot else None)
        self.console.emit(document)
        self.console.show_text(alert_text(document, self.console.catalogue))

    def finish(self) -> None:
        """Draw the trends, and sum up: how much was watched, and how many alerts that gave."""
        for path in self.album.draw_trends() if self.album else ():
            self.console.say("monitor.trend", path=str(path))
        months = sum((last - first).total_seconds() for first, last in self.spans.values()) / MONTH_S
        self.console.say(
            "monitor.summary",
            windows=self.n_windows,
            judged=self.n_judged,
            anomalous=self.n_anomalous,
            alerts=self.n_alerts,
            machines=len(self.spans),
            months=f"{months:.3g}",
        )
        if self.n_alerts == 0 and months:
            self.console.say("monitor.bound", bound=f"{poisson_upper_bound(0, months):.3g}")


def monitor_records(
    model: HealthModel,
    records: RecordFiles,
    machines: Machines,
    policy: AlertPolicy,
    reporter: Reporter,
    kept: Path | None = None,
    accepted: Collection[str] = (),
) -> None:
    """Stream records through the checks and the rules.

    Parameters
    ----------
    kept
        A file that keeps what is remembered between two runs.
    accepted
        Assets of which what they did last is to be taken for normal: they were repaired, or are meant to run so.
    """
    shortest = shortest_record(records.paths, records.hints)
    if shortest is None:
        # Reading them tells what is wrong with each.
        list(records.blocks())
        return
    options = _options(shortest)
    remembered = recall(kept, model.contract) if kept else Remembered()
    start = remembered.next_time(records.interval) or records.start
    records = replace(records, start=start, taken_until=remembered.taken_until)
    memory = HealthMemory(model, remembered.health(accepted))
    tell = reporter.album.keep if reporter.album else lambda *_: None
    watch = ConditionWatch(model, machines, memory, tell)
    engine = StreamEngine(watch, policy, options)
    engine.restore(remembered.engine)
    for event in run(engine, records):
        reporter.event(event)
    if kept:
        state, _ = engine.save()
        remember(Remembered.of(state, memory.states, model.contract), kept)


def _options(shortest: Length) -> StreamOptions:
    """A snapshot is as long as the shortest record, so that each gives one at least."""
    window = min(shortest.samples, int(MAX_DURATION_S * shortest.rate_hz))
    return StreamOptions(window=window, hop=window, max_samples=max(StreamOptions().max_samples, 4 * window), batch=1)


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
