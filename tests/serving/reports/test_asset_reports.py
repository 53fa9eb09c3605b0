"""What a report says of a machine, to whom, and how it looks as HTML and PDF."""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageFile
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.motors import ASSETS, START
from tests.serving.conftest import OPTIONS
from tests.serving.signal_requests import SICK, STEP, send_series

from andon.datasets.condition.desk import SignalDesk
from andon.datasets.store.alerts import Action, Alerts, Word
from andon.datasets.store.assets import Assets, Snapshot
from andon.datasets.store.conditions import Conditions
from andon.datasets.store.opening import Store
from andon.models.alerts.case import AlertPolicy
from andon.models.messages.catalogue import catalogue
from andon.models.types.vibration import Machine
from andon.serving.api.alerts import AlertEndpoints
from andon.serving.api.assets import AssetEndpoints
from andon.serving.api.problems import Problems
from andon.serving.api.reports import ReportEndpoints
from andon.serving.api.service import Service
from andon.serving.api.signals import SignalEndpoints
from andon.serving.engine.archive import Archive
from andon.serving.engine.broadcast import Broadcast
from andon.serving.engine.engine import Engine
from andon.serving.engine.metrics import Metrics
from andon.serving.engine.repository import ModelRepository
from andon.serving.reports.asset_report import asset_report
from andon.serving.reports.running import gaps_of, hours_of
from andon.serving.security.roles import Caller, Kind, Role

URL = "/api/v1/assets"
NAME, OTHER = ASSETS[0], "press <b>7</b>/上"
SPAN = {"since": START.isoformat(), "until": (START + timedelta(days=2)).isoformat()}


