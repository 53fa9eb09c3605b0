"""The envelope spectrum."""

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure
from PIL import Image

from andon.models.messages.catalogue import catalogue
from andon.models.plots.canvas import (
    BLUE,
    DPI,
    ELLIPSIS,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    VERMILION,
    WIDTH_IN,
    entitle,
    new_figure,
    png,
)
from andon.models.plots.envelope import HEIGHT_IN, NO_SPEED_TOP_HZ, bearing_lanes, envelope_figure, envelope_plot
from andon.models.plots.fonts import MISSING, Lettering
from andon.models.plots.marks import LANE_IN
from andon.models.plots.records import conclusion
from andon.models.types.vibration import Bearing, BearingOrders, Diagnosis, Fault, Machine, Samples, Sensor, Signal
from andon.models.vibration.diagnosis import MAX_DURATION_S, PhysicsDiagnoser

Records = Callable[..., Signal]
Diagnoses = Callable[..., Diagnosis]
FUNDAMENTALS_HZ = {BLUE: 80.0, VERMILION: 120.0, GREEN: 125.0, PURPLE: 10.0}


def lines_by_colour(axes: Axes) -> dict[str, list[float]]:
    """Places of the vertical lines."""
    upright = [line for line in axes.lines if np.array_equal(line.get_ydata(), [0, 1])]
    return {
        colour: [float(np.asarray(line.get_xdata())[0]) for line in upright if line.get_color() == colour]
        for colour in FUNDAMENTALS_HZ
    }


def rings(axes: Axes) -> tuple[list[float], list[float]]:
    (line,) = [line for line in axes.lines if line.get_marker() == "o"]
    return np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_harmonics_of_each_part_are_marked(record: Records, diagnosis: Diagnoses, english: Lettering) -> None:
    axes, rows = envelope_figure(record(), Machine(), diagnosis(), english).axes[:2]
    for colour, places in lines_by_colour(axes).items():
        assert places == pytest.approx([FUNDAMENTALS_HZ[colour] * number for number in (1, 2, 3, 4)])
    assert [label.get_text() for label in rows.get_yticklabels()] == [
        "outer race",
        "inner race",
        "rolling element",
        "cage",
    ]
    assert axes.get_xlim() == (0, 5 * 125)
    assert rows.get_xlim() == axes.get_xlim()


def test_a_row_says_its_numbers_and_its_frequency(record: Records, diagnosis: Diagnoses, english: Lettering) -> None:
    rows = envelope_figure(record(), Machine(), diagnosis(), english).axes[1]
    said = [(text.get_text(), round(text.xy[1])) for text in rows.texts if hasattr(text, "xy")]
    assert [number for number, row in said if row == 0] == ["1", "2", "3", "4"]
    assert [number for number, row in said if row == 3] == ["1–4"]
    assert [text.get_text() for text in rows.texts if not hasattr(text, "xy")] == ["80 Hz", "120 Hz", "125 Hz", "10 Hz"]


def test_the_part_named_stands_out(record: Records, diagnosis: Diagnoses, english: Lettering) -> None:
    lanes = bearing_lanes(record(), Machine(), diagnosis(Fault.INNER_RACE), english)
    assert [lane.strong for lane in lanes] == [False, True, False, False]


def test_impacts_stand_where_they_are_marked(record: Records, diagnosis: Diagnoses, english: Lettering) -> None:
    """Eighty impacts a second: the rings lie on the highest lines, in the picture too."""
    figure = envelope_figure(record(), Machine(), diagnosis(), english)
    axes = figure.axes[0]
    places, tops = rings(axes)
    assert places == [80, 160, 240, 320]
    spectrum = next(line for line in axes.lines if line.get_color() == INK and line.get_marker() == "None")
    frequencies, values = np.asarray(spectrum.get_xdata()), np.asarray(spectrum.get_ydata())
    assert tops == [values[np.abs(frequencies - place) < 2].max() for place in places]
    assert {"30 dB", "24 dB", "18 dB", "12 dB"} <= set(texts(figure))


def test_a_mark_has_its_colour_in_the_pixels(record: Records, diagnosis: Diagnoses, english: Lettering) -> None:
    figure = envelope_figure(record(), Machine(), diagnosis(), english)
    picture = np.asarray(Image.open(BytesIO(png(figure))).convert("RGB")) / 255
    axes = figure.axes[0]
    blue = np.linalg.norm(picture - to_rgb(BLUE), axis=-1) < 0.25
    inside = axes.get_window_extent()
    top = picture.shape[0] - int(inside.y1)
    counted = blue[top : top + int(inside.height * 0.9)].sum(axis=0)
    column, _ = axes.transData.transform((320.0, 0.0))
    assert counted[int(column) - 2 : int(column) + 3].max() > 0.1 * inside.height
    beside, _ = axes.transData.transform((290.0, 0.0))
    assert counted[int(beside) - 10 : int(beside) + 11].max() == 0


