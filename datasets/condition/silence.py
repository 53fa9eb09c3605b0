"""Look for sensors from which nothing comes any more, and for reminders that are due."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from andon.datasets.store.conditions import Conditions
from andon.models.alerts.case import Alert, AlertPolicy
from andon.models.alerts.rules import decide_silence, note_arrivals
from andon.models.types.identifiers import new_id

GAPS = 3
"""How many of its usual gaps a sensor may be quiet: one snapshot may be lost, and the next late."""


def listen_anew(conditions: Conditions, assets: Iterable[str], now: datetime) -> None:
    """Count silence from now on: while nobody listened, nobody can tell who was silent.

    Raises
    ------
    ResourceError
        The database cannot be reached.
    """
    for asset in assets:
        with conditions.deciding(asset) as decision:
            state = decision.rules()
            decision.keep_rules(note_arrivals(state, {heard.sensor for heard in state.heard}, now))


def look_for_silence(conditions: Conditions, policy: AlertPolicy, now: datetime) -> list[Alert]:
    """Decide on all machines with a sensor that has been quiet for longer than it ever is.

    Raises
    ------
    ResourceError
        The database cannot be reached.
    """
    limit, given = timedelta(seconds=policy.silence_s), list[Alert]()
    for asset, gaps in conditions.rhythms(now - limit).items():
        patience = {sensor: max(limit, GAPS * gap) for sensor, gap in gaps.items()}
        with conditions.deciding(asset) as decision:
            state, alerts = decide_silence(policy, decision.rules(), now, new_id, patience)
            decision.keep_rules(state)
            decision.keep_alerts(alerts, now)
        given += alerts
    return given
