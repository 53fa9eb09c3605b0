"""The velocity and acceleration spectra."""

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from andon.models.messages.catalogue import catalogue
from andon.models.plots.canvas import BLUE, DPI, GREEN, INK, PURPLE, VERMILION, WIDTH_IN, png
from andon.models.plots.fonts import Lettering
from andon.models.plots.marks import LANE_IN
from andon.models.plots.spectrum import (
    COLUMNS,
    HEIGHT_IN,
    PANEL_IN,
    own_spectrum,
    shaft_lanes,
    spectrum_figure,
    spectrum_plot,
    thinned,
    velocity_spectrum,
)
from andon.models.types.vibration import Diagnosis, Fault, Machine, Samples, Signal, Unit
from andon.models.vibration.spectra import Spectrum

Records = Callable[..., Signal]
Diagnoses = Callable[..., Diagnosis]
MACHINE = Machine(name="pump", teeth=(23, 61), blades=6, line_hz=50.0)


def marked(axes: Axes) -> list[tuple[str, float]]:
    """Colour and place of the vertical lines."""
    upright = [line for line in axes.lines if np.array_equal(line.get_ydata(), [0, 1])]
    return [(str(line.get_color()), round(float(np.asarray(line.get_xdata())[0]), 3)) for line in upright]


def ringed(axes: Axes) -> list[tuple[float, float]]:
    found = [np.column_stack(line.get_data()) for line in axes.lines if line.get_marker() == "o"]
    return [(float(place), float(top)) for line in found for place, top in line]


@settings(max_examples=20, deadline=None)
@given(st.floats(0.1, 50), st.integers(60, 3990), st.sampled_from([Unit.M_S2, Unit.G, Unit.MM_S, Unit.UM]))
def test_a_tone_reads_its_rms_in_mm_s(velocity_mm_s: float, periods: int, unit: Unit) -> None:
    """On a line of the spectrum, whatever the record is in."""
    duration_s, rate_hz = 4.0, 8192.0
    turning = 2 * np.pi * periods / duration_s
    amplitude = np.sqrt(2) * velocity_mm_s
    peak = {
        Unit.M_S2: amplitude * turning / 1000,
        Unit.G: amplitude * turning / 1000 / 9.80665,
        Unit.MM_S: amplitude,
        Unit.UM: amplitude / turning * 1000,
    }[unit]
    time_s = np.arange(int(duration_s * rate_hz)) / rate_hz
    spectrum = velocity_spectrum(Signal(peak * np.cos(turning * time_s), rate_hz, unit), 1500.0)
    assert spectrum.values[periods] == pytest.approx(velocity_mm_s, rel=2e-3)
    assert spectrum.values.argmax() == periods


def test_acceleration_reads_its_rms_in_m_s2() -> None:
    time_s = np.arange(8192) / 8192
    spectrum = own_spectrum(Signal(np.sqrt(2) * np.cos(2 * np.pi * 2000 * time_s), 8192.0, Unit.G))
    assert spectrum.values[2000] == pytest.approx(9.80665, rel=1e-3)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 30_000), st.integers(0, 2**32 - 1))
