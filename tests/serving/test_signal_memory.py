"""What the service remembers of signals: over restarts, over damage, and no longer than a model serves."""

import asyncio
import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient
from tests.motors import ASSETS, PLACE, START, motor_signal, taught_motors
from tests.serving.conftest import OPTIONS
from tests.serving.signal_requests import CALM, SICK, STEP, said_of, send, send_series

from andon.models.alerts.case import AlertPolicy
from andon.models.bundle.bundle import Bundle, HealthBundle
from andon.models.bundle.storage import write_bundle
from andon.models.types.errors import ResourceError
from andon.models.types.vibration import Machine
from andon.serving.api.app import create_app
from andon.serving.engine import keeping as keeping_module
from andon.serving.engine.keeping import Keeper, keeping
from andon.serving.engine.models import ServedHealth
from andon.serving.engine.remembered import NOTHING, RememberedSignals, recall_signals
from andon.serving.engine.repository import ModelRepository
from andon.serving.engine.signals import SignalDesk

NEW = "电机 3/新"
SERIES = [motor_signal(turn) for turn in range(6)] + [motor_signal(6 + turn, snr_db=0.0) for turn in range(6)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "signals.json"


@contextmanager
def running(bundles: Path, remembering: Path | None = None) -> Iterator[TestClient]:
    with TestClient(create_app(ModelRepository(bundles), options=OPTIONS, remembering=remembering)) as client:
        yield client


@pytest.fixture
def model(motors: Path) -> ServedHealth:
    repository = ModelRepository(motors.parent)
    repository.poll()
    return repository.model_of(ServedHealth, "motors")


def desk_of(*models: ServedHealth, remembered: RememberedSignals = NOTHING) -> SignalDesk:
    return SignalDesk(Machine, lambda: [each.digest for each in models], AlertPolicy(), remembered)


def decisions(answers: Sequence[Mapping[str, Any]]) -> list[Any]:
    """What was decided, without the names of cases, which are drawn anew."""
    nameless = [[{**alert, "id": None} for alert in answer["alerts"]] for answer in answers]
    return [(answer["health"], alerts) for answer, alerts in zip(answers, nameless, strict=True)]


@pytest.mark.usefixtures("motors")
@pytest.mark.parametrize("asset", [ASSETS[0], NEW])
@pytest.mark.parametrize("after", [2, 7, 9])
def test_a_restart_changes_no_decision(bundles: Path, file: Path, asset: str, after: int) -> None:
    with running(bundles) as client:
        expected = send_series(client, SERIES, asset=asset)
    with running(bundles, file) as client:
        answers = send_series(client, SERIES[:after], asset=asset)
    with running(bundles, file):
        """A run without any signal loses nothing."""
    with running(bundles, file) as client:
        answers += send_series(client, SERIES[after:], START + after * STEP, asset)
    assert decisions(answers) == decisions(expected)
    events = [alert["event"] for answer in expected for alert in answer["alerts"]]
    assert events[0] == "raised"
    assert any(answer["health"] for answer in expected)
    cases = {alert["id"] for answer in answers for alert in answer["alerts"]}
    assert len(cases) == 1


@pytest.mark.usefixtures("motors")
def test_without_a_file_a_restart_forgets(bundles: Path) -> None:
    answers = []
    for turn in range(2):
        with running(bundles) as client:
            answers += send_series(client, SICK[:3], START + 3 * turn * STEP)
    assert not any(answer["alerts"] for answer in answers)


@pytest.mark.parametrize(
    "contents",
    [
        b"{",
        b'{"schema_version": 2}',
        b'{"schema_version": 1, "assets": 5}',
        b'{"schema_version": 1, "watched": {"digest": [{"asset": 5}]}}',
        b'{"schema_version": 1, "watched": {"digest": [{"asset": "a", "learning": {"running": [["x"]]}}]}}',
    ],
)
def test_a_file_that_cannot_be_used_is_kept_aside(
    file: Path, contents: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file.parent.mkdir()
    file.write_bytes(contents)
    with caplog.at_level(logging.WARNING):
        assert recall_signals(file) == NOTHING
    (aside,) = file.parent.iterdir()
    assert (aside.suffix, aside.read_bytes()) == (".json", contents)
    assert aside != file
    (record,) = caplog.records
    assert record.fields["kept_as"] == str(aside)  # type: ignore[attr-defined]


def test_what_cannot_be_put_aside_is_not_overwritten(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "not allowed")

    file.parent.mkdir()
    file.write_bytes(b"{")
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(ResourceError, match="not allowed"):
        create_app(ModelRepository(file.parent), remembering=file)
    assert file.read_bytes() == b"{"


def test_a_service_starts_anew_beside_a_damaged_file(bundles: Path, file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"damaged")
    with running(bundles, file) as client:
        send_series(client, CALM[:1])
    names = sorted(path.name for path in file.parent.iterdir())
    assert len(names) == 2
    assert names[0] == "signals.json"
    assert recall_signals(file).assets[0].asset == ASSETS[0]


def test_it_is_written_where_something_changed_and_only_then(file: Path, model: ServedHealth) -> None:
    desk = desk_of(model)
    keeper = Keeper(desk, file)
    keeper.keep()
    assert not file.exists()
    for signal in CALM[:2]:
        desk.assess(signal, Machine(), model)
        keeper.keep()
        assert file.read_bytes() == msgspec.json.encode(desk.remembered())
        file.unlink()
        keeper.keep()
        assert not file.exists()
    desk.assess(replace(CALM[2], asset=""), Machine(), model)
    keeper.keep()
    assert not file.exists()


def test_a_failure_to_write_is_said_and_tried_again(
    file: Path, model: ServedHealth, caplog: pytest.LogCaptureFixture
) -> None:
    desk = desk_of(model)
    keeper = Keeper(desk, file)
    file.parent.write_text("not a folder")
    desk.assess(CALM[0], Machine(), model)
    keeper.keep()
    assert "was not written" in caplog.text
    file.parent.unlink()
    keeper.keep()
    assert file.is_file()


def test_it_is_written_now_and_then_and_at_the_end(
    file: Path, model: ServedHealth, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []

    def write(memory: RememberedSignals, _path: Path) -> None:
        written.append(len(memory.assets))

    async def work() -> None:
        desk = desk_of(model)
        async with keeping(desk, file, 0.01):
            await asyncio.sleep(0.05)
            for number, asset in enumerate("ab", start=1):
                desk.assess(replace(CALM[0], asset=asset), Machine(), None)
                while len(written) < number:
                    await asyncio.sleep(0.01)
        async with keeping(desk, file, 3600):
            desk.assess(replace(CALM[0], asset="c"), Machine(), None)

    monkeypatch.setattr(keeping_module, "write_memory", write)
    asyncio.run(asyncio.wait_for(work(), 30))
    assert written == [1, 2, 3]


def test_a_running_service_writes_it(bundles: Path, file: Path) -> None:
    options = replace(OPTIONS, remember_seconds=0.05)
    with TestClient(create_app(ModelRepository(bundles), options=options, remembering=file)) as client:
        send_series(client, CALM[:1])
        deadline = time.monotonic() + 30
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert json.loads(file.read_bytes())["assets"][0]["asset"] == ASSETS[0]


def test_a_model_that_no_longer_serves_is_forgotten_once_another_is_asked(
    bundles: Path, motors_bundle: HealthBundle, motors: Path, file: Path
) -> None:
    other = taught_motors(n_records=6)
    with running(bundles, file) as client:
        send_series(client, CALM[:2])
        write_bundle(other, motors)
        client.post("/v2/repository/models/motors/load")
        (answer,) = send_series(client, CALM[2:3], START + 2 * STEP)
        assert answer["health"]["bundle_digest"] == other.digest
    assert recall_signals(file).watched.keys() == {other.digest}
    with running(bundles, file) as client:
        write_bundle(motors_bundle, motors)
        client.post("/v2/repository/models/motors/load")
        send_series(client, CALM[3:4], START + 3 * STEP)
    assert recall_signals(file).watched.keys() == {motors_bundle.digest}


def test_a_model_that_still_serves_is_remembered_beside_a_new_one(model: ServedHealth) -> None:
    second = replace(model, name="second", digest="2" * 64)
    third = replace(model, name="third", digest="3" * 64)
    desk = desk_of(model, second)
    for judge in (model, second, third):
        desk.assess(CALM[0], Machine(), judge)
    assert desk.remembered().watched.keys() == {model.digest, second.digest, third.digest}
    alone = desk_of(second, remembered=desk.remembered())
    assert alone.remembered() == desk.remembered()
    alone.assess(CALM[1], Machine(), second)
    assert alone.remembered().watched.keys() == {second.digest}


def test_a_models_own_alert_rules_are_kept(bundles: Path, motors_bundle: HealthBundle, motors: Path) -> None:
    rules = AlertPolicy(k=2, n=3, clear_m=2, min_duration_s=600.0)
    hasty = Bundle(replace(motors_bundle.manifest, alerts=rules), motors_bundle.files)
    write_bundle(hasty, motors)
    with running(bundles) as client:
        answers = send_series(client, SICK[:3])
    assert [len(answer["alerts"]) for answer in answers] == [0, 1, 0]


@pytest.mark.usefixtures("motors")
def test_a_record_is_compared_with_what_its_own_sensor_was_learned_at(bundles: Path) -> None:
    loud = replace(CALM[0], samples=4 * CALM[0].samples)
    about = said_of(loud, sensor=PLACE)
    with running(bundles) as client:
        known, unknown = (send(client, loud, {**about, "asset": asset})["severity"] for asset in (ASSETS[0], NEW))
    assert unknown == "normal"
    assert known != "normal"