class As:
    """Lets every request come from a customer's caller, where the header ``X-Customer`` names one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        customer = dict(scope.get("headers", [])).get(b"x-customer", b"").decode() or None
        scope.setdefault("state", {})["caller"] = Caller("夜班 <甲>", Role.OPERATOR, customer, Kind.USER)
        await self._app(scope, receive, send)


def main_drive(name: str) -> Machine:
    return Machine(name, "Main drive", 75.0, rpm=1480.0)


@pytest.fixture
def client(repository: ModelRepository, kept: Store) -> Iterator[TestClient]:
    metrics, archive = Metrics(repository.models), Archive(kept)
    engine = Engine(1, metrics.observe)
    service = Service(
        repository,
        engine,
        archive,
        Broadcast(),
        metrics,
        texts=catalogue,
        stage=lambda _: nullcontext(),
        options=OPTIONS,
    )
    app = FastAPI()
    desk = SignalDesk(Machine, Conditions(kept.database), AlertPolicy())
    for endpoints in (
        SignalEndpoints(service, desk),
        AlertEndpoints(service),
        ReportEndpoints(service, main_drive),
        AssetEndpoints(service, main_drive),
    ):
        app.include_router(endpoints.router())
    Problems(catalogue).install(app)
    app.add_middleware(As)
    with TestClient(app, raise_server_exceptions=False) as started:
        yield started
    archive.close()
    engine.close()


@pytest.fixture
def sick(client: TestClient) -> TestClient:
    """A machine of ``acme`` with a case that somebody took on."""
    answers = send_series(client, SICK)
    (raised,) = [each for answer in answers for each in answer["alerts"] if each["event"] == "raised"]
    alert = f"/api/v1/alerts/{raised['id']}"
    assert client.post(f"{alert}/acknowledge", json={"comment": "<script>1</script> 已安排检修"}).is_success
    assert client.post(f"{alert}/feedback", json={"true": True, "part_found": "outer race"}).is_success
    assert client.put(f"{URL}/{NAME}", json={"cell": "C1", "customer": "acme"}).is_success
    return client


def until_now() -> dict[str, str]:
    return {"since": START.isoformat(), "until": min(START + timedelta(days=399), datetime.now(UTC)).isoformat()}


def test_a_report_holds_what_happened(sick: TestClient) -> None:
    report = sick.get(f"{URL}/{NAME}/report", params=SPAN).json()
    assert report["snapshots"] == len(SICK) == sum(report["severities"].values())
    assert sum(report["hours"].values()) == pytest.approx(48)
    assert {each["name"] for each in report["trends"]} >= {"velocity_rms_mm_s", "kurtosis"}
    (case,) = report["cases"]
    assert case["events"][0]["event"] == "raised"
    assert report["gap_count"] == 1


def test_what_nobody_put_their_name_to_is_told_too(kept: Store, sick: TestClient) -> None:
    (alert,) = sick.get("/api/v1/alerts").json()["items"]
    Alerts(kept.database).decide(alert["id"], Action.ACKNOWLEDGE, Word("", datetime.now(UTC), "on my way"))
    report = asset_report(kept.database, Machine(ASSETS[0]), ASSETS[0], START, datetime.now(UTC) + STEP, None)
    assert ("acknowledged", "on my way") in [(each["event"], each["comment"]) for each in report.actions]
    assert "raised" not in {each["event"] for each in report.actions}


def test_what_people_did_is_told(sick: TestClient) -> None:
    page = sick.get(f"{URL}/{NAME}/report", params={**until_now(), "format": "html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "&lt;script&gt;1&lt;/script&gt; 已安排检修" in page.text
    assert "<script" not in page.text
    assert "outer race" in page.text
    assert "夜班 &lt;甲&gt;" in page.text


@pytest.mark.parametrize(("language", "word"), [("en", "Service report"), ("zh-CN", "设备服务报告")])
def test_a_report_comes_in_the_callers_language(sick: TestClient, language: str, word: str) -> None:
    header = {"Accept-Language": language}
    assert word in sick.get(f"{URL}/{NAME}/report", params={**SPAN, "format": "html"}, headers=header).text


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_a_report_comes_as_pdf(sick: TestClient, language: str) -> None:
    # Not imported here: it would let this process take truncated images, as it would the service.
    if find_spec("weasyprint") is None:
        pytest.skip("weasyprint is not installed (extra report)")
    answer = sick.get(f"{URL}/{NAME}/report", params={**until_now(), "format": "pdf", "language": language})
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    assert not ImageFile.LOAD_TRUNCATED_IMAGES, "a cut image of a part must stay an error"


def test_without_the_extra_the_report_says_so(
    sick: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weasyprint.py").write_text("raise ImportError", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    answer = sick.get(f"{URL}/{NAME}/report", params={**SPAN, "format": "pdf"})
    assert answer.json()["code"] == "command.missing_extra"
    assert "andon[report]" in answer.json()["detail"]


def test_a_machine_of_nothing_but_a_name_has_a_report(client: TestClient) -> None:
    assert client.put(f"{URL}/{OTHER.replace('/', '%2F')}", json={}).json()["name"] == OTHER
    page = client.get(f"{URL}/{OTHER}/report", params={"format": "html"})
    assert page.status_code == 200
    assert "press &lt;b&gt;7" in page.text


@pytest.mark.parametrize("path", ["report", "indicators?name=kurtosis"])
def test_machines_of_another_customer_are_not_there(sick: TestClient, path: str) -> None:
    url = f"{URL}/{NAME}/{path}"
    assert sick.get(url, headers={"X-Customer": "acme"}).status_code == 200
    answers = [sick.get(url, headers={"X-Customer": "evil"}), sick.get(f"{URL}/none/{path}")]
    assert [(each.status_code, each.json()["code"]) for each in answers] == [(404, "report.no_asset")] * 2
    assert sick.get(URL, headers={"X-Customer": "evil"}).json()["items"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"since": "2026-03-02T00:00:00Z", "until": "2026-03-01T00:00:00Z"},
        {"since": "2020-01-01T00:00:00Z"},
        {"format": "doc"},
        {"since": "yesterday"},
        {"colour": "red"},
        {"until": "0001-01-01T00:00:00Z"},
    ],
)
def test_what_cannot_be_reported_is_a_problem(sick: TestClient, wrong: dict[str, str]) -> None:
    assert sick.get(f"{URL}/{NAME}/report", params=wrong).status_code == 400


def test_machines_are_listed_by_name(sick: TestClient) -> None:
    for name in ("b", "a/1"):
        sick.put(f"{URL}/{name}", json={"customer": "other"})
    first = sick.get(URL, params={"limit": 2}).json()
    assert [each["name"] for each in first["items"]] == ["a/1", "b"]
    (last,) = sick.get(URL, params={"limit": 2, "cursor": first["next"]}).json()["items"]
    assert (last["name"], last["cell"], last["customer"]) == (NAME, "C1", "acme")
    assert last["alert"]["severity"]
    assert last["machine"]["rpm"] == 1480.0
    assert len(last["sensors"]) == 1


def test_a_trend_has_the_extremes_of_all_that_it_sums_up(sick: TestClient, kept: Store) -> None:
    place = sick.get(URL).json()["items"][0]["sensors"][0]["name"]
    asked = {**SPAN, "name": "kurtosis", "sensor": place}
    items = sick.get(f"{URL}/{NAME}/indicators", params=asked).json()["items"]
    assets, until = Assets(kept.database), START + len(SICK) * STEP
    exact = assets.trend(NAME, place, "kurtosis", START, until, 1000)
    summed = assets.trend(NAME, place, "kurtosis", START, until, 2)
    assert (len(items), len(exact), len(summed)) == (6, 6, 2)
    assert min(each.low for each in summed) == min(each.low for each in exact)
    assert max(each.high for each in summed) == max(each.high for each in exact)
    assert summed[0].mean == pytest.approx(sum(each.mean for each in exact[:3]) / 3)


def snapshot(minutes: int, running: bool | None) -> Snapshot:
    return Snapshot(START + timedelta(minutes=minutes), "s", "normal", None, running)


def test_hours_count_to_the_next_snapshot_and_no_longer_than_one_speaks() -> None:
    said = [snapshot(60, True), snapshot(90, None), snapshot(120, False), snapshot(120, True), snapshot(600, False)]
    hours = hours_of(said, START, START + timedelta(hours=11))
    assert (hours.running, hours.stopped, hours.unknown) == (3, 1, 7)
    gaps = gaps_of(said, START, START + timedelta(hours=11))
    assert [gap.until - gap.since for gap in gaps] == [timedelta(hours=8)]


@given(st.lists(st.tuples(st.integers(0, 3000), st.none() | st.booleans())))
def test_hours_are_the_whole_stretch_of_time(said: list[tuple[int, bool | None]]) -> None:
    snapshots: list[Any] = [snapshot(*each) for each in sorted(said, key=lambda each: each[0])]
    hours = hours_of(snapshots, START, START + timedelta(minutes=3001))
    assert hours.running + hours.stopped + hours.unknown == pytest.approx(3001 / 60)
    assert min(hours.running, hours.stopped, hours.unknown) >= 0
