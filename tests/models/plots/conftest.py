"""Letters, records and diagnoses for the pictures."""

import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from andon.models.messages.catalogue import LANGUAGES, catalogue
from andon.models.types.vibration import (
    BearingOrders,
    Diagnosis,
    Evidence,
    Fault,
    SensorHealth,
    Severity,
    Signal,
    Unit,
)

pytest.importorskip("matplotlib", reason="the extra plots is not installed")

from andon.models.plots.fonts import LATIN_FONT, Lettering, cjk_font, installed_fonts, lettering

RATE_HZ = 8192.0
RPM = 1500.0
ORDERS = BearingOrders(3.2, 4.8, 2.5, 0.4)


@pytest.fixture(autouse=True)
def _no_warning() -> Iterator[None]:
    """Fail where a font lacks a character or a layout does not fit: matplotlib only warns of both."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


@pytest.fixture
def english() -> Lettering:
    return Lettering((LATIN_FONT,), (catalogue("en"),))


@pytest.fixture(params=LANGUAGES)
def letters(request: pytest.FixtureRequest) -> Lettering:
    if request.param == "zh_CN" and cjk_font(installed_fonts()) is None:
        pytest.skip("no font for Chinese is installed")
    return lettering(catalogue(request.param))


@pytest.fixture
def record() -> Callable[..., Signal]:
    """Make a record of 4 s: impacts 80 times a second that ring at 2 kHz, and 10 mm/s at the shaft's 25 Hz, in noise.

    Each impact is up to 1 % of the interval late: prewhitening takes what repeats exactly for a steady tone.
    """

    def make(unit: Unit = Unit.M_S2, duration_s: float = 4.0, sensor: str = "DE-H") -> Signal:
        rng = np.random.default_rng(7)
        time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
        number = (80 * time_s).astype(int)
        since_s = np.maximum(0.0, time_s - (number + rng.uniform(0, 0.01, number[-1] + 1)[number]) / 80)
        impacts = 20 * np.exp(-since_s * 400) * np.sin(2 * np.pi * 2000 * since_s)
        turning = 2 * np.pi * 25 * 0.010 * np.sqrt(2) * np.cos(2 * np.pi * 25 * time_s)
        samples = impacts + turning + rng.normal(0, 0.5, len(time_s))
        return Signal(samples, RATE_HZ, unit, sensor=sensor, rpm=RPM, orders=ORDERS)

    return make


@pytest.fixture
def diagnosis() -> Callable[..., Diagnosis]:
    """Make a diagnosis; by default of the outer race whose four lines were found."""

    def make(
        fault: Fault = Fault.OUTER_RACE,
        evidence: tuple[tuple[float, float], ...] = ((80, 30), (160, 24), (240, 18), (320, 12)),
        rpm: float | None = RPM,
        reasons: tuple[str, ...] = (),
    ) -> Diagnosis:
        return Diagnosis(
            indicators={"velocity_rms_mm_s": 10.0},
            zone="D",
            zone_reason=None,
            fault=fault,
            p_value=0.0003,
            ranked=(),
            evidence=tuple(
                Evidence(hz, 60 * hz / rpm if rpm else None, number, level_db)
                for number, (hz, level_db) in enumerate(evidence, start=1)
            ),
            sensor=SensorHealth(reasons),
            severity=Severity.WARNING,
            rpm=rpm,
        )

    return make
