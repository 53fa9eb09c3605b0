"""``POST /api/v1/signals``: what is sent, what is said of it, what comes back."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from math import inf, nan
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from tests.conftest import Andon
from tests.motors import ASSETS, PLACE, START, motor_signal, write_record
from tests.serving.clients import at_this_machine
from tests.serving.conftest import OPTIONS
from tests.serving.signal_requests import (
    BINARY,
    CALM,
    JSON,
    ORDERS,
    SICK,
    STEP,
    URL,
    WAV,
    floats,
    json_of,
    said_of,
    send,
    send_series,
    wave,
)

from andon.datasets.assets.known import known_machine
from andon.datasets.assets.register import AssetRegister
from andon.datasets.store.opening import Store, StoreOptions, open_store
from andon.models.alerts.card import alert_text
from andon.models.bundle.bundle import HealthBundle
from andon.models.bundle.storage import write_bundle
from andon.models.messages.catalogue import LANGUAGES, catalogue
from andon.models.types.vibration import Bearing, Fault, Machine, MachineClass
from andon.models.vibration.bearings import find_bearing
from andon.models.vibration.diagnosis import PhysicsDiagnoser
from andon.models.vibration.documents import diagnosis_document
from andon.models.vibration.fault_orders import parse_orders
from andon.serving.api.app import Surroundings, create_app
from andon.serving.engine.repository import ModelRepository

SIGNAL = replace(SICK[0], samples=SICK[0].samples[:38_400])
"""A second and a half, which as JSON is just below the limit."""
SHORT = CALM[0].samples[:2048]
DIAGNOSED = tuple(diagnosis_document(PhysicsDiagnoser().diagnose(replace(SIGNAL, samples=SHORT), Machine())))
GATEWAY_FIELDS = {"id", "time", "asset", "sensor_name", "health", "alerts", "ledger_hash"}


def diagnosed(document: dict[str, Any]) -> dict[str, Any]:
    """The part of an answer that is the diagnosis."""
    return {name: document[name] for name in DIAGNOSED}


@pytest.fixture
def register(tmp_path: Path) -> AssetRegister:
    return AssetRegister(tmp_path / "assets")


@pytest.fixture
def knowing(repository: ModelRepository, store: Store, register: AssetRegister) -> Iterator[TestClient]:
    """A service that looks machines up."""
    app = create_app(repository, store, OPTIONS, around=Surroundings(machines=partial(known_machine, register)))
    with at_this_machine(app, raise_server_exceptions=False) as started:
        yield started


def machine(asset: str) -> Machine:
    bearing = Bearing(PLACE, parse_orders(ORDERS), "drawing")
    return Machine(asset, rpm=1800.0, bearings=(bearing,), machine_class=MachineClass("iso10816-3", "2", "rigid"))


def test_the_three_forms_and_the_command_line_say_the_same(client: TestClient, andon: Andon, tmp_path: Path) -> None:
    path = write_record(tmp_path, "sick", SIGNAL)
    said = andon("diagnose", path, "--json", "--machine", "iso10816-3:2:rigid")
    assert (said.code, said.err) == (0, "")
    (expected,) = said.documents
    about = said_of(SIGNAL, machine="iso10816-3:2:rigid")
    spoken = {name: value for name, value in about.items() if name != "rate_hz"}
    answers = [
        send(client, SIGNAL, about),
        send(client, SIGNAL, spoken, WAV, wave(SIGNAL.samples, SIGNAL.rate_hz)),
        send(client, SIGNAL, {}, JSON, json_of(SIGNAL.samples, **about)),
        send(client, SIGNAL, about, "application/x-www-form-urlencoded"),
        send(client, SIGNAL, about, "Audio/X-WAV; rate=1", wave(SIGNAL.samples, SIGNAL.rate_hz)),
    ]
    assert [diagnosed(answer) for answer in answers] == [diagnosed(expected)] * len(answers)
    assert expected["fault"] == "outer_race"
    assert expected["zone"] is not None
    for answer in answers:
        assert answer.keys() == expected.keys() | GATEWAY_FIELDS
        assert (answer["path"], answer["plots"], answer["alerts"], answer["health"]) == (None, [], [], None)


def test_what_the_query_says_wins_over_the_body(client: TestClient) -> None:
    body = json_of(SHORT, rate_hz=1000, rpm=600, unit="mm/s", asset="body", sensor="body")
    both = send(client, SIGNAL, {"rate_hz": 2000, "rpm": 0, "unit": "g", "asset": "query"}, JSON, body)
    said = send(client, SIGNAL, {"rate_hz": 2000, "rpm": 0}, BINARY, floats(SHORT))
    assert (both["asset"], both["sensor_name"]) == ("query", "body")
    assert (both["indicators"], both["rpm"]) == (said["indicators"], said["rpm"])
    alone = send(client, SIGNAL, {}, JSON, body)
    assert (alone["asset"], alone["rpm"]) == ("body", pytest.approx(600, rel=0.03))
    slower = send(client, SIGNAL, {"rate_hz": 1000}, WAV, wave(SHORT, 2000))
    assert slower["indicators"] == send(client, SIGNAL, {"rate_hz": 1000}, BINARY, floats(SHORT))["indicators"]


def test_units_are_understood(client: TestClient) -> None:
    in_g = send(client, SIGNAL, said_of(SIGNAL))["indicators"]
    assert in_g == send(client, SIGNAL, said_of(SIGNAL, unit="g"))["indicators"]
    scaled = floats(SIGNAL.samples * 9.80665)
    in_si = send(client, SIGNAL, said_of(SIGNAL, unit="m/s2"), BINARY, scaled)["indicators"]
    for name in ("rms_m_s2", "velocity_rms_mm_s", "kurtosis"):
        assert in_si[name] == pytest.approx(in_g[name], rel=1e-5)
    velocity = send(client, SIGNAL, said_of(SIGNAL, unit="mm/s"))["indicators"]
    assert velocity["velocity_rms_mm_s"] > 0
    assert velocity.get("rms_m_s2") is None


def test_a_bearing_may_be_named(client: TestClient) -> None:
    named = send(client, SIGNAL, {"rate_hz": SIGNAL.rate_hz, "rpm": SIGNAL.rpm, "bearing": "6205-2Z"})
    assert find_bearing("6205").orders.bpfo == pytest.approx(3.5848, abs=1e-4)
    assert named["fault"] == "outer_race"
    unnamed = send(client, SIGNAL, {"rate_hz": SIGNAL.rate_hz, "rpm": SIGNAL.rpm})
    assert unnamed["fault"] != "outer_race"
    assert unnamed["limits"]


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_a_sensor_that_cannot_be_believed_is_an_answer(client: TestClient, value: float) -> None:
    samples = SIGNAL.samples.copy()
    samples[100] = value
    found = send(client, SIGNAL, said_of(SIGNAL, asset="a"), BINARY, floats(samples))
    assert found["sensor"] == {"ok": False, "reasons": ["sensor.not_finite"]}
    assert (found["fault"], found["health"], found["alerts"]) == ("unknown", None, [])


def test_more_than_is_diagnosed_is_left_aside(client: TestClient) -> None:
    samples = np.random.default_rng(0).normal(size=40 * 1024)
    samples[35 * 1024 :] = nan
    long = send(client, SIGNAL, {"rate_hz": 1024}, BINARY, floats(samples))
    cut = send(client, SIGNAL, {"rate_hz": 1024}, BINARY, floats(samples[: 31 * 1024]))
    packed = send(client, SIGNAL, {}, WAV, wave(samples, 1024))
    assert "diagnosis.first_part" in long["limits"]
    assert diagnosed(long) == diagnosed(cut) == diagnosed(packed)


GOOD = {"rate_hz": 25_600}
PROBLEMS: list[tuple[str, dict[str, Any], bytes, str, int, str]] = [
    ("no rate", {}, floats(SHORT), BINARY, 400, "record.no_rate"),
    ("rate of zero", {"rate_hz": 0}, floats(SHORT), BINARY, 400, "record.bad_rate"),
    ("rate of zero beside a good one", {"rate_hz": 0}, json_of(SHORT, rate_hz=100), JSON, 400, "record.bad_rate"),
    ("rate that is no number", {"rate_hz": "nan"}, floats(SHORT), BINARY, 400, "record.bad_rate"),
    ("endless rate", {"rate_hz": "inf"}, floats(SHORT), BINARY, 400, "record.bad_rate"),
    ("rate in words", {"rate_hz": "fast"}, floats(SHORT), BINARY, 400, "serving.query"),
    ("negative speed", {**GOOD, "rpm": -1}, floats(SHORT), BINARY, 400, "record.bad_rpm"),
    ("time without a zone", {**GOOD, "time": "2026-03-01T00:00:00"}, floats(SHORT), BINARY, 400, "serving.query"),
    ("time before all", {**GOOD, "time": "0001-01-01T00:00:00+14:00"}, floats(SHORT), BINARY, 400, "serving.query"),
    ("long name", {**GOOD, "asset": "x" * 257}, floats(SHORT), BINARY, 400, "serving.query"),
    ("odd bytes", GOOD, floats(SHORT)[:-1], BINARY, 400, "serving.float32"),
    ("nothing", GOOD, b"", BINARY, 400, "serving.few_samples"),
    ("few samples", GOOD, floats(SHORT[:15]), BINARY, 400, "serving.few_samples"),
    ("a sample a minute", {"rate_hz": 1 / 60}, floats(SHORT), BINARY, 400, "serving.few_samples"),
    ("few samples in a file", {}, wave(SHORT[:15], 1000), WAV, 400, "serving.few_samples"),
    ("few samples in JSON", {}, json_of(SHORT[:15], **GOOD), JSON, 400, "serving.few_samples"),
    ("unit", {**GOOD, "unit": "furlong"}, floats(SHORT), BINARY, 400, "record.bad_unit"),
    ("unit of a file", {"unit": "furlong"}, wave(SHORT, 1000), WAV, 400, "record.bad_unit"),
    ("bearing", {**GOOD, "bearing": "9999"}, floats(SHORT), BINARY, 400, "asset.bearing_unknown"),
    ("class", {**GOOD, "machine": "iso:9"}, floats(SHORT), BINARY, 400, "zone.machine_class"),
    ("orders", {**GOOD, "orders": "1,2"}, floats(SHORT), BINARY, 400, "asset.orders_form"),
    ("orders in hertz", {**GOOD, "orders": "107,162,70,12"}, floats(SHORT), BINARY, 400, "asset.orders_cage"),
    ("model", {**GOOD, "model": "none"}, floats(SHORT), BINARY, 404, "serving.model_unknown"),
    ("model of images", {**GOOD, "model": "plates"}, floats(SHORT), BINARY, 400, "serving.model_kind"),
    ("model of other measures", {**GOOD, "model": "pumps"}, floats(SHORT), BINARY, 400, "health.other_source"),
    ("too large", GOOD, bytes((1 << 20) + 4), BINARY, 413, "serving.too_large"),
    ("media type", GOOD, b"", "text/csv", 415, "serving.media_type"),
    ("no WAV file", {}, floats(SHORT), WAV, 400, "serving.wave"),
    ("half a WAV file", {}, wave(SHORT, 1000)[:-100], WAV, 400, "serving.wave"),
    ("two channels", {}, wave(SHORT, 1000, channels=2), WAV, 400, "serving.wave"),
    ("no JSON", {}, b"{", JSON, 400, "serving.signal_json"),
    ("no samples", {}, b'{"rate_hz": 1}', JSON, 400, "serving.signal_json"),
    ("samples in words", {}, b'{"samples": ["loud"]}', JSON, 400, "serving.signal_json"),
    ("no UTF-8", {}, b'{"samples": [1], "asset": "\xff"}', JSON, 400, "serving.signal_json"),
    ("deep JSON", {}, b'{"x": ' + b"[" * 100_000, JSON, 400, "serving.signal_json"),
]


@pytest.mark.usefixtures("pumps")
@pytest.mark.parametrize(
    ("params", "body", "media_type", "status", "code"),
    [each[1:] for each in PROBLEMS],
    ids=[each[0] for each in PROBLEMS],
)
def test_what_cannot_be_used_is_one_clear_problem(
    client: TestClient, params: dict[str, Any], body: bytes, media_type: str, status: int, code: str
) -> None:
    details = {}
    for language in ("en", "zh-CN"):
        headers = {"Content-Type": media_type, "Accept-Language": language}
        answer = client.post(URL, params=params, content=body, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        problem = answer.json()
        assert (problem["code"], problem["status"]) == (code, status)
        details[language] = problem["detail"]
        assert "\n" not in problem["detail"]
        assert "/tmp" not in problem["detail"]
    assert "expected" in details["en"]
    assert "expected" not in details["zh-CN"]


def test_the_register_tells_bearing_and_class_from_the_next_signal_on(
    knowing: TestClient, register: AssetRegister
) -> None:
    about = {"rate_hz": SIGNAL.rate_hz, "rpm": SIGNAL.rpm, "asset": "P/1 泵"}
    before = send(knowing, SIGNAL, about)
    assert (before["zone"], before["fault"]) == (None, "unknown")
    register.import_machines([machine("P/1 泵")])
    after = send(knowing, SIGNAL, about)
    assert after["zone"] is not None
    assert after["fault"] == "outer_race"
    assert send(knowing, SIGNAL, {**about, "machine": "iso10816-1:I"})["zone"] != after["zone"]
    assert send(knowing, SIGNAL, {**about, "orders": "4.6,7.4,3.1,0.42"})["fault"] != "outer_race"


def test_a_machine_whose_document_is_damaged_is_named(knowing: TestClient, register: AssetRegister) -> None:
    register.import_machines([machine("P-1")])
    (path,) = register.folder.glob("*.json")
    path.write_bytes(b'{"schema_version": 1, "machine": {"asset": "\xff"}}')
    answer = knowing.post(URL, params={**GOOD, "asset": "P-1"}, content=floats(SHORT))
    assert (answer.status_code, answer.json()["code"]) == (400, "asset.damaged")


def test_one_alert_is_raised_once_the_fault_has_lasted_half_an_hour(client: TestClient) -> None:
    answers = send_series(client, SICK)
    assert [len(answer["alerts"]) for answer in answers] == [0, 0, 0, 1, 0, 0]
    (alert,) = answers[3]["alerts"]
    assert (alert["event"], alert["fault"], alert["asset"], alert["sensor"]) == (
        "raised",
        "outer_race",
        ASSETS[0],
        PLACE,
    )
    assert alert["since"] == START.isoformat()
    assert alert["order"] == pytest.approx(3.5848, rel=0.03)
    for language in LANGUAGES:
        text = catalogue(language)
        assert text.text("alert.fault_outer_race").lower() in alert_text(alert, text).lower()


def test_signals_that_are_sent_again_or_late_raise_nothing(client: TestClient) -> None:
    for _ in range(2):
        for turn in (0, 2, 1, 2, 0):
            time = (START + turn * STEP).isoformat()
            answer = send(client, SIGNAL, said_of(SIGNAL, asset="a", time=time))
            assert answer["alerts"] == []


def test_without_a_machine_there_is_no_alert(client: TestClient) -> None:
    answers = send_series(client, SICK, asset="")
    assert {answer["fault"] for answer in answers} == {"outer_race"}
    assert not any(answer["alerts"] for answer in answers)


def test_a_signal_without_a_time_was_taken_now(client: TestClient) -> None:
    documents = [send(client, CALM[0], said_of(CALM[0], asset="a")) for _ in range(2)]
    first, second = (document["time"] for document in documents)
    assert first.endswith("Z")
    assert START.isoformat() < first <= second


def test_health_is_judged_by_the_only_model_of_signals(motors: Path, pumps: Path, client: TestClient) -> None:
    about = said_of(SIGNAL, asset=ASSETS[0], sensor=PLACE)
    calm, sick = send(client, CALM[0], about)["health"], send(client, SIGNAL, about)["health"]
    digest = client.get("/api/v1/bundles/motors").json()["bundle_digest"]
    for health in (sick, calm):
        assert (health["model"], health["bundle_digest"]) == (motors.name, digest)
        assert sum(health["contributions"].values()) == pytest.approx(health["score"] ** 2)
    assert (calm["anomalous"], sick["anomalous"]) == (False, True)
    assert calm["score"] < sick["score"]
    assert {type(health["threshold"]) for health in (calm, sick)} <= {float, type(None)}
    assert send(client, SIGNAL, {**about, "asset": ""})["health"] is None
    assert send(client, SIGNAL, {**about, "asset": "new"})["health"] is None


@pytest.mark.usefixtures("motors")
def test_of_two_models_one_must_be_named(motors_bundle: HealthBundle, bundles: Path, client: TestClient) -> None:
    write_bundle(motors_bundle, bundles / "others")
    client.post("/v2/repository/models/others/load")
    about = said_of(SIGNAL, asset=ASSETS[0], sensor=PLACE)
    assert send(client, SIGNAL, about)["health"] is None
    assert send(client, SIGNAL, {**about, "model": "others"})["health"]["model"] == "others"


@pytest.mark.usefixtures("motors")
def test_a_sensor_too_slow_for_the_model_is_diagnosed_alone(client: TestClient) -> None:
    about = said_of(SIGNAL, asset=ASSETS[0], sensor=PLACE, rate_hz=1000)
    assert send(client, SIGNAL, about)["health"] is None


@pytest.mark.usefixtures("motors")
def test_many_may_send_at_once(client: TestClient) -> None:
    signals = [motor_signal(turn, snr_db=0.0) for turn in range(3)]

    def post(turn: int) -> list[str]:
        signal = signals[turn % 3]
        time = (START + turn * STEP).isoformat()
        answer = send(client, signal, said_of(signal, asset=ASSETS[0], sensor=PLACE, time=time))
        return [alert["event"] for alert in answer["alerts"]]

    with ThreadPoolExecutor(4) as threads:
        events = [event for events in threads.map(post, range(24)) for event in events]
    assert events.count("raised") <= 1
    assert set(events) <= {"raised", "escalated"}
    (last,) = send_series(client, SICK[:1], START + 24 * STEP)
    assert last["health"] is not None


NUMBERS = ("0", "-1", "nan", "inf", "-inf", "1e-308", "1e308", "1e9", "0.1", "60", "25600", "x", "null", "\x00", "½")
TEXTS = st.one_of(
    st.sampled_from(NUMBERS), st.text(max_size=20), st.sampled_from([ORDERS, "6205", "um", "g", "plates"])
)
QUERIES = st.dictionaries(
    st.sampled_from(list(said_of(SIGNAL, time=1, unit=1, asset=1, machine=1, model=1, bearing=1))), TEXTS
)
WHOLE = {BINARY: floats(SHORT[:300]), WAV: wave(SHORT[:300], 8000), JSON: json_of(SHORT[:300], rate_hz=8000, rpm=1500)}


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, bytes]:
    """A body of one of the forms: whole, cut, with bytes changed, or anything."""
    media_type = draw(st.sampled_from(list(WHOLE)))
    body = bytearray(WHOLE[media_type])
    for place, value in draw(st.lists(st.tuples(st.integers(0, len(body) - 1), st.integers(0, 255)), max_size=4)):
        body[place] = value
    cut = draw(st.one_of(st.none(), st.integers(0, len(body))))
    return media_type, draw(st.one_of(st.just(bytes(body[:cut])), st.binary(max_size=80)))


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory, motors_bundle: HealthBundle) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("bundles")
    write_bundle(motors_bundle, folder / "motors")
    register = AssetRegister(folder / "assets")
    register.import_machines([machine("6205")])
    store = open_store(tmp_path_factory.mktemp("home"), StoreOptions("test"))
    app = create_app(
        ModelRepository(folder), store, OPTIONS, around=Surroundings(machines=partial(known_machine, register))
    )
    with at_this_machine(app, raise_server_exceptions=False) as started:
        yield started


@given(QUERIES, bodies())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_that_is_sent_breaks_the_service(
    fuzzed: TestClient, query: dict[str, str], sent: tuple[str, bytes]
) -> None:
    media_type, body = sent
    answer = fuzzed.post(URL, params=query, content=body, headers={"Content-Type": media_type})
    assert answer.status_code in (200, 400, 404), answer.text
    document = msgspec.json.decode(answer.content)
    if answer.status_code == 200:
        assert Fault(document["fault"])
    else:
        assert document["detail"]
