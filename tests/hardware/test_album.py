"""The pictures of alerts and trends."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from PIL import Image
from tests.motors import ASSETS, PLACE, START, motor, motor_signal

from andon.hardware.monitoring.album import Album
from andon.models.alerts.case import Alert, AlertEvent, AlertKind, AlertPolicy, AssetState, Observation
from andon.models.alerts.rules import decide
from andon.models.messages.catalogue import LANGUAGES, catalogue
from andon.models.plots import trend as trend_module
from andon.models.types.vibration import Severity
from andon.models.vibration.diagnosis import PhysicsDiagnoser

AT_ONCE = AlertPolicy(k=1, n=1, clear_m=1, min_duration_s=0)


def alert(asset: str = ASSETS[0], sensor: str = PLACE, kind: AlertKind = AlertKind.FAULT) -> Alert:
    numbers = count()
    seen = Observation(asset, sensor, START, valid=True, abnormal=True, kind=kind, severity=Severity.WATCH)
    _, (given,) = decide(AT_ONCE, AssetState(asset), seen, lambda: f"case-{next(numbers)}")
    assert given.event is AlertEvent.RAISED
    return given


def window(asset: str, hours: int, score: float | None = 2.0) -> Mapping[str, object]:
    time = (START + timedelta(hours=hours)).isoformat()
    return {"asset": asset, "time": time, "score": score, "threshold": score and 4.0, "judged": score is not None}


def album(tmp_path: Path, language: str = "en") -> Album:
    signal = motor_signal(0, snr_db=3.0)
    made = Album(tmp_path / "pictures", catalogue(language))
    made.keep(signal, motor(ASSETS[0]), PhysicsDiagnoser().diagnose(signal, motor(ASSETS[0])))
    return made


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_alert_gets_spectrum_and_envelope(tmp_path: Path, language: str) -> None:
    drawn = album(tmp_path, language).draw_alert(alert())
    assert drawn is not None
    assert sorted(path.name for path in drawn.parent.iterdir()) == [
        "motor_1-20260301T000000-envelope.png",
        "motor_1-20260301T000000-spectrum.png",
    ]
    for path in drawn.parent.iterdir():
        with Image.open(path) as picture:
            picture.load()
            assert picture.format == "PNG"


@pytest.mark.parametrize(
    "given",
    [
        alert(kind=AlertKind.SENSOR),
        alert(sensor="non-drive end"),
        alert(asset="motor"),
    ],
    ids=["sensor that lies", "other sensor", "other asset"],
)
def test_what_has_no_spectrum_of_its_own_gets_no_picture(tmp_path: Path, given: Alert) -> None:
    assert album(tmp_path).draw_alert(given) is None
    assert not (tmp_path / "pictures").exists()


def test_each_sensor_gets_its_trend_with_the_alerts_of_its_asset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = {}
    draw = trend_module.trend_plot

    def spy(
        times: object, scores: object, thresholds: object, states: object, events: list[object], *rest: object
    ) -> bytes:
        shown[rest[0]] = (len(list(states)), len(events))  # type: ignore[call-overload]
        return draw(times, scores, thresholds, states, events, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(trend_module, "trend_plot", spy)
    made = album(tmp_path)
    for name, asset in (("motor 1/a", "motor 1"), ("motor 1/b", "motor 1"), ("motor 10", "motor 10")):
        for hours in range(3):
            made.note(name, window(asset, hours, None if hours == 0 else 2.0))
    made.draw_alert(alert())
    paths = made.draw_trends()
    assert [path.name for path in paths] == ["motor_1_a-trend.png", "motor_1_b-trend.png", "motor_10-trend.png"]
    assert shown == {"motor 1/a": (3, 1), "motor 1/b": (3, 1), "motor 10": (3, 0)}
    for path in paths:
        with Image.open(path) as picture:
            picture.load()


def test_the_latest_diagnosis_is_drawn(tmp_path: Path) -> None:
    made = album(tmp_path)
    later = replace(motor_signal(1), asset=ASSETS[0])
    found = PhysicsDiagnoser().diagnose(later, motor(ASSETS[0]))
    made.keep(later, motor(ASSETS[0]), found)
    assert made.diagnosed == {(ASSETS[0], PLACE): (later, motor(ASSETS[0]), found)}
