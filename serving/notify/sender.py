"""Sends what is in the outbox: a thread for each channel, so that a slow or dead one holds up nobody else.

Threads and not tasks, because apprise, paho and the database all block; and daemons, because one of them that waits for a receiver must not
keep the service from ending.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from random import Random
from threading import Event, Thread
from time import monotonic

from sqlalchemy import Connection

from andon.datasets.store.database import Database
from andon.datasets.store.outbox import Failure, Outbox, Waiting, add_alerts, add_escalations
from andon.models.alerts.case import Alert
from andon.models.alerts.notifying import Route
from andon.models.types.errors import AndonError
from andon.serving.notify.channels import Channel, Failed, Message, Refused, Sent
from andon.serving.notify.retrying import Backoff
from andon.serving.notify.wording import alert_message, summary_message

logger = logging.getLogger(__name__)

MOST_HELD = 500
"""Alerts in one summary."""
RETRY, PAUSE = Backoff(2.0, 300.0), Backoff(1.0, 60.0)
IDLE_S = 1.0
"""How long to leave alone what is due but that another process has, or that waits behind something it has."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to look, and how long to wait.

    Parameters
    ----------
    retry
        After a receiver refused a message.
    pause
        After a channel failed as a whole: nothing goes out on it meanwhile.
    poll_s
        How often the outbox is looked into for what other processes put there.
    watch_s
        How often escalations are looked for.
    drain_s
        How long what is due is still sent when the service ends.
    """

    retry: Backoff = RETRY
    pause: Backoff = PAUSE
    poll_s: float = 30.0
    watch_s: float = 30.0
    drain_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is told where.

    Parameters
    ----------
    channels
        By name; each ends its attempts in time, within the lease of the outbox.
    give_up_after
        How long after it is due a notification is tried.
    base_url
        Where the service is reached, for links; None for none.
    """

    routes: tuple[Route, ...]
    channels: Mapping[str, Channel] = field(repr=False)
    give_up_after: timedelta
    base_url: str | None = None


def utc_now() -> datetime:
    """Read the clock."""
    return datetime.now(UTC)


class Notifier:
    """Takes alerts in the transaction that stores them, and sends them once it is committed.

    Safe to use from several threads at once. ``sending`` starts and ends it.
    """

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        plan: Plan,
        pace: Pace,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._plan = plan
        self._pace = pace
        self._clock = clock
        self._ending = Event()
        self._workers = [
            _Worker(name, channel, outbox, plan.base_url, pace, clock) for name, channel in plan.channels.items()
        ]
        self._watcher = Thread(target=self._watch, name="notify", daemon=True)

    def add(self, connection: Connection, alerts: Sequence[Alert], now: datetime) -> None:
        """Add what is to be told of alerts, in the transaction that keeps them."""
        add_alerts(connection, self._plan.routes, alerts, now, self._plan.give_up_after)

    def kept(self, alerts: Sequence[Alert]) -> None:
        """Send what was added of alerts, whose transaction is committed."""
        self.wake()

    def wake(self) -> None:
        """Look into the outbox at once."""
        for worker in self._workers:
            worker.wake()

    def start(self) -> None:
        """Start the threads; called once."""
        for worker in self._workers:
            worker.thread.start()
        self._watcher.start()

    def end(self) -> None:
        """Send what is due, for ``drain_s`` at the most, and end the threads. What is not sent stays in the outbox."""
        ends = monotonic() + self._pace.drain_s
        self._ending.set()
        for worker in self._workers:
            worker.end(ends)
        for thread in (self._watcher, *(worker.thread for worker in self._workers)):
            thread.join(max(ends - monotonic(), 0.0))

    def _watch(self) -> None:
        while not self._ending.is_set():
            try:
                self._escalate()
            except AndonError as error:
                logger.warning("escalations not looked for", extra={"fields": {"reason": str(error)}})
            self._ending.wait(self._pace.watch_s)

    def _escalate(self) -> None:
        now = self._clock()
        if any(route.levels for route in self._plan.routes):
            with self._database.writing() as connection:
                add_escalations(connection, self._plan.routes, now, self._plan.give_up_after)
            self.wake()
        if lost := self._outbox.abandon(self._plan.channels, now):
            logger.error("notifications given up", extra={"fields": {"count": lost, "reason": "no such channel"}})


