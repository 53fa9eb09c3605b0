"""What is remembered of machines outlives the process: a restart changes no decision."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.motors import ASSETS, PLACE, START, motor_signal
from tests.serving.clients import at_this_machine
from tests.serving.conftest import OPTIONS
from tests.serving.signal_requests import CALM, SICK, STEP, URL, floats, said_of, send, send_series

from andon.datasets.store.conditions import Decision
from andon.datasets.store.opening import Store
from andon.models.alerts.case import AlertPolicy
from andon.models.bundle.bundle import Bundle, HealthBundle
from andon.models.bundle.storage import write_bundle
from andon.models.types.errors import ResourceError
from andon.serving.api.app import create_app
from andon.serving.engine.repository import ModelRepository

NEW = "电机 3/新"
SERIES = [motor_signal(turn) for turn in range(6)] + [motor_signal(6 + turn, snr_db=0.0) for turn in range(6)]


def running(bundles: Path, store: Store) -> TestClient:
    return at_this_machine(create_app(ModelRepository(bundles), store, options=OPTIONS))


def decisions(answers: Sequence[Mapping[str, Any]]) -> list[Any]:
    """What was decided, without the names of cases, which are drawn anew."""
    nameless = [[{**alert, "id": None} for alert in answer["alerts"]] for answer in answers]
    return [(answer["health"], alerts) for answer, alerts in zip(answers, nameless, strict=True)]


@pytest.mark.usefixtures("motors")
@pytest.mark.parametrize("asset", [ASSETS[0], NEW])
@pytest.mark.parametrize("after", [2, 9])
def test_a_restart_changes_no_decision(bundles: Path, store: Store, kept: Store, asset: str, after: int) -> None:
    with running(bundles, store) as client:
        expected = send_series(client, SERIES, asset=asset)
    with running(bundles, kept) as client:
        answers = send_series(client, SERIES[:after], asset=asset)
    with running(bundles, kept):
        """A run without any signal loses nothing."""
    with running(bundles, kept) as client:
        answers += send_series(client, SERIES[after:], START + after * STEP, asset)
        listed = client.get("/api/v1/alerts").json()["items"]
    assert decisions(answers) == decisions(expected)
    events = [alert["event"] for answer in expected for alert in answer["alerts"]]
    assert events[0] == "raised"
    assert any(answer["health"] for answer in expected)
    cases = {alert["id"] for answer in answers for alert in answer["alerts"]}
    assert [each["id"] for each in listed] == list(cases)


@pytest.mark.usefixtures("motors")
def test_two_services_on_one_database_decide_as_one(bundles: Path, store: Store, kept: Store) -> None:
    """Each signal goes to another of them."""
    with running(bundles, store) as client:
        expected = send_series(client, SERIES)
    with running(bundles, kept) as first, running(bundles, kept) as second:
        answers = [
            send_series((first, second)[turn % 2], [signal], START + turn * STEP)[0]
            for turn, signal in enumerate(SERIES)
        ]
    assert decisions(answers) == decisions(expected)


@pytest.mark.usefixtures("motors")
def test_a_signal_that_cannot_be_kept_changes_nothing(
    bundles: Path, store: Store, kept: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be sent again, and is judged as if it had come once."""
    with running(bundles, store) as client:
        expected = send_series(client, SERIES)
    answers = []
    with running(bundles, kept) as client:
        for turn, signal in enumerate(SERIES):
            with monkeypatch.context() as patched:
                patched.setattr(Decision, "keep_alerts", fail)
                about = {**said_of(signal), "asset": ASSETS[0], "time": (START + turn * STEP).isoformat()}
                assert client.post(URL, params=about, content=floats(signal.samples)).status_code == 503
            answers += send_series(client, [signal], START + turn * STEP)
    assert decisions(answers) == decisions(expected)


def fail(*_: object) -> None:
    raise ResourceError("store.unreachable", "database", reason="gone")


def test_a_models_own_alert_rules_are_kept(
    bundles: Path, motors_bundle: HealthBundle, motors: Path, store: Store
) -> None:
    rules = AlertPolicy(k=2, n=3, clear_m=2, min_duration_s=600.0)
    hasty = Bundle(replace(motors_bundle.manifest, alerts=rules), motors_bundle.files)
    write_bundle(hasty, motors)
    with running(bundles, store) as client:
        answers = send_series(client, SICK[:3])
    assert [len(answer["alerts"]) for answer in answers] == [0, 1, 0]


@pytest.mark.usefixtures("motors")
def test_a_record_is_compared_with_what_its_own_sensor_was_learned_at(bundles: Path, store: Store) -> None:
    loud = replace(CALM[0], samples=4 * CALM[0].samples)
    about = said_of(loud, sensor=PLACE)
    with running(bundles, store) as client:
        known, unknown = (send(client, loud, {**about, "asset": asset})["severity"] for asset in (ASSETS[0], NEW))
    assert unknown == "normal"
    assert known != "normal"
