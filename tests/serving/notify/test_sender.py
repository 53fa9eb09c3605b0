"""What is in the outbox goes out: at once, in order, in spite of receivers that are slow, dead or away; and nothing is lost."""

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from random import Random
from threading import Event, Thread
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from tests.serving.notify import killed
from tests.serving.notify.receivers import Broker, MailServer, Request, WebServer, eventually, subscriber

from andon.datasets.store.conditions import Conditions
from andon.datasets.store.database import Database
from andon.datasets.store.outbox import Outbox, add, add_alerts
from andon.datasets.store.schema import outbox
from andon.models.alerts.case import Alert, AlertEvent, CaseState
from andon.models.alerts.notifying import Delivery, Level, QuietHours, Route, plan
from andon.models.types.identifiers import new_id
from andon.models.types.vibration import Severity
from andon.serving.notify.channels import Channel, Failed, Message, Outcome, Refused, Sent
from andon.serving.notify.configuration import load_configuration
from andon.serving.notify.opening import open_notifier
from andon.serving.notify.sender import Notifier, Pace, Plan, sending, utc_now

QUICK = replace(killed.QUICK, drain_s=5.0)
GIVE_UP_AFTER = timedelta(hours=1)
LEASE = timedelta(seconds=30)
NEVER = QuietHours(time(0), time(23, 59), ZoneInfo("UTC"))
AlertOf = Callable[..., Alert]


@dataclass
class Fake:
    """A channel that does as it is told, and keeps what was sent."""

    in_order: bool = True
    outcome: Callable[[Message], Outcome] = lambda _: Sent()
    sent: list[Message] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)

    def send(self, message: Message) -> Outcome:
        self.attempts.append(message.id)
        outcome = self.outcome(message)
        if isinstance(outcome, Sent):
            self.sent.append(message)
        return outcome

    @property
    def events(self) -> list[str]:
        return [str(message.documents[0]["event"]) for message in self.sent]


@pytest.fixture
def box(database: Database) -> Outbox:
    return Outbox(database, LEASE)


@dataclass
class Desk:
    """Adds alerts as the service does, and runs the notifier."""

    database: Database
    notifier: Notifier

    def tell(self, *alerts: Alert) -> None:
        for alert in alerts:
            with Conditions(self.database).deciding(alert.case.asset) as decision:
                decision.keep_alerts([alert], utc_now())
                self.notifier.add(decision._connection, [alert], utc_now())
        self.notifier.wake()


Routes = Sequence[Route]


@contextmanager
def at_work(notifier: Notifier) -> Iterator[None]:
    """Run a notifier as the service's lifespan does."""
    started, ended = Event(), Event()

    async def live() -> None:
        async with sending(notifier):
            started.set()
            await asyncio.to_thread(ended.wait)

    thread = Thread(target=lambda: asyncio.run(live()))
    thread.start()
    started.wait()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.fixture
def desk_of(database: Database, box: Outbox) -> Callable[..., Desk]:
    def make(channels: dict[str, Channel], routes: Routes = (), pace: Pace = QUICK, base: str | None = None) -> Desk:
        routes = tuple(routes) or (Route(tuple(channels), "en"),)
        return Desk(database, Notifier(database, box, Plan(tuple(routes), channels, GIVE_UP_AFTER, base), pace))

    return make


def test_an_alert_goes_out_as_soon_as_it_is_committed(
    desk_of: Callable[..., Desk], box: Outbox, alert_of: AlertOf
) -> None:
    first, second = Fake(), Fake()
    # Without being woken they would look again after an hour.
    desk = desk_of({"a": first, "b": second}, pace=replace(QUICK, poll_s=3600.0, watch_s=3600.0), base="https://x")
    alert = alert_of()
    with at_work(desk.notifier):
        desk.tell(alert)
        eventually(lambda: box.counts() == {("a", "sent"): 1, ("b", "sent"): 1})
    (message,) = first.sent
    assert message.documents[0]["id"] == alert.case.id
    assert message.body.endswith(f"https://x/api/v1/alerts/{alert.case.id}")
    assert message.id != second.sent[0].id


def test_a_dead_channel_holds_up_no_other(desk_of: Callable[..., Desk], box: Outbox, alert_of: AlertOf) -> None:
    free = Event()

    def hang(_: Message) -> Outcome:
        free.wait()
        return Sent()

    dead, alive = Fake(outcome=hang), Fake()
    desk = desk_of({"dead": dead, "alive": alive}, pace=replace(QUICK, drain_s=0.2))
    with at_work(desk.notifier):
        desk.tell(*(alert_of() for _ in range(5)))
        eventually(lambda: len(alive.sent) == 5)
    assert box.counts() == {("dead", "waiting"): 5, ("alive", "sent"): 5}, "and the service ends in spite of it"
    free.set()
    for worker in desk.notifier._workers:
        worker.thread.join()