def test_thinning_keeps_every_peak(n: int, seed: int) -> None:
    values = np.random.default_rng(seed).exponential(size=n)
    spectrum = Spectrum(0.5 * np.arange(float(n)), values, "mm/s")
    kept = thinned(spectrum)
    assert len(kept.values) <= COLUMNS
    assert kept.values.max() == values.max()
    step = 0.5 * -(-n // COLUMNS)
    place = kept.frequencies_hz[kept.values.argmax()]
    assert place <= values.argmax() * 0.5 < place + step


def test_parts_are_marked_where_they_show(record: Records, diagnosis: Diagnoses, english: Lettering) -> None:
    velocity, acceleration, rows = spectrum_figure(record(), MACHINE, diagnosis(), english).axes
    near = [(BLUE, 25.0), (BLUE, 50.0), (BLUE, 75.0), (VERMILION, 575.0), (GREEN, 150.0), (GREEN, 300.0)]
    assert marked(velocity) == [*near, (PURPLE, 100.0)]
    assert marked(acceleration) == [(VERMILION, 1150.0), (VERMILION, 1525.0), (VERMILION, 3050.0)]
    assert velocity.get_xlim() == (0, 1000)
    assert acceleration.get_xlim() == (0, 4096)
    assert [label.get_text() for label in rows.get_yticklabels()] == [
        "shaft",
        "gear, 23 teeth",
        "gear, 61 teeth",
        "6 blades",
        "2 × mains",
    ]
    beside = [text.get_text() for text in rows.texts if not hasattr(text, "xy")]
    assert beside == ["25 Hz", "575 Hz", "1525 Hz →", "150 Hz", "100 Hz"]


def test_axes_say_what_they_show(record: Records, diagnosis: Diagnoses, english: Lettering) -> None:
    velocity, acceleration, _ = spectrum_figure(record(), MACHINE, diagnosis(), english).axes
    assert velocity.get_ylabel() == "velocity (mm/s rms)"
    assert acceleration.get_ylabel() == "acceleration (m/s² rms)"


@pytest.mark.parametrize("unit", [Unit.MM_S, Unit.UM])
def test_what_was_not_measured_as_acceleration_has_no_second_panel(
    record: Records, diagnosis: Diagnoses, english: Lettering, unit: Unit
) -> None:
    assert len(spectrum_figure(record(unit), MACHINE, diagnosis(), english).axes) == 2


def test_lines_of_the_shaft_are_ringed_at_their_height(
    record: Records, diagnosis: Diagnoses, english: Lettering
) -> None:
    figure = spectrum_figure(record(), MACHINE, diagnosis(Fault.UNBALANCE, ((25.05, 40), (50, 7))), english)
    (first, second) = ringed(figure.axes[0])
    assert first == pytest.approx((25.05, 10.0), rel=0.01)
    assert second[1] < 1
    assert [text.get_text() for text in figure.axes[0].texts] == ["40 dB"]


def test_lines_of_a_bearing_are_not_looked_for_here(record: Records, diagnosis: Diagnoses, english: Lettering) -> None:
    figure = spectrum_figure(record(), MACHINE, diagnosis(), english)
    assert not ringed(figure.axes[0])
    assert not figure.legends


@pytest.mark.parametrize(
    ("fault", "strong"),
    [
        (Fault.MISALIGNMENT, ["shaft"]),
        (Fault.GEAR, ["gear, 23 teeth", "gear, 61 teeth"]),
        (Fault.BLADE_PASS, ["6 blades"]),
        (Fault.ELECTRICAL, ["2 × mains"]),
        (Fault.OUTER_RACE, []),
    ],
)
def test_the_part_named_stands_out(diagnosis: Diagnoses, english: Lettering, fault: Fault, strong: list[str]) -> None:
    assert [lane.name for lane in shaft_lanes(MACHINE, diagnosis(fault), english) if lane.strong] == strong


def test_without_a_speed_only_the_mains_are_marked(record: Records, diagnosis: Diagnoses, english: Lettering) -> None:
    figure = spectrum_figure(record(), MACHINE, diagnosis(Fault.UNKNOWN, (), None), english)
    assert marked(figure.axes[0]) == [(PURPLE, 100.0)]
    title = (
        "pump · DE-H\nspeed of the shaft not known · velocity 10 mm/s rms · ISO zone D\nno fault can be named (warning)"
    )
    assert figure.get_suptitle() == f"{title} · p = 0.0003"
    bare = spectrum_figure(record(), Machine(), diagnosis(Fault.UNKNOWN, (), None), english)
    assert len(bare.axes) == 2
    assert not marked(bare.axes[0])


def test_at_a_low_rate_the_axis_ends_at_the_nyquist_frequency(
    record: Records, diagnosis: Diagnoses, english: Lettering
) -> None:
    slow = replace(record(), rate_hz=500.0)
    assert spectrum_figure(slow, MACHINE, diagnosis(), english).axes[0].get_xlim() == (0, 250)


@pytest.mark.parametrize("samples", [np.full(8192, np.inf), np.zeros(20), np.empty(0)], ids=["inf", "short", "empty"])
def test_what_has_no_spectrum_says_so(
    record: Records, diagnosis: Diagnoses, letters: Lettering, samples: Samples
) -> None:
    figure = spectrum_figure(replace(record(), samples=samples), MACHINE, diagnosis(Fault.UNKNOWN, ()), letters)
    assert letters.text("plot.nothing") in [text.get_text() for text in figure.axes[0].texts]
    assert png(figure)


def test_a_silent_signal_is_drawn_and_not_believed(record: Records, diagnosis: Diagnoses, english: Lettering) -> None:
    silent = replace(record(), samples=np.zeros(8192))
    figure = spectrum_figure(silent, MACHINE, diagnosis(Fault.UNKNOWN, (), None, ("sensor.silence",)), english)
    assert "mm/s" not in figure.get_suptitle()
    assert figure.get_suptitle().endswith(english.text("diagnosis.sensor"))
    assert not np.asarray(next(line for line in figure.axes[0].lines if line.get_color() == INK).get_ydata()).any()
    assert png(figure)


def test_both_languages_show_every_character_and_stay_on_the_picture(
    record: Records, diagnosis: Diagnoses, letters: Lettering
) -> None:
    found = diagnosis(Fault.LOOSENESS, tuple((1000.0 - 90 * n, 10.0 + n) for n in range(8)), reasons=("sensor.bias",))
    figure = spectrum_figure(record(), replace(MACHINE, name="n" * 300), found, letters, "x" * 100)
    figure.draw_without_rendering()
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    whole = figure.get_tightbbox(canvas.get_renderer())  # type: ignore[no-untyped-call]
    assert min(whole.x0, whole.y0) >= 0
    assert whole.x1 <= WIDTH_IN
    assert whole.y1 <= figure.get_figheight()


def test_equal_records_give_equal_pictures(record: Records, diagnosis: Diagnoses) -> None:
    first, second = (spectrum_plot(record(), MACHINE, diagnosis(), catalogue("en"), "a.wav") for _ in range(2))
    assert first == second
    height_in = HEIGHT_IN + PANEL_IN + 5 * LANE_IN
    assert Image.open(BytesIO(first)).size == (round(WIDTH_IN * DPI), round(height_in * DPI))