def test_the_background_lies_in_the_middle_of_noise(record: Records, diagnosis: Diagnoses, english: Lettering) -> None:
    signal = record()
    noise = replace(signal, samples=np.random.default_rng(1).normal(size=len(signal.samples)))
    axes = envelope_figure(noise, Machine(), diagnosis(Fault.NONE, ()), english).axes[0]
    spectrum, level = axes.lines[:2]
    assert level.get_color() == ORANGE
    below = np.asarray(spectrum.get_ydata()) < np.asarray(level.get_ydata())
    assert below.mean() == pytest.approx(0.5, abs=0.03)


def test_orders_stand_beside_hertz(record: Records, diagnosis: Diagnoses, english: Lettering) -> None:
    figure = envelope_figure(record(), Machine(), diagnosis(), english)
    figure.draw_without_rendering()
    (above,) = [axis for axes in figure.axes for axis in axes.child_axes]
    assert above.get_xlim() == pytest.approx((0, 5 * 125 / 25))
    assert above.get_xlabel() == "multiples of the shaft's speed (1,500 rpm)"


def test_without_a_speed_nothing_is_marked(record: Records, diagnosis: Diagnoses, english: Lettering) -> None:
    figure = envelope_figure(record(), Machine(), diagnosis(Fault.UNKNOWN, (), None), english)
    (axes,) = figure.axes
    assert not any(lines_by_colour(axes).values())
    assert axes.get_title() == "speed of the shaft not known"
    assert axes.get_xlim() == (0, NO_SPEED_TOP_HZ)
    assert not axes.child_axes


def test_without_a_bearing_the_axis_follows_the_speed(
    record: Records, diagnosis: Diagnoses, english: Lettering
) -> None:
    signal = replace(record(), orders=None)
    (axes,) = envelope_figure(signal, Machine(), diagnosis(Fault.NONE, ()), english).axes
    assert axes.get_xlim() == (0, 25 * 25)