def test_what_failed_is_sent_again_under_the_same_id_and_in_order(
    desk_of: Callable[..., Desk], box: Outbox, alert_of: AlertOf
) -> None:
    down = Event()
    channel = Fake(outcome=lambda _: Sent() if down.is_set() else Failed("down"))
    desk = desk_of({"a": channel})
    case = new_id()
    with at_work(desk.notifier):
        desk.tell(alert_of(case=case))
        eventually(lambda: len(channel.attempts) >= 3)
        desk.tell(alert_of(case=case, event=AlertEvent.ESCALATED), alert_of(case=case, event=AlertEvent.CLEARED))
        down.set()
        eventually(lambda: box.counts() == {("a", "sent"): 3})
    assert channel.events == ["raised", "escalated", "cleared"]
    assert channel.attempts[0] == channel.sent[0].id


def test_one_that_a_receiver_refuses_holds_up_no_other(
    desk_of: Callable[..., Desk], box: Outbox, alert_of: AlertOf
) -> None:
    def refuse(message: Message) -> Outcome:
        return Failed("HTTP 400", alone=True) if message.documents[0]["event"] == "raised" else Sent()

    channel, case = Fake(outcome=refuse), new_id()
    desk = desk_of({"a": channel})
    with at_work(desk.notifier):
        desk.tell(alert_of(case=case), alert_of(case=case, event=AlertEvent.CLEARED))
        eventually(lambda: channel.events == ["cleared"])
    assert box.counts() == {("a", "waiting"): 1, ("a", "sent"): 1}


def test_among_people_what_fails_never_holds_up_the_next(
    desk_of: Callable[..., Desk], box: Outbox, alert_of: AlertOf
) -> None:
    def fail(message: Message) -> Outcome:
        return Failed("not delivered") if message.documents[0]["event"] == "raised" else Sent()

    channel, case = Fake(in_order=False, outcome=fail), new_id()
    desk = desk_of({"a": channel})
    with at_work(desk.notifier):
        desk.tell(alert_of(case=case), alert_of(case=case, event=AlertEvent.ESCALATED, severity=Severity.DANGER))
        eventually(lambda: channel.events == ["escalated"])


def test_what_a_receiver_never_wants_is_given_up(
    desk_of: Callable[..., Desk], box: Outbox, alert_of: AlertOf, caplog: pytest.LogCaptureFixture
) -> None:
    channel = Fake(outcome=lambda _: Refused("HTTP 410"))
    desk = desk_of({"a": channel})
    with at_work(desk.notifier):
        desk.tell(alert_of())
        eventually(lambda: box.counts() == {("a", "given_up"): 1})
    assert len(channel.attempts) == 1
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert record.__dict__["fields"] == {"channel": "a", "ids": channel.attempts, "reason": "HTTP 410"}


def test_what_fails_for_too_long_is_given_up(
    desk_of: Callable[..., Desk], database: Database, box: Outbox, alert_of: AlertOf
) -> None:
    channel = Fake(outcome=lambda _: Failed("down"))
    desk = desk_of({"a": channel})
    with database.writing() as connection:
        add(connection, plan([Route(("a",), "en")], alert_of(), None, utc_now()), utc_now(), timedelta(seconds=0.2))
    with at_work(desk.notifier):
        eventually(lambda: box.counts() == {("a", "given_up"): 1})
    assert channel.attempts


def test_a_receiver_that_asks_to_be_left_alone_is(desk_of: Callable[..., Desk], box: Outbox, alert_of: AlertOf) -> None:
    channel = Fake(outcome=lambda _: Failed("HTTP 429", retry_after_s=3000.0))
    desk = desk_of({"a": channel})
    with at_work(desk.notifier):
        desk.tell(alert_of())
        eventually(lambda: box.next_due("a") and channel.attempts and not _due_soon(box))
        desk.tell(alert_of(), alert_of())
    assert len(channel.attempts) == 1
    assert box.counts() == {("a", "waiting"): 3}


def _due_soon(box: Outbox) -> bool:
    due = box.next_due("a")
    return due is None or due < utc_now() + timedelta(seconds=2000)


