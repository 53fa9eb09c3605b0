"""When findings become alerts: persistence, hysteresis, reminders, silence. Pure steps from state to state.

Every sensor and kind of check has its own track, so that one sensor that sees a fault is not outvoted by three that do
not; every asset has one case, which all its tracks join. An alarm is managed as IEC 62682:2014 asks: raised once, said again at intervals
until acknowledged, cleared with a deadband and a delay.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from andon.models.alerts.case import (
    SEVERITY_ORDER,
    Alert,
    AlertEvent,
    AlertKind,
    AlertPolicy,
    AssetState,
    Case,
    CaseState,
    Finding,
    Heard,
    Mark,
    Observation,
    Track,
)
from andon.models.types.errors import ConflictError
from andon.models.types.vibration import Fault, Severity

Step = tuple[AssetState, tuple[Alert, ...]]
NewId = Callable[[], str]


def decide(policy: AlertPolicy, state: AssetState, observation: Observation, new_id: NewId) -> Step:
    """Take one observation of an asset.

    Parameters
    ----------
    observation
        Of this asset. One that is older than the last of its sensor, or of the same time as the last of its sensor and
        kind, is counted as late and changes nothing else.
    new_id
        Called where a case is opened.

    Returns
    -------
    The next state, and the alerts to give: at most one.
    """
    if _is_late(state, observation):
        return replace(state, late=state.late + 1), ()
    state = _hear(policy, state, observation)
    alerts: tuple[Alert, ...] = ()
    if observation.valid:
        state, track = _watch(policy, state, observation)
        if observation.abnormal:
            state, alerts = _report(policy, state, track, observation, new_id)
    state, cleared = _settle(policy, state, observation)
    if alerts or cleared:
        return state, alerts + cleared
    return _remind(policy, state, observation.time, observation)


def decide_silence(
    policy: AlertPolicy,
    state: AssetState,
    now: datetime,
    new_id: NewId,
    patience: Mapping[str, timedelta] | None = None,
) -> Step:
    """Look for sensors that no snapshot has come from for too long, and for reminders that are due.

    Sensors that are silent together are one alert. Further ones join it without another.

    Parameters
    ----------
    now
        In UTC, on the clock of ``note_arrivals``; on that of the observations where nobody notes arrivals.
    patience
        How long each sensor may be silent; one that is not in it may be so for ever. None where the policy's limit holds for all.
    """
    limit = timedelta(seconds=policy.silence_s)
    silent = [
        heard
        for heard in (*state.heard, *state.expected)
        if now - heard.silent_since >= (limit if patience is None else patience.get(heard.sensor, timedelta.max))
        and not _track(state, heard.sensor, AlertKind.SILENCE).active
    ]
    if not silent:
        return _remind(policy, state, now, None)
    already = any(track.active and track.kind is AlertKind.SILENCE for track in state.tracks)
    for heard in silent:
        state = _with_track(state, Track(heard.sensor, AlertKind.SILENCE, since=heard.silent_since, active=True))
    findings = tuple(_silence(policy, heard) for heard in silent)
    if state.case is None:
        last_heard = max(heard.silent_since for heard in silent)
        return _open(state, findings, now, last_heard, len(silent), None, new_id)
    case = _join_all(state.case, findings)
    if already and not _is_worse(case, state.case):
        return replace(state, case=case), ()
    return _escalate(state, case, now, None)


def expect(state: AssetState, sensor: str, time: datetime) -> AssetState:
    """Expect snapshots of a sensor from ``time`` on; one that never gives any is silent, too."""
    known = any(each.sensor == sensor for each in (*state.heard, *state.expected))
    return state if known else replace(state, expected=(*state.expected, Heard(sensor, time)))


def note_arrivals(state: AssetState, sensors: Collection[str], now: datetime) -> AssetState:
    """Note when sensors last gave something, by the clock of ``decide_silence``: that of a sensor may be wrong."""
    heard = tuple(replace(each, arrived=now) if each.sensor in sensors else each for each in state.heard)
    return replace(state, heard=heard)


def forget_sensor(state: AssetState, sensor: str) -> AssetState:
    """Stop expecting a sensor that was taken off, or moved to another asset.

    A case that it holds open stays open until somebody resolves it: nothing has shown that the fault is gone.
    """
    return replace(
        state,
        heard=_without(state.heard, sensor),
        expected=_without(state.expected, sensor),
        tracks=tuple(track for track in state.tracks if track.sensor != sensor or track.active),
    )


def restart_clock(state: AssetState, sensor: str, time: datetime) -> AssetState:
    """Start a sensor's time anew at ``time`` after its clock was set back: what it said before no longer counts.

    Without this, everything it says would be late until its clock has caught up. The case stays as it is, except that
    its next reminder counts from ``time``.
    """
    tracks = tuple(replace(track, marks=(), since=None) if track.sensor == sensor else track for track in state.tracks)
    heard = tuple(replace(each, time=time) if each.sensor == sensor else each for each in state.heard)
    case = state.case and replace(state.case, notified=min(state.case.notified, time))
    return replace(state, tracks=tracks, heard=heard, case=case)


def acknowledge(state: AssetState) -> AssetState:
    """Note that somebody has taken the case on: no reminders until it escalates."""
    return replace(state, case=state.case and replace(state.case, state=CaseState.ACKNOWLEDGED))


def resolve(state: AssetState, time: datetime) -> Step:
    """Close the case because somebody says so. What is still abnormal must persist anew to be raised again."""
    if state.case is None:
        return state, ()
    calm = tuple(replace(track, marks=(), since=None, active=False) for track in state.tracks)
    return _close(replace(state, tracks=calm), time, None)


def reopen(state: AssetState, case: Case, time: datetime) -> AssetState:
    """Open a resolved case again because somebody says so; it stays open until somebody resolves it, or its fault comes and goes.

    Raises
    ------
    ConflictError
        Another case of the asset is open: an asset has one.
    """
    if state.case is not None:
        raise ConflictError("alert.other_open", case.id, found=state.case.id)
    return replace(state, case=replace(case, state=CaseState.OPEN, notified=time))


def _is_late(state: AssetState, observation: Observation) -> bool:
    if any(heard.sensor == observation.sensor and observation.time < heard.time for heard in state.heard):
        return True
    marks = _track(state, observation.sensor, observation.kind).marks
    return bool(marks) and observation.time <= marks[-1].time


def _hear(policy: AlertPolicy, state: AssetState, observation: Observation) -> AssetState:
    """Note that the sensor gave something, believed or not: that speaks against its silence."""
    sensor = observation.sensor
    arrived = next((each.arrived for each in state.heard if each.sensor == sensor), None)
    heard = (*_without(state.heard, sensor), Heard(sensor, observation.time, arrived))
    state = replace(state, heard=heard, expected=_without(state.expected, sensor))
    silence = _track(state, observation.sensor, AlertKind.SILENCE)
    if not silence.active:
        return state
    return _with_track(state, _extended(policy, silence, Mark(observation.time, abnormal=False, calm=True)))


def _watch(policy: AlertPolicy, state: AssetState, observation: Observation) -> tuple[AssetState, Track]:
    track = _extended(policy, _track(state, observation.sensor, observation.kind), _mark(policy, observation))
    return _with_track(state, track), track


def _mark(policy: AlertPolicy, observation: Observation) -> Mark:
    below = (
        observation.score is None
        or observation.threshold is None
        or observation.score <= policy.clear_ratio * observation.threshold
    )
    return Mark(
        time=observation.time,
        abnormal=observation.abnormal,
        calm=not observation.abnormal and below,
        fault=observation.fault,
        severity=observation.severity,
        p_value=observation.p_value,
        frequency_hz=observation.frequency_hz,
        order=observation.order,
        place=observation.place,
        zone=observation.zone,
    )


def _extended(policy: AlertPolicy, track: Track, mark: Mark) -> Track:
    marks = (*track.marks, mark)[-policy.n :]
    abnormal = [each.time for each in marks if each.abnormal]
    since = (track.since or abnormal[0]) if len(abnormal) >= policy.k else None
    return replace(track, marks=marks, since=since)


def _report(policy: AlertPolicy, state: AssetState, track: Track, observation: Observation, new_id: NewId) -> Step:
    """Open a case, or let an abnormal observation join the one that is open."""
    lasted = track.since is not None and observation.time - track.since >= timedelta(seconds=policy.min_duration_s)
    if not (lasted or track.active):
        return state, ()
    if lasted:
        state = _with_track(state, replace(track, active=True))
    if state.case is None:
        count = sum(mark.abnormal for mark in track.marks)
        return _open(state, (_finding(policy, track),), observation.time, observation.time, count, observation, new_id)
    seen = replace(state.case, last_seen=observation.time, n=state.case.n + 1)
    case = _join(seen, _finding(policy, track)) if track.since else seen
    if _is_worse(case, state.case):
        return _escalate(state, case, observation.time, observation)
    return replace(state, case=case), ()


def _finding(policy: AlertPolicy, track: Track) -> Finding:
    """What a persistent track says: the fault that most of its snapshots name, at a severity that ``k`` of them reach."""
    abnormal = [mark for mark in track.marks if mark.abnormal]
    # Counted from the latest, so that the latest wins where two faults are named equally often.
    fault = Counter(mark.fault for mark in reversed(abnormal)).most_common(1)[0][0]
    latest = next(mark for mark in reversed(abnormal) if mark.fault is fault)
    ranks = sorted((SEVERITY_ORDER.index(mark.severity) for mark in abnormal), reverse=True)
    return Finding(
        kind=track.kind,
        sensor=track.sensor,
        fault=fault,
        severity=SEVERITY_ORDER[ranks[policy.k - 1]],
        since=track.since or abnormal[0].time,
        p_value=latest.p_value,
        frequency_hz=latest.frequency_hz,
        order=latest.order,
        place=latest.place,
        zone=latest.zone,
    )


def _silence(policy: AlertPolicy, heard: Heard) -> Finding:
    return Finding(AlertKind.SILENCE, heard.sensor, Fault.NONE, policy.silence_severity, heard.silent_since)


def _join_all(case: Case, findings: tuple[Finding, ...]) -> Case:
    for finding in findings:
        case = _join(case, finding)
    return case


def _join(case: Case, finding: Finding) -> Case:
    """Add a finding, or bring that of the same track up to date; its severity never falls while the case is open."""
    same = next((each for each in case.findings if _is_same_track(each, finding)), None)
    if same is None:
        return replace(case, findings=(*case.findings, finding))
    worst: Severity = max(same.severity, finding.severity, key=SEVERITY_ORDER.index)
    current = replace(finding, severity=worst, since=min(same.since, finding.since))
    return replace(case, findings=tuple(current if each is same else each for each in case.findings))


def _is_same_track(first: Finding, second: Finding) -> bool:
    return (first.sensor, first.kind) == (second.sensor, second.kind)


def _is_worse(case: Case, than: Case) -> bool:
    return SEVERITY_ORDER.index(case.severity) > SEVERITY_ORDER.index(than.severity)


def _open(
    state: AssetState,
    findings: tuple[Finding, ...],
    time: datetime,
    last_seen: datetime,
    count: int,
    observation: Observation | None,
    new_id: NewId,
) -> Step:
    case = Case(
        id=new_id(),
        asset=state.asset,
        findings=findings,
        opened=time,
        raised=time,
        notified=time,
        last_seen=last_seen,
        n=count,
    )
    return replace(state, case=case), (Alert(AlertEvent.RAISED, time, case, observation),)


def _escalate(state: AssetState, case: Case, time: datetime, observation: Observation | None) -> Step:
    case = replace(case, raised=time, notified=time, state=CaseState.OPEN)
    return replace(state, case=case), (Alert(AlertEvent.ESCALATED, time, case, observation),)


def _settle(policy: AlertPolicy, state: AssetState, observation: Observation) -> Step:
    """Release the tracks that are calm again, and close the case once none holds it open."""
    calm = [
        track for track in state.tracks if track.active and sum(mark.calm for mark in track.marks) >= policy.clear_m
    ]
    if not calm:
        return state, ()
    for track in calm:
        state = _with_track(state, replace(track, active=False))
    if any(track.active for track in state.tracks):
        return state, ()
    return _close(state, observation.time, observation)


def _close(state: AssetState, time: datetime, observation: Observation | None) -> Step:
    if state.case is None:
        return state, ()
    case = replace(state.case, state=CaseState.RESOLVED, notified=time)
    return replace(state, case=None), (Alert(AlertEvent.CLEARED, time, case, observation),)


def _remind(policy: AlertPolicy, state: AssetState, now: datetime, observation: Observation | None) -> Step:
    case = state.case
    if case is None or case.state is not CaseState.OPEN or now - case.notified < timedelta(seconds=policy.repeat_s):
        return state, ()
    case = replace(case, notified=now, reminders=case.reminders + 1)
    return replace(state, case=case), (Alert(AlertEvent.REMINDER, now, case, observation),)


def _without(heard: tuple[Heard, ...], sensor: str) -> tuple[Heard, ...]:
    return tuple(each for each in heard if each.sensor != sensor)


def _track(state: AssetState, sensor: str, kind: AlertKind) -> Track:
    for track in state.tracks:
        if track.kind is kind and track.sensor == sensor:
            return track
    return Track(sensor, kind)


def _with_track(state: AssetState, track: Track) -> AssetState:
    others = tuple(each for each in state.tracks if each.kind is not track.kind or each.sensor != track.sensor)
    return replace(state, tracks=(*others, track))
