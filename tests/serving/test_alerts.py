"""From a signal to an alert, and what people do with it."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.motors import ASSETS, START
from tests.serving.clients import at_this_machine
from tests.serving.conftest import OPTIONS
from tests.serving.signal_requests import CALM, SICK, STEP, floats, said_of, send_series
from tests.serving.signal_requests import URL as SIGNALS
from tests.serving.test_inspections import assert_problem

from andon.datasets.store.conditions import Untold
from andon.datasets.store.ledger import entries, find_changed_document
from andon.datasets.store.opening import Store
from andon.models.alerts.case import Alert, AlertEvent
from andon.serving.api.app import Surroundings, create_app
from andon.serving.engine.repository import ModelRepository

URL = "/api/v1/alerts"
NOBODY = "017f22e2-79b0-7000-98c4-dc0c0c07398f"


@pytest.fixture
def watching(repository: ModelRepository, kept: Store) -> Iterator[TestClient]:
    with at_this_machine(create_app(repository, kept, options=OPTIONS), raise_server_exceptions=False) as started:
        yield started


@pytest.fixture
def alert(watching: TestClient) -> dict[str, Any]:
    """A machine with a fault that has lasted long enough."""
    answers = send_series(watching, SICK)
    (raised,) = [alert for answer in answers for alert in answer["alerts"] if alert["event"] == "raised"]
    return dict(raised)


def do(client: TestClient, alert: dict[str, Any], action: str, **body: object) -> dict[str, Any]:
    answer = client.post(f"{URL}/{alert['id']}/{action}", json=body)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_an_alert_goes_through_its_life(watching: TestClient, alert: dict[str, Any]) -> None:
    assert do(watching, alert, "acknowledge", comment="on my way")["state"] == "acknowledged"
    do(watching, alert, "comment", comment="轴承有异响")
    do(watching, alert, "feedback", true=True, part_found="outer race", comment="pitting")
    resolved = do(watching, alert, "resolve", comment="bearing changed")
    assert resolved["state"] == "resolved"
    reopened = do(watching, alert, "reopen", comment="it is back")
    assert reopened["state"] == "open"
    happened = [(each["event"], each["comment"]) for each in reopened["events"]]
    assert happened == [
        ("raised", ""),
        ("acknowledged", "on my way"),
        ("commented", "轴承有异响"),
        ("feedback", "pitting"),
        ("resolved", "bearing changed"),
        ("reopened", "it is back"),
    ]
    assert [(each["is_true"], each["part_found"]) for each in reopened["feedback"]] == [(True, "outer race")]


def test_an_alert_is_told_once_however_often_its_signal_is_sent(repository: ModelRepository, kept: Store) -> None:
    told = list[Alert]()
    around = Surroundings(teller=Listening(told))
    for _ in range(2):
        with at_this_machine(create_app(repository, kept, OPTIONS, around=around)) as client:
            for turn, signal in enumerate(SICK):
                about = {**said_of(signal), "asset": ASSETS[0], "time": (START + turn * STEP).isoformat()}
                for _ in range(2):
                    head = {"Idempotency-Key": f"s{turn}"}
                    answer = client.post(SIGNALS, params=about, content=floats(signal.samples), headers=head)
                    assert answer.status_code == 200
    assert [alert.event for alert in told] == [AlertEvent.RAISED]


def test_what_is_answered_and_told_has_an_entry_in_the_ledger(watching: TestClient, kept: Store) -> None:
    answers = send_series(watching, SICK)
    chain = list(entries(kept.database, kept.origin))
    kinds = [each.document()["kind"] for each in chain]
    assert kinds == ["signal"] * 4 + ["alert"] + ["signal"] * 2
    signals = [each.hash for each, kind in zip(chain, kinds, strict=True) if kind == "signal"]
    assert [answer["ledger_hash"] for answer in answers] == signals
    assert watching.get(f"{SIGNALS}/{answers[0]['id']}").json() == answers[0]
    assert watching.get(SIGNALS).json()["items"] == answers[::-1]
    assert find_changed_document(kept.database, kept.origin) is None


class Listening(Untold):
    def __init__(self, told: list[Alert]) -> None:
        self._told = told

    def kept(self, alerts: Sequence[Alert]) -> None:
        self._told += alerts


def test_lists_show_where_each_stands(watching: TestClient, alert: dict[str, Any]) -> None:

    def listed(**query: str) -> list[str]:
        return [each["id"] for each in watching.get(URL, params=query).json()["items"]]

    assert listed() == listed(state="open", asset=ASSETS[0]) == [alert["id"]]
    assert listed(state="resolved") == listed(asset="other") == []
    do(watching, alert, "resolve")
    assert (listed(state="open"), listed(state="resolved")) == ([], [alert["id"]])


def test_a_resolved_fault_that_goes_on_is_a_new_case(watching: TestClient, alert: dict[str, Any]) -> None:
    do(watching, alert, "resolve")
    answers = send_series(watching, SICK, START + len(SICK) * STEP)
    (again,) = [each for answer in answers for each in answer["alerts"] if each["event"] == "raised"]
    assert again["id"] != alert["id"]
    assert_problem(watching.post(f"{URL}/{alert['id']}/reopen", json={}), 422, "alert.other_open")


def test_the_rules_close_a_case_that_was_opened_again(watching: TestClient, alert: dict[str, Any]) -> None:
    do(watching, alert, "resolve")
    do(watching, alert, "reopen")
    send_series(watching, SICK, START + len(SICK) * STEP)
    send_series(watching, CALM, START + 2 * len(SICK) * STEP)
    shown = watching.get(f"{URL}/{alert['id']}").json()
    assert (shown["state"], shown["events"][-1]["event"]) == ("resolved", "cleared")


def test_an_acknowledged_case_stays_so_while_signals_come(watching: TestClient, alert: dict[str, Any]) -> None:
    do(watching, alert, "acknowledge")
    send_series(watching, SICK, START + len(SICK) * STEP)
    assert watching.get(f"{URL}/{alert['id']}").json()["state"] == "acknowledged"


@pytest.mark.parametrize("action", ["acknowledge", "resolve", "reopen", "comment", "feedback"])
def test_what_cannot_be_decided_is_a_problem(watching: TestClient, alert: dict[str, Any], action: str) -> None:
    body = {"true": False} if action == "feedback" else {}
    assert_problem(watching.post(f"{URL}/{NOBODY}/{action}", json=body), 404, "store.no_alert")
    assert_problem(watching.post(f"{URL}/x/{action}", json=body), 400, "serving.identifier")
    for bad in (b"{", b"[]", b'{"colour": 1}', b'{"comment": 7}', b"\xff", b"[" * 10_000):
        assert watching.post(f"{URL}/{alert['id']}/{action}", content=bad).status_code == 400, bad


def test_a_state_that_does_not_allow_it_is_said(watching: TestClient, alert: dict[str, Any]) -> None:
    assert_problem(watching.post(f"{URL}/{alert['id']}/reopen", json={}), 422, "store.alert_state")
    do(watching, alert, "resolve")
    for action in ("acknowledge", "resolve"):
        assert_problem(watching.post(f"{URL}/{alert['id']}/{action}", json={}), 422, "store.alert_state")
