"""The pictures of alerts and trends."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.motors import ASSETS, PLACE, START, motor, motor_signal

from andon.models.alerts.case import Alert, AlertEvent, AlertKind, AlertPolicy, AssetState, Observation
from andon.models.alerts.rules import decide
from andon.models.messages.catalogue import LANGUAGES, catalogue
from andon.models.stream.windows import Head, Snapshots
from andon.models.types.vibration import Severity, Unit
from andon.models.vibration.diagnosis import PhysicsDiagnoser
from andon.models.vibration.integration import Values

pytest.importorskip("matplotlib", reason="the extra plots is not installed")

from andon.hardware.monitoring import album as album_module
from andon.hardware.monitoring.album import SPECTRA, Album
from andon.models.plots.trend import trend_plot

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
def test_an_alert_gets_spectrum_envelope_and_kurtogram(tmp_path: Path, language: str) -> None:
    drawn = album(tmp_path, language).draw_alert(alert())
    assert drawn is not None
    assert sorted(path.name for path in drawn.parent.iterdir()) == [
        "motor_1-20260301T000000-envelope.png",
        "motor_1-20260301T000000-kurtogram.png",
        "motor_1-20260301T000000-spectrum.png",
    ]
    assert drawn.stem.endswith("-envelope"), "what the card points at"
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

    def spy(
        times: object, scores: object, thresholds: object, states: object, events: list[object], *rest: object
    ) -> bytes:
        shown[rest[0]] = (len(list(states)), len(events))  # type: ignore[call-overload]
        return trend_plot(times, scores, thresholds, states, events, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(album_module, "trend_plot", spy)
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


def snapshots(tone_hz: float, hours: Sequence[int], rate_hz: float = 4096.0, sensor: str = PLACE) -> Snapshots:
    time = np.arange(4096) / rate_hz
    samples = np.tile(np.sin(2 * np.pi * tone_hz * time), (len(hours), 1))
    heads = tuple(Head(ASSETS[0], sensor, START + timedelta(hours=each), rate_hz, Unit.M_S2) for each in hours)
    return Snapshots(samples, rate_hz, Unit.M_S2, heads)


def test_the_waterfall_shows_each_snapshots_lines_in_the_order_of_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = {}

    def drawn(times: Sequence[datetime], frequencies_hz: Values, amplitudes: Values, name: str, _: object) -> bytes:
        shown[name] = times, frequencies_hz, amplitudes
        return b"png"

    monkeypatch.setattr(album_module, "waterfall_plot", drawn)
    made = Album(tmp_path, catalogue("en"))
    made.see(snapshots(600.0, [2, 3]))
    made.see(snapshots(200.0, [1]))
    made.see(snapshots(100.0, [1], sensor="other"))
    assert sorted(path.name for path in made.draw_trends()) == [
        "motor_1_drive_end-waterfall.png",
        "motor_1_other-waterfall.png",
    ]
    times, frequencies_hz, amplitudes = shown[f"{ASSETS[0]}/{PLACE}"]
    assert [(each - START) / timedelta(hours=1) for each in times] == [1, 2, 3]
    assert frequencies_hz[np.nanargmax(amplitudes, axis=1)].tolist() == [200.0, 600.0, 600.0]
    assert len(shown[f"{ASSETS[0]}/other"][0]) == 1


def test_a_slower_snapshot_shows_what_it_measured(tmp_path: Path) -> None:
    made = Album(tmp_path, catalogue("en"))
    made.see(snapshots(200.0, [1]))
    made.see(snapshots(200.0, [2], rate_hz=1000.0))
    (waterfall,) = made.waterfalls.values()
    first, second = waterfall.spectra
    assert np.nanargmax(first) == np.nanargmax(second)
    assert np.isfinite(first).all()
    assert np.isnan(second[waterfall.frequencies_hz > 502]).all()


def test_only_the_latest_spectra_are_kept(tmp_path: Path) -> None:
    made = Album(tmp_path, catalogue("en"))
    for hour in range(SPECTRA // 100 + 1):
        made.see(snapshots(50.0, [hour * 100 + each for each in range(100)]))
    (waterfall,) = made.waterfalls.values()
    assert len(waterfall.times) == len(waterfall.spectra) == SPECTRA
    assert waterfall.times[-1] == START + timedelta(hours=SPECTRA + 99)
