"""Records streamed through the checks and the alert rules."""

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from andon.hardware.acquisition.record_folder import RecordFiles
from andon.hardware.monitoring.remembered import Remembered, recall
from andon.hardware.monitoring.reporter import Reporter
from andon.hardware.monitoring.survey import Survey, survey
from andon.models.alerts.case import AlertPolicy, Observation
from andon.models.health.watching import HealthModel
from andon.models.monitoring.remembering import write_memory
from andon.models.monitoring.watch import ConditionWatch, HealthMemory, Machines
from andon.models.stream.engine import StreamEngine, run
from andon.models.stream.windows import Analyse, Snapshots, StreamOptions
from andon.models.vibration.diagnosis import MAX_DURATION_S

if TYPE_CHECKING:
    from andon.hardware.monitoring.album import Album

SILENT_INTERVALS = 3
"""A sensor is silent when three records in a row are missing."""

KEEP_S = 10.0
"""How often what is remembered is written while records are streamed: after a kill at most this much is judged, and said, again."""


def policy_for(trained: AlertPolicy, interval_s: float, persistence_min: float | None = None) -> AlertPolicy:
    """The alert rules of a bundle for snapshots that come every ``interval_s``, with another persistence where one is given."""
    silence_s = max(trained.silence_s, SILENT_INTERVALS * interval_s)
    duration_s = trained.min_duration_s if persistence_min is None else 60 * persistence_min
    return replace(trained, min_duration_s=duration_s, silence_s=silence_s)


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
    found = survey(records.paths, records.hints, records.report)
    if not found.paths:
        return
    remembered = recall(kept, model.contract) if kept else Remembered()
    start = remembered.next_time(records.interval) or records.start
    records = replace(records, paths=found.paths, start=start, taken_until=remembered.taken_until)
    memory = HealthMemory(model, remembered.health(accepted))
    tell = reporter.album.keep if reporter.album else lambda *_: None
    watch = ConditionWatch(model, machines, memory, tell)
    engine = StreamEngine(_seen(watch, reporter.album), _patient(policy, found), _options(found))
    engine.restore(remembered.engine)

    def keep(path: Path) -> None:
        state, events = engine.save()
        for event in events:
            reporter.event(event)
        write_memory(Remembered.of(state, memory.states, model.contract), path)

    for event in run(engine, records, settled=_every(KEEP_S, partial(keep, kept)) if kept else lambda: None):
        reporter.event(event)
    if kept:
        keep(kept)


def _every(seconds: float, act: Callable[[], None]) -> Callable[[], None]:
    """What acts when it is called, at most once in so many seconds."""
    due = monotonic() + seconds

    def act_when_due() -> None:
        nonlocal due
        if monotonic() > due:
            act()
            due = monotonic() + seconds

    return act_when_due


def _seen(watch: ConditionWatch, album: "Album | None") -> Analyse:
    """What analyses snapshots, and shows them to the album where there is one."""
    if album is None:
        return watch

    def analyse(snapshots: Snapshots) -> list[Observation]:
        album.see(snapshots)
        return watch(snapshots)

    return analyse


def _patient(policy: AlertPolicy, found: Survey) -> AlertPolicy:
    """Rules that do not take the time between two records for silence, where records say how long that is."""
    return replace(policy, silence_s=max(policy.silence_s, SILENT_INTERVALS * found.interval_s))


def _options(found: Survey) -> StreamOptions:
    """A snapshot is as long as the shortest record, so that each gives one at least."""
    window = min(found.samples, int(MAX_DURATION_S * found.rate_hz))
    return StreamOptions(window=window, hop=window, max_samples=max(StreamOptions().max_samples, 4 * window), batch=1)