def test_what_was_held_is_told_in_one_summary_for_each_language(
    desk_of: Callable[..., Desk], database: Database, box: Outbox, alert_of: AlertOf
) -> None:
    channel = Fake()
    desk = desk_of({"a": channel})
    quiet = Route(("a",), "zh_CN", quiet=(NEVER,))
    for route in (quiet, quiet, replace(quiet, language="en")):
        deliveries = plan([route], alert_of(), None, datetime(2026, 3, 4, 12, tzinfo=UTC))
        assert deliveries[0].held
        with database.writing() as connection:
            # It is long over: what was held is due now.
            add(connection, [replace(each, due=utc_now()) for each in deliveries], utc_now(), GIVE_UP_AFTER)
    with at_work(desk.notifier):
        eventually(lambda: box.counts() == {("a", "sent"): 3})
    assert sorted(len(message.documents) for message in channel.sent) == [1, 2]
    summary = next(message for message in channel.sent if len(message.documents) == 2)
    assert summary.title == "免打扰时段内有 2 条报警"


def test_a_case_that_nobody_acknowledges_escalates_by_itself_and_once(
    desk_of: Callable[..., Desk], database: Database, box: Outbox, alert_of: AlertOf
) -> None:
    mail, chief = Fake(), Fake()
    route = Route(("mail",), "en", levels=(Level(0.3, ("chief",), "zh_CN"),))
    desk = desk_of({"mail": mail, "chief": chief}, [route])
    known, ignored = alert_of("P-1"), alert_of("P-2")
    with at_work(desk.notifier):
        desk.tell(known, ignored)
        with Conditions(database).deciding("P-1") as decision:
            decision.keep_case(replace(known.case, state=CaseState.ACKNOWLEDGED), {}, utc_now())
        eventually(lambda: chief.sent)
        eventually(lambda: len(mail.sent) == 2)
        desk.tell(alert_of("P-3"))
        eventually(lambda: len(chief.sent) == 2)
    assert [message.documents[0]["asset"] for message in chief.sent] == ["P-2", "P-3"]
    assert "无人确认" in chief.sent[0].body


def test_what_is_due_is_still_sent_when_the_service_ends(
    desk_of: Callable[..., Desk], box: Outbox, alert_of: AlertOf
) -> None:
    started, go_on = Event(), Event()

    def slow(_: Message) -> Outcome:
        started.set()
        go_on.wait()
        return Sent()

    desk = desk_of({"a": Fake(outcome=slow)})
    with at_work(desk.notifier):
        desk.tell(*(alert_of() for _ in range(4)))
        started.wait()
        go_on.set()
    assert box.counts() == {("a", "sent"): 4}


def test_a_database_that_is_away_for_a_while_stops_nothing(
    desk_of: Callable[..., Desk], database: Database, box: Outbox, alert_of: AlertOf, postgres_of: object
) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("a file does not go away")
    channel = Fake()
    desk = desk_of({"a": channel})
    with at_work(desk.notifier):
        postgres_of.stop()  # type: ignore[attr-defined]
        postgres_of.start()  # type: ignore[attr-defined]
        desk.tell(alert_of())
        eventually(lambda: len(channel.sent) == 1)


@pytest.fixture
def postgres_of(request: pytest.FixtureRequest, database_address: str) -> object:
    return None if database_address.startswith("sqlite") else request.getfixturevalue("postgres")


def test_several_processes_share_the_work(database: Database, alert_of: AlertOf, tmp_path: Path) -> None:
    one, two = Fake(), Fake()
    routes = (Route(("a",), "en"),)
    notifiers = [
        Notifier(database, Outbox(database, LEASE), Plan(routes, {"a": fake}, GIVE_UP_AFTER), QUICK)
        for fake in (one, two)
    ]
    for _ in range(40):
        with database.writing() as connection:
            add(connection, plan(routes, alert_of(case=new_id()), None, utc_now()), utc_now(), GIVE_UP_AFTER)
    with at_work(notifiers[0]), at_work(notifiers[1]):
        eventually(lambda: Outbox(database, LEASE).counts() == {("a", "sent"): 40})
    assert sorted(one.attempts + two.attempts) == sorted({*one.attempts, *two.attempts})
    assert len(one.attempts) + len(two.attempts) == 40


SECRET = "whsec_" + "c" * 32
CONFIGURATION = """
site = "north"
[channels.cmms]
kind = "webhook"
url = "{url}"
secrets = ["{secret}"]
[channels.broker]
kind = "mqtt"
host = "127.0.0.1"
port = {broker}
[channels.mail]
kind = "apprise"
urls = ["mailto://127.0.0.1:{mail}?smtp=127.0.0.1&from=a@example.com&to=b@example.com"]
[[routes]]
channels = ["cmms", "broker", "mail"]
"""


