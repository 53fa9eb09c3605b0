"""Alerts and what people do with them: one case a machine, from open to resolved, and open again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, select

from andon.datasets.store.conditions import Conditions, Feedback
from andon.datasets.store.database import Database
from andon.datasets.store.paging import Page, paged
from andon.datasets.store.schema import alert_events, alerts, assets, feedback
from andon.models.alerts.case import AssetState, Case, CaseState
from andon.models.alerts.rules import acknowledge, reopen, resolve
from andon.models.types.errors import ConflictError, NotFoundError


class Action(StrEnum):
    """What a person decides on a case."""

    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    REOPEN = "reopen"


@dataclass(frozen=True, slots=True)
class Word:
    """What a person says, and when.

    Parameters
    ----------
    customer
        Whose machines that person may see; None for all.
    """

    actor: str
    time: datetime
    comment: str = ""
    customer: str | None = None


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts are asked for; None leaves a choice open."""

    asset: str | None = None
    state: str | None = None
    severity: str | None = None
    customer: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """What rows must meet."""
        named = {alerts.c.asset: self.asset, alerts.c.state: self.state, alerts.c.severity: self.severity}
        equal = [column == value for column, value in named.items() if value is not None]
        return equal if self.customer is None else [*equal, _assets_of(self.customer)]


@dataclass(frozen=True, slots=True)
class _Step:
    """From which states an action leads, by which rule, and what it is called once it is done."""

    allowed: frozenset[CaseState]
    change: Callable[[AssetState, Case, datetime], AssetState]
    done: str


_UNRESOLVED = frozenset({CaseState.OPEN, CaseState.ACKNOWLEDGED})
_STEPS: Mapping[Action, _Step] = {
    Action.ACKNOWLEDGE: _Step(_UNRESOLVED, lambda state, _case, _time: acknowledge(state), "acknowledged"),
    Action.RESOLVE: _Step(_UNRESOLVED, lambda state, _case, time: resolve(state, time)[0], "resolved"),
    Action.REOPEN: _Step(frozenset({CaseState.RESOLVED}), reopen, "reopened"),
}


class Alerts:
    """Reads alerts, and takes what people decide on them. Safe to use from several threads and processes at once.

    Each method that takes an alert raises ``NotFoundError`` where there is none, or none of that customer's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._conditions = Conditions(database)

    def page(self, wanted: AlertFilter, before: str | None, limit: int) -> Page[dict[str, Any]]:
        """List alerts, the latest first; ``before`` is where the page before ended."""
        found = select(alerts).where(*wanted.conditions())
        with self._database.reading() as connection:
            return paged(connection, found, alerts.c.id, before, limit, _document)

    def get(self, alert: str, customer: str | None = None) -> dict[str, Any]:
        """Find one, with all that happened to it and what people found."""
        row = self._row(alert, customer)
        events = select(alert_events).where(alert_events.c.alert == alert).order_by(alert_events.c.id)
        found = select(feedback).where(feedback.c.alert == alert).order_by(feedback.c.id)
        with self._database.reading() as connection:
            return {
                **_document(row),
                "events": [_plain(each, "time", "event", "actor", "comment") for each in connection.execute(events)],
                "feedback": [
                    _plain(each, "time", "is_true", "part_found", "comment", "actor")
                    for each in connection.execute(found)
                ],
            }

    def decide(self, alert: str, action: Action, word: Word) -> None:
        """Take a case on, close it or open it again.

        Raises
        ------
        ConflictError
            Its state does not allow that, or another case of the machine is open.
        """
        step = _STEPS[action]
        with self._conditions.deciding(self._row(alert, word.customer).asset) as decision:
            rules, kept = decision.rules(), decision.case(alert)
            if kept.case.state not in step.allowed:
                raise ConflictError("store.alert_state", alert, found=kept.case.state.value, action=action.value)
            state = step.change(_alone(kept.case) if kept.origin else rules, kept.case, word.time)
            if kept.origin is None:
                decision.keep_rules(state)
            after = state.case or replace(kept.case, state=CaseState.RESOLVED, notified=word.time)
            decision.keep_case(after, {**kept.document, "state": after.state.value}, word.time)
            decision.note(alert, step.done, word.time, word.actor, word.comment)

    def comment(self, alert: str, word: Word) -> None:
        """Say something of a case, whatever its state."""
        with self._conditions.deciding(self._row(alert, word.customer).asset) as decision:
            decision.note(alert, "commented", word.time, word.actor, word.comment)

    def give_feedback(self, alert: str, is_true: bool, part_found: str, word: Word) -> None:
        """Say whether an alert was true, and which part was found."""
        with self._conditions.deciding(self._row(alert, word.customer).asset) as decision:
            decision.keep_feedback(alert, Feedback(is_true, part_found, word.comment), word.time, word.actor)
            decision.note(alert, "feedback", word.time, word.actor, word.comment)

    def _row(self, alert: str, customer: str | None) -> Row[Any]:
        found = select(alerts).where(alerts.c.id == alert, *AlertFilter(customer=customer).conditions())
        with self._database.reading() as connection:
            row = connection.execute(found).first()
        if row is None:
            raise NotFoundError("store.no_alert", alert)
        return row


def _alone(case: Case) -> AssetState:
    """A case that a box's rules hold, by itself: what those here remember of the machine is about other cases."""
    return AssetState(case.asset, case=None if case.state is CaseState.RESOLVED else case)


def _assets_of(customer: str) -> ColumnElement[bool]:
    return alerts.c.asset.in_(select(assets.c.name).where(assets.c.customer == customer))


def _document(row: Row[Any]) -> dict[str, Any]:
    return msgspec.json.decode(row.document, type=dict[str, Any])


def _plain(row: Row[Any], *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
