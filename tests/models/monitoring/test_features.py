"""Rows of indicators from snapshots of any rate, unit and length."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.motors import CONTRACT, RATE_HZ, WINDOW

from andon.models.health.settings import FeatureContract
from andon.models.monitoring.features import DEFAULT_FEATURES, RATE_TOLERANCE, can_measure, feature_rows
from andon.models.types.vibration import Unit
from andon.models.vibration.indicators import window_indicators
from andon.models.vibration.units import STANDARD_GRAVITY_M_S2

LOW = "band_500_2000_hz_m_s2"
HIGH = "band_5000_10000_hz_m_s2"
LEVELS = [name for name in DEFAULT_FEATURES if name.endswith("_m_s2")]
SHAPES = [name for name in DEFAULT_FEATURES if not name.endswith("_m_s2")]


def noise(n_snapshots: int, n_samples: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, 2.0, (n_snapshots, n_samples))


def tone(hertz: float, rate_hz: float, seconds: float) -> NDArray[np.float64]:
    """A tone of rms 1, one snapshot."""
    turns = hertz * np.arange(round(seconds * rate_hz)) / rate_hz
    return np.asarray(np.sqrt(2) * np.sin(2 * np.pi * turns))[None]


def at(rate_hz: float, window: int | None = WINDOW, *names: str) -> FeatureContract:
    chosen = names or CONTRACT.names
    return replace(
        CONTRACT, rate_hz=rate_hz, window=window, names=chosen, transforms=CONTRACT.transforms[: len(chosen)]
    )


def test_each_window_of_each_snapshot_is_a_row_of_its_indicators() -> None:
    snapshots = noise(3, 2 * WINDOW + 100)
    rows = feature_rows(snapshots, RATE_HZ, Unit.M_S2, None, CONTRACT)
    assert [len(each) for each in rows] == [2, 2, 2]
    for snapshot, listed in zip(snapshots, rows, strict=True):
        for number, row in enumerate(listed):
            window = snapshot[number * WINDOW : (number + 1) * WINDOW].astype(np.float32)
            expected = window_indicators(window, RATE_HZ)
            assert list(row) == list(CONTRACT.names)
            for name, value in row.items():
                assert value == pytest.approx(float(expected.of(name)), rel=1e-5)


def test_a_contract_without_window_or_rate_takes_a_snapshot_as_it_is() -> None:
    snapshots = noise(2, 3000)
    free = replace(CONTRACT, window=None, rate_hz=None)
    (first,), (second,) = feature_rows(snapshots, RATE_HZ, Unit.M_S2, None, free)
    assert first["rms_m_s2"] == pytest.approx(float(snapshots[0].std()), rel=1e-4)
    assert second["rms_m_s2"] == pytest.approx(float(snapshots[1].std()), rel=1e-4)


@pytest.mark.parametrize("factor", [2.0, 3.0, 1.5, 48_000 / 25_600])
def test_a_tone_survives_being_brought_down(factor: float) -> None:
    (rows,) = feature_rows(tone(1000.0, factor * RATE_HZ, 1.0), factor * RATE_HZ, Unit.M_S2, None, CONTRACT)
    assert len(rows) == int(RATE_HZ) // WINDOW
    inner = [row["rms_m_s2"] for row in rows[1:-1]]  # the filter rings at both ends
    assert inner == pytest.approx([1.0] * len(inner), rel=0.02)
    assert [row[LOW] for row in rows[1:-1]] == pytest.approx([1.0] * len(inner), rel=0.05)


def test_what_lies_above_the_new_nyquist_frequency_is_gone() -> None:
    """At 25.6 kHz a tone of 20 kHz would fold to 5.6 kHz if it were only decimated."""
    samples = tone(1000.0, 102_400.0, 1.0) + 3 * tone(20_000.0, 102_400.0, 1.0)
    (rows,) = feature_rows(samples, 102_400.0, Unit.M_S2, None, CONTRACT)
    for row in rows[1:-1]:
        assert row["rms_m_s2"] == pytest.approx(1.0, rel=0.02)
        assert row[HIGH] == pytest.approx(0.0, abs=0.05)


def test_a_slower_or_shorter_record_gives_no_rows() -> None:
    assert feature_rows(noise(2, 9000), RATE_HZ / 2, Unit.M_S2, None, CONTRACT) == [[], []]
    assert feature_rows(noise(2, WINDOW - 1), RATE_HZ, Unit.M_S2, None, CONTRACT) == [[], []]
    assert feature_rows(noise(1, 2 * WINDOW - 2), 2 * RATE_HZ, Unit.M_S2, None, CONTRACT) == [[]], "too short in time"
    assert [len(each) for each in feature_rows(noise(1, 2 * WINDOW), 2 * RATE_HZ, Unit.M_S2, None, CONTRACT)] == [1]


def test_velocity_is_no_acceleration() -> None:
    """Its rms would stand under the name of another quantity."""
    for unit in (Unit.MM_S, Unit.UM):
        assert feature_rows(noise(2, WINDOW), RATE_HZ, unit, None, CONTRACT) == [[], []]


@pytest.mark.parametrize("share", [1 - RATE_TOLERANCE / 2, 1 + RATE_TOLERANCE / 2])
def test_rates_within_the_tolerance_are_one(share: float) -> None:
    assert can_measure(CONTRACT, share * RATE_HZ, WINDOW + 2)
    samples = noise(1, WINDOW + 2)
    (said,) = feature_rows(samples, share * RATE_HZ, Unit.M_S2, None, CONTRACT)
    (exact,) = feature_rows(samples, RATE_HZ, Unit.M_S2, None, CONTRACT)
    assert said == exact, "not resampled"


def test_a_rate_beyond_the_tolerance_is_another() -> None:
    assert not can_measure(CONTRACT, RATE_HZ * (1 - 2 * RATE_TOLERANCE), 10 * WINDOW)
    assert can_measure(CONTRACT, RATE_HZ * (1 + 2 * RATE_TOLERANCE), 10 * WINDOW)


def test_units_are_converted() -> None:
    samples = noise(1, WINDOW)
    ((in_g,),) = feature_rows(samples, RATE_HZ, Unit.G, None, CONTRACT)
    ((in_m_s2,),) = feature_rows(samples * STANDARD_GRAVITY_M_S2, RATE_HZ, Unit.M_S2, None, CONTRACT)
    assert in_g == pytest.approx(in_m_s2)


@given(gain=st.floats(1e-3, 1e3), seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_a_gain_shifts_the_logarithm_of_levels_and_leaves_shapes(gain: float, seed: int) -> None:
    samples = noise(1, WINDOW, seed)
    ((plain,),) = feature_rows(samples, RATE_HZ, Unit.M_S2, None, CONTRACT)
    ((louder,),) = feature_rows(gain * samples, RATE_HZ, Unit.M_S2, None, CONTRACT)
    shifts = {name: np.log(louder[name] or 0) - np.log(plain[name] or 0) for name in DEFAULT_FEATURES}
    assert [shifts[name] for name in LEVELS] == pytest.approx([np.log(gain)] * len(LEVELS), abs=1e-4)
    assert [shifts[name] for name in SHAPES] == pytest.approx([0.0] * len(SHAPES), abs=1e-4)


@given(rate_hz=st.floats(1000, 200_000), n_samples=st.integers(1, 5000), wanted_hz=st.floats(1000, 100_000))
@settings(max_examples=60, deadline=None)
def test_a_row_comes_out_wherever_it_can_be_measured(rate_hz: float, n_samples: int, wanted_hz: float) -> None:
    contract = at(wanted_hz, 512, "rms_m_s2")
    (rows,) = feature_rows(noise(1, n_samples), rate_hz, Unit.M_S2, None, contract)
    assert bool(rows) is can_measure(contract, rate_hz, n_samples)