@pytest.fixture
def configured(web: WebServer, mosquitto: Broker, mail: MailServer, tmp_path: Path) -> Path:
    path = tmp_path / "notify.toml"
    path.write_text(CONFIGURATION.format(url=web.url, secret=SECRET, broker=mosquitto.port, mail=mail.port))
    return path


def test_an_alert_reaches_a_mail_a_broker_and_a_maintenance_system(
    database: Database, configured: Path, web: WebServer, mosquitto: Broker, mail: MailServer, alert_of: AlertOf
) -> None:
    notifier = open_notifier(load_configuration(configured, {}), database, QUICK)
    alert = alert_of(severity=Severity.DANGER)
    with subscriber(mosquitto.port) as heard, at_work(notifier):
        Desk(database, notifier).tell(alert)
        assert heard.messages.get(timeout=30)[1]["id"] == alert.case.id
        eventually(lambda: web.requests and mail.mails)
    assert web.requests[0].document["id"] == alert.case.id
    assert mail.mails[0]["Subject"].startswith("ALERT P-101")


def test_a_broker_that_goes_and_comes_back_gets_everything_in_order(
    database: Database, configured: Path, mosquitto: Broker, box: Outbox, alert_of: AlertOf
) -> None:
    configuration, case = load_configuration(configured, {}), new_id()
    notifier = open_notifier(configuration, database, QUICK)
    with at_work(notifier):
        mosquitto.stop()
        Desk(database, notifier).tell(*(alert_of(case=case, event=event) for event in AlertEvent))
        eventually(lambda: _has_failed(database))
    mosquitto.start()
    with subscriber(mosquitto.port) as heard, at_work(open_notifier(configuration, database, QUICK)):
        eventually(lambda: len(heard.all) == len(AlertEvent))
    assert [document["event"] for _, document in heard.all] == list(AlertEvent)
    assert box.counts()[("broker", "sent")] == len(AlertEvent)


def _has_failed(database: Database) -> bool:
    found = select(outbox.c.id).where(outbox.c.channel == "broker", outbox.c.failure == "Connection refused")
    with database.reading() as connection:
        return connection.scalar(found) is not None


@dataclass
class Killing:
    """Kills the sender while the maintenance system is answering it, at the request that is due to be its last."""

    process: subprocess.Popen[bytes] | None = None
    left: int = 0
    taken: list[str] = field(default_factory=list)

    def answer(self, request: Request) -> tuple[int, dict[str, str]]:
        self.left -= 1
        if self.process and self.left == 0:
            self.process.kill()
            self.process.wait()
            self.process = None
        self.taken.append(request.document["event_id"])
        return 204, {}


@pytest.mark.soak
def test_nothing_is_lost_when_the_sender_is_killed_while_it_sends(
    database_address: str,
    database: Database,
    configured: Path,
    web: WebServer,
    mosquitto: Broker,
    box: Outbox,
    alert_of: AlertOf,
) -> None:
    kills = 100 if os.environ.get("ANDON_SOAK") else 4
    routes, random, killing = load_configuration(configured, {}).routes, Random(7), Killing()
    web.answer = killing.answer
    told: dict[str, set[str]] = {"cmms": set(), "broker": set(), "mail/1": set()}
    with subscriber(mosquitto.port) as heard:
        for _ in range(kills):
            for delivery in store(database, routes, [alert_of(case=new_id()) for _ in range(5)]):
                told[delivery.channel].add(delivery.id)
            killing.left = random.randint(1, 5)
            with sender(database_address, configured) as killing.process:
                eventually(lambda: killing.process is None)
        with sender(database_address, configured):
            eventually(lambda: all(state == "sent" for _, state in box.counts()), patience_s=30.0 + 3.0 * kills)
        eventually(lambda: set(heard.ids) >= told["broker"])
    assert set(killing.taken) == told["cmms"]
    assert len(killing.taken) >= len(told["cmms"]) + kills, "what was being sent came again, under the same id"
    assert set(heard.ids) == told["broker"]
    assert box.counts() == {(channel, "sent"): 5 * kills for channel in told}


def store(database: Database, routes: Routes, alerts: Sequence[Alert]) -> list[Delivery]:
    """Keep alerts with their notifications, as the service does. Returns these."""
    for alert in alerts:
        with Conditions(database).deciding(alert.case.asset) as decision:
            decision.keep_alerts([alert], utc_now())
            add_alerts(decision._connection, routes, [alert], utc_now(), GIVE_UP_AFTER)
    return [delivery for alert in alerts for delivery in plan(routes, alert, None, utc_now())]


@contextmanager
def sender(address: str, configuration: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, killed.__file__, address, str(configuration)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"sending\n"
            yield process
        finally:
            process.kill()