def test_without_evidence_there_is_no_ring(record: Records, diagnosis: Diagnoses, english: Lettering) -> None:
    figure = envelope_figure(record(), Machine(), diagnosis(Fault.NONE, ()), english)
    assert not [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["background (median)"]
    assert figure.get_suptitle() == "no fault found (warning) · p = 0.0003\nDE-H"


def test_lines_of_the_shaft_are_not_looked_for_here(record: Records, diagnosis: Diagnoses, english: Lettering) -> None:
    axes = envelope_figure(record(), Machine(), diagnosis(Fault.UNBALANCE, ((25, 40),)), english).axes[0]
    assert not [line for line in axes.lines if line.get_marker() == "o"]


def test_the_legend_lists_what_was_found(record: Records, diagnosis: Diagnoses, english: Lettering) -> None:
    found = ((80, 30), (160, 9), (240, 18), (320, 12), (400, 20))
    (legend,) = envelope_figure(record(), Machine(), diagnosis(evidence=found), english).legends
    listed = "found over the background: 80 Hz 30 dB, 240 Hz 18 dB, 320 Hz 12 dB, 400 Hz 20 dB"
    assert [text.get_text() for text in legend.get_texts()] == ["background (median)", listed]


def test_of_crowded_levels_the_strongest_are_written(record: Records, diagnosis: Diagnoses, english: Lettering) -> None:
    found = diagnosis(Fault.CAGE, ((10, 11), (20, 12), (30, 13), (40, 10)))
    figure = envelope_figure(record(), Machine(), found, english)
    assert [text for text in texts(figure) if text.endswith("dB")] == ["13 dB"]
    assert rings(figure.axes[0])[0] == [10, 20, 30, 40]


def test_the_bearing_at_the_sensor_is_marked_and_of_several_the_one_that_fits(
    record: Records, diagnosis: Diagnoses, english: Lettering
) -> None:
    other, fitting = BearingOrders(2.0, 3.0, 1.5, 0.3), BearingOrders(3.2, 4.0, 1.7, 0.4)
    bearings = (Bearing("DE", other, "test"), Bearing("DE", fitting, "test"), Bearing("NDE", other, "test"))
    machine = Machine(bearings=bearings, sensors=(Sensor("DE-H", "DE"), Sensor("NDE-H", "NDE")))
    for sensor, outer_hz in (("DE-H", 80.0), ("NDE-H", 50.0), ("elsewhere", 80.0)):
        lanes = bearing_lanes(record(sensor=sensor), machine, diagnosis(), english)
        assert lanes[0].fundamental_hz == outer_hz
    first = bearing_lanes(record(), machine, diagnosis(Fault.NONE, ()), english)
    assert first[0].fundamental_hz == 50.0


def test_a_long_record_is_drawn_as_it_was_diagnosed(record: Records, diagnosis: Diagnoses, english: Lettering) -> None:
    axes = envelope_figure(record(duration_s=MAX_DURATION_S + 5), Machine(), diagnosis(), english).axes[0]
    spectrum = np.asarray(axes.lines[0].get_xdata())
    assert spectrum[1] == pytest.approx(1 / MAX_DURATION_S, rel=0.03)


@pytest.mark.parametrize("samples", [np.full(8192, np.nan), np.zeros(20), np.empty(0)], ids=["nan", "short", "empty"])
def test_what_has_no_spectrum_says_so(
    record: Records, diagnosis: Diagnoses, letters: Lettering, samples: Samples
) -> None:
    figure = envelope_figure(replace(record(), samples=samples), Machine(), diagnosis(Fault.UNKNOWN, ()), letters)
    assert letters.text("plot.nothing") in texts(figure)
    assert png(figure)


def test_a_signal_that_cannot_be_believed_is_called_so(
    record: Records, diagnosis: Diagnoses, english: Lettering
) -> None:
    silent = replace(record(), samples=np.zeros(8192))
    figure = envelope_figure(silent, Machine(), diagnosis(Fault.UNKNOWN, (), None, ("sensor.silence",)), english)
    assert english.text("diagnosis.sensor") in figure.get_suptitle()
    assert png(figure)


def test_both_languages_show_every_character(record: Records, diagnosis: Diagnoses, letters: Lettering) -> None:
    """A missing glyph is a warning, and those are errors here."""
    figure = new_figure(5.0)
    entitle(figure, [conclusion(diagnosis(fault), letters) for fault in Fault], letters)
    figure.draw_without_rendering()
    assert MISSING not in figure.get_suptitle()
    assert ELLIPSIS not in figure.get_suptitle()
    envelope_figure(record(), Machine(), diagnosis(), letters, "f.wav").draw_without_rendering()


def test_texts_stay_on_the_picture_and_rows_apart(record: Records, diagnosis: Diagnoses, letters: Lettering) -> None:
    figure = envelope_figure(record(), Machine(name="n" * 300), diagnosis(), letters, "x" * 100)
    figure.draw_without_rendering()
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    whole = figure.get_tightbbox(canvas.get_renderer())  # type: ignore[no-untyped-call]
    assert whole.x0 >= 0
    assert whole.y0 >= 0
    assert whole.x1 <= WIDTH_IN
    assert whole.y1 <= figure.get_figheight()
    (legend,) = figure.legends
    below = figure.axes[0].xaxis.label.get_window_extent()
    assert legend.get_window_extent().y1 <= below.y0
    boxes = [label.get_window_extent() for label in figure.axes[1].get_yticklabels()]
    assert all(upper.y0 > lower.y0 + 0.6 * upper.height for upper, lower in pairwise(boxes))


def test_equal_records_give_equal_pictures(record: Records, diagnosis: Diagnoses) -> None:
    first, second = (envelope_plot(record(), Machine(), diagnosis(), catalogue("en"), "a.wav") for _ in range(2))
    assert first == second
    assert Image.open(BytesIO(first)).size == (round(WIDTH_IN * DPI), round((HEIGHT_IN + 4 * LANE_IN) * DPI))


def test_what_the_diagnoser_finds_lies_on_the_lines(record: Records, english: Lettering) -> None:
    """End to end: the teeth of the comb are lines of the drawn spectrum that stand out of the drawn background."""
    signal = record(duration_s=8.0)
    found = PhysicsDiagnoser().diagnose(signal, Machine())
    assert found.fault is Fault.OUTER_RACE
    axes = envelope_figure(signal, Machine(), found, english).axes[0]
    places, tops = rings(axes)
    background = axes.lines[1]
    level = np.interp(places, np.asarray(background.get_xdata()), np.asarray(background.get_ydata()))
    expected = [line.level_db for line in found.evidence]
    assert 20 * np.log10(tops / level) == pytest.approx(expected, abs=1.0)
    assert to_rgba(background.get_color()) == to_rgba(ORANGE)