@asynccontextmanager
async def sending(notifier: Notifier) -> AsyncIterator[Notifier]:
    """Send while the block runs."""
    notifier.start()
    try:
        yield notifier
    finally:
        await asyncio.to_thread(notifier.end)


class _Worker:
    """Sends what is due on one channel, one message after the other."""

    def __init__(
        self,
        name: str,
        channel: Channel,
        outbox: Outbox,
        base_url: str | None,
        pace: Pace,
        clock: Callable[[], datetime],
    ) -> None:
        self._name = name
        self._channel = channel
        self._outbox = outbox
        self._base_url = base_url
        self._pace = pace
        self._clock = clock
        self._random = Random()
        self._signal = Event()
        self._ends: float | None = None
        self._paused_until = 0.0
        self._failures = 0
        self.thread = Thread(target=self._work, name=f"notify {name}", daemon=True)

    def wake(self) -> None:
        self._signal.set()

    def end(self, ends: float) -> None:
        """Let it end once nothing is due any more, or at ``ends``."""
        self._ends = ends
        self._signal.set()

    def _work(self) -> None:
        while True:
            rest_s = self._advance_or_wait()
            if self._ends is not None and (rest_s > 0 or monotonic() >= self._ends):
                return
            self._signal.wait(rest_s)
            self._signal.clear()

    def _advance_or_wait(self) -> float:
        try:
            return self._advance()
        except AndonError as error:
            logger.warning("outbox unusable", extra={"fields": {"channel": self._name, "reason": str(error)}})
            return self._pause(0.0)

    def _advance(self) -> float:
        """Send what is due first; return for how many seconds there is nothing to do."""
        if (left_s := self._paused_until - monotonic()) > 0:
            return left_s
        now = self._clock()
        due = self._outbox.next_due(self._name)
        if due is None or due > now:
            return self._pace.poll_s if due is None else min((due - now).total_seconds(), self._pace.poll_s)
        if single := self._outbox.due(self._name, now, 1):
            return self._send(single, alert_message(single[0], self._base_url))
        held = self._outbox.held(self._name, now, MOST_HELD)
        if not held:
            return IDLE_S
        by_language = groupby(sorted(held, key=attrgetter("language")), key=attrgetter("language"))
        groups = [tuple(group) for _, group in by_language]
        return max(self._send(group, summary_message(group, self._base_url)) for group in groups)

    def _send(self, told: tuple[Waiting, ...], message: Message) -> float:
        outcome = self._channel.send(message)
        ids = [each.id for each in told]
        now = self._clock()
        if isinstance(outcome, Failed):
            return self._put_back(told, outcome, now)
        self._failures = 0
        if isinstance(outcome, Sent):
            self._outbox.sent(ids, now)
        if isinstance(outcome, Refused):
            self._outbox.give_up(ids, outcome.reason, now)
            self._say_given_up(ids, outcome.reason)
        return 0.0

    def _put_back(self, told: tuple[Waiting, ...], failed: Failed, now: datetime) -> float:
        if failed.alone:
            self._failures = 0
            refusals = max(each.refusals for each in told) + 1
            wait_s = max(self._pace.retry.delay_s(refusals, self._random), failed.retry_after_s)
            rest_s = 0.0
        else:
            rest_s = wait_s = self._pause(failed.retry_after_s)
        lets_by = failed.alone or not self._channel.in_order
        failure = Failure(failed.reason, now + timedelta(seconds=wait_s), lets_by)
        fields = {"channel": self._name, "ids": [each.id for each in told], "reason": failed.reason, "wait_s": wait_s}
        logger.warning("notification failed", extra={"fields": fields})
        if gone := self._outbox.failed([each.id for each in told], failure, now):
            self._say_given_up(gone, failed.reason)
        return rest_s

    def _pause(self, at_least_s: float) -> float:
        """Leave the channel alone for a while; return for how long."""
        self._failures += 1
        pause_s = max(self._pace.pause.delay_s(self._failures, self._random), at_least_s)
        self._paused_until = monotonic() + pause_s
        return pause_s

    def _say_given_up(self, ids: Sequence[str], reason: str) -> None:
        fields = {"channel": self._name, "ids": list(ids), "reason": reason}
        logger.error("notification given up", extra={"fields": fields})
