"""The equipment half of the demo: real bearing records as a machine's life, from healthy to an explained alert."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.table import Table

from andon.datasets.health.sources import HealthData, Wishes, open_health_data
from andon.datasets.vibration import mfpt
from andon.datasets.vibration.folders import record_paths
from andon.datasets.vibration.hints import RecordHints
from andon.datasets.vibration.records import read_record
from andon.datasets.vibration.sidecars import read_sidecar
from andon.hardware.acquisition.record_folder import RecordFiles
from andon.hardware.monitoring.album import Album
from andon.hardware.monitoring.records import monitor_records, policy_for
from andon.hardware.monitoring.reporter import Reporter
from andon.models.bundle.runtime import make_health_model
from andon.models.bundle.storage import write_bundle
from andon.models.command.console import Console
from andon.models.command.options import DATA_FOLDER
from andon.models.monitoring.watch import watched_name
from andon.models.types.progress import Progress
from andon.models.types.vibration import HEALTHY, Fault, Machine
from andon.training.demo.service import Service, monitor_station
from andon.training.pipelines.equipment import AlertWishes, TrainedHealth, train_health
from andon.training.tracking.registry import RegisteredVersion, promote, push
from andon.training.tracking.runs import TrainingRecord, log_training
from andon.training.tracking.store import default_store

NAME = "mfpt"
RATE_HZ = 48_828.0
"""The lower of the set's two rates: its healthy records are faster than most of the others."""

INTERVAL_S = 600.0
SENSOR = "bearing"
RIGS: Mapping[str, Fault] = {"rig A": Fault.INNER_RACE, "rig B": Fault.OUTER_RACE}
"""The set has one rig and two damaged bearings: the demo lets each of them fail on a machine of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """The records by label, in order, and the model of their healthy part."""

    paths: Mapping[str, Sequence[Path]]
    trained: TrainedHealth


def prepare(home: Path, console: Console) -> Prepared:
    """Fetch the records, learn the healthy ones, track and promote the model.

    Raises
    ------
    ResourceError
        The package index cannot be reached and the records were not fetched before.
    """
    folder = mfpt.fetch_mfpt(home / DATA_FOLDER)
    console.say("demo.data", name=mfpt.PROVENANCE.name, source=mfpt.PROVENANCE.source)
    console.say("data.non_commercial", subject=mfpt.PROVENANCE.name, licence=mfpt.PROVENANCE.licence)
    paths = _by_label(record_paths(folder))
    with console.progress() as progress:
        data = open_health_data(NAME, Wishes(rate_hz=RATE_HZ), 0, home / DATA_FOLDER, progress)
        trained = train_health(_for_rigs(data), AlertWishes(interval_s=INTERVAL_S), 0, progress)
        version = _promote(trained, home, progress)
    console.say("demo.promoted", name=NAME, version=version.version, digest=trained.bundle.digest[:12])
    return Prepared(paths, trained)


def show(service: Service, prepared: Prepared, out: Path, console: Console) -> None:
    """Let each rig live through its records, then ask the service about all of them."""
    model = make_health_model(prepared.trained.bundle)
    reporter = Reporter(console, Album(out, console.catalogue))
    policy = policy_for(prepared.trained.bundle.manifest.alerts, INTERVAL_S)
    for rig, fault in RIGS.items():
        paths = [*prepared.paths[HEALTHY], *prepared.paths[fault]]
        console.say("demo.replaying", rig=rig, n=len(paths), healthy=len(prepared.paths[HEALTHY]))
        interval = timedelta(seconds=INTERVAL_S)
        start = datetime.now(UTC).replace(microsecond=0) - interval * len(paths)
        hints = RecordHints(asset=rig, sensor=SENSOR)
        records = RecordFiles(paths, interval, reporter.unreadable, hints=hints, start=start)
        monitor_records(model, records, Machine, policy, reporter)
    reporter.finish()
    _ask(service, prepared, console)


def _promote(trained: TrainedHealth, home: Path, progress: Progress) -> RegisteredVersion:
    """Track the model and put it into the service's folder."""
    path, store = home / "demo" / NAME, default_store(home, os.environ)
    write_bundle(trained.bundle, path)
    log_training(TrainingRecord(trained.bundle, NAME, trained.metrics, {}), store, progress)
    version = push(path, NAME, store, progress)
    promote(NAME, str(version.version), "champion", store, home / "bundles", progress)
    return version


def _by_label(paths: Sequence[Path]) -> dict[str, list[Path]]:
    labelled: dict[str, list[Path]] = {}
    for path in paths:
        labelled.setdefault(read_sidecar(path).label or "", []).append(path)
    return labelled


def _for_rigs(data: HealthData) -> HealthData:
    """Both rigs began with the healthy records; the runs to judge keep the name that the set gives them."""
    rows = [row for listed in data.rows.values() for row in listed]
    return replace(data, rows={**{watched_name(rig, SENSOR): rows for rig in RIGS}, **data.rows})


def _ask(service: Service, prepared: Prepared, console: Console) -> None:
    """Send every record to the service, and show what it says beside the truth."""
    table = Table(*(console.text(f"demo.{name}") for name in ("record", "truth", "diagnosis", "p_value", "severity")))
    right = []
    with monitor_station(service.url) as station:
        for label, path in ((label, path) for label, paths in prepared.paths.items() for path in paths):
            said = station.send(read_record(path), path.stem)
            right.append(said["fault"] == label)
            table.add_row(path.stem, label, *_said(said, "green" if right[-1] else "red"))
    console.show(table)
    console.say("demo.diagnosed", right=sum(right), total=len(right))
    console.emit({"service": service.url, "records": len(right), "right": sum(right)})


def _said(document: Mapping[str, Any], colour: str) -> tuple[str, str, str]:
    p_value = "-" if document["p_value"] is None else f"{document['p_value']:.2g}"
    return f"[{colour}]{document['fault']}[/]", p_value, document["severity"]
