"""The signal graph computes what scipy computes in float64 and what the product computes, of any signal; and keeps its contract."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.training.conftest import needs_training
from tests.training.signal_reference import SIGNALS, Real, analyse
from tests.training.traces import traces

from andon.models.types.errors import BundleError, InputError, OptionError
from andon.models.vibration.envelope import MAX_BAND_HZ, ics2, modulation_spectrum, squared_envelope
from andon.models.vibration.indicators import waveform_indicators
from andon.models.vibration.integration import band_rms, power_lines
from andon.models.vibration.signal_graph import INDICATORS, SignalAnalysis, SignalGraph
from andon.models.vibration.units import Quantity
from andon.models.vibration.zones import NORMAL_BAND

pytestmark = needs_training

POINTS, TOLERANCE = 512, 1e-4
RATES_HZ = (1000.0, 12_000.0, 25_600.0, 48_828.125, 102_400.0)


@pytest.fixture(scope="module")
def exported() -> bytes:
    from andon.training.export.signal_graph import export_signal

    return export_signal(POINTS)


@pytest.fixture(scope="module")
def graph(exported: bytes) -> SignalGraph:
    return SignalGraph(exported)


@pytest.fixture(scope="module")
def long_graph() -> SignalGraph:
    from andon.training.export.signal_graph import export_signal

    return SignalGraph(export_signal(16_384))


def draw(kind: str, seed: int, n: int, gain: float = 1.0, offset: float = 0.0) -> NDArray[np.float32]:
    """One signal, ``[1, n]``, as the graph takes it; the offset is in multiples of its size."""
    return (gain * (SIGNALS[kind](np.random.default_rng(seed), n) + offset)).astype(np.float32)[None]


def worst_error(graph: SignalGraph, samples: Real, rate_hz: float, speed_hz: float) -> float:
    """Worst difference to the reference, each output and indicator over the largest value it has.

    What has no value to speak of, such as the skewness of a sine, is measured against 1e-6 of the signal or, where it has no
    unit, against 1e-4.
    """
    found = graph.analyse(samples, rate_hz, speed_hz)._asdict()
    expected = analyse(samples, rate_hz, speed_hz)
    size = 1e-6 * float(np.abs(samples - samples.mean(axis=1, keepdims=True)).max())
    scales = {"amplitude_m_s2": size, "harmonics_m_s2": size, "squared_envelope": 1e-4}
    pairs = [(found[name], expected[name], scale) for name, scale in scales.items()]
    for column, name in enumerate(INDICATORS):
        unit = size if name.endswith(("_m_s2", "_mm_s", "_um")) else 1e-4
        pairs.append((found["indicators"][:, column], expected["indicators"][:, column], unit))
    return max(
        float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), scale, 1e-30)) for ours, theirs, scale in pairs
    )


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(sorted(SIGNALS)),
    seed=st.integers(0, 2**16),
    gain=st.floats(-3, 3).map(lambda exponent: 10**exponent),
    offset=st.sampled_from([0.0, 1.0, -100.0]),
    rate_hz=st.sampled_from(RATES_HZ),
    speed_hz=st.just(0.0) | st.floats(0.5, 60),
)
def test_it_computes_what_scipy_computes_in_float64(
    graph: SignalGraph, kind: str, seed: int, gain: float, offset: float, rate_hz: float, speed_hz: float
) -> None:
    assume(kind != "alternating" or rate_hz <= 2 * MAX_BAND_HZ)  # above, rounding is all that the band holds
    samples = draw(kind, seed, POINTS, gain, offset)
    assert worst_error(graph, samples, rate_hz, speed_hz) <= TOLERANCE


@pytest.mark.parametrize("kind", sorted(SIGNALS))
def test_a_long_record_is_as_exact(long_graph: SignalGraph, kind: str) -> None:
    """At 16,384 points onnxruntime's own float32 transform is off by 4e-7 of the highest line, under which lines are whitened."""
    for seed in range(5):
        assert worst_error(long_graph, draw(kind, seed, 16_384, 10.0), 25_600.0, 24.7) <= TOLERANCE


@pytest.mark.parametrize("rate_hz", [1000.0, 12_000.0, 25_600.0])
def test_it_agrees_with_the_product(long_graph: SignalGraph, rate_hz: float) -> None:
    samples = np.concatenate([draw(kind, 3, 16_384) for kind in ("noise", "bearing", "tones", "impulses")])
    found = dict(zip(INDICATORS, long_graph.analyse(samples, rate_hz).indicators.T, strict=True))
    exact = samples.astype(np.float64)
    waveform, lines = waveform_indicators(exact), power_lines(exact, rate_hz)
    expected: dict[str, Real] = {name: waveform.of(name) for name in INDICATORS if name in waveform.names}
    expected["ics2"] = ics2(squared_envelope(exact, rate_hz))
    expected["velocity_rms_mm_s"] = band_rms(lines, NORMAL_BAND, Quantity.VELOCITY)
    expected["displacement_rms_um"] = band_rms(lines, NORMAL_BAND, Quantity.DISPLACEMENT)
    assert expected.keys() == set(INDICATORS)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=TOLERANCE, atol=1e-6, err_msg=name)


def test_the_envelope_spectrum_shows_the_line_that_the_product_shows(long_graph: SignalGraph) -> None:
    """They differ by the noise that the product mirrors from above half of its rate: a tenth of these lines at most."""
    rate_hz, fault_hz = 25_600.0, 25_600.0 / 16_384 * 64
    seconds = np.arange(16_384) / rate_hz
    ringing = np.exp(-800 * (seconds % (1 / fault_hz))) * np.sin(2 * np.pi * 4000 * seconds)
    samples = ringing + np.random.default_rng(0).normal(0, 0.05, 16_384)
    found = long_graph.analyse(samples[None], rate_hz).squared_envelope[0]
    theirs = modulation_spectrum(squared_envelope(samples, rate_hz))
    assert found[64:321:64] == pytest.approx(theirs[64:321:64], rel=0.1)
    assert found[:4096].argmax() % 64 == 0


def test_a_constant_signal_is_all_zero(graph: SignalGraph) -> None:
    for level in (0.0, -3.7, 1e6):
        for output in graph.analyse(np.full((1, POINTS), level), 1000.0, 25.0):
            assert np.abs(output).max() <= 1e-9 * abs(level)


def test_a_tone_reads_its_height_at_the_exact_speed_even_between_lines(long_graph: SignalGraph) -> None:
    rate_hz, speed_hz = 25_600.0, 24.713
    seconds = np.arange(16_384) / rate_hz
    heights = np.array([2.0, 0.5, 0.1])
    samples = 50 + heights @ np.sin(2 * np.pi * speed_hz * np.outer([1, 2, 3], seconds))
    analysis = long_graph.analyse(samples[None], rate_hz, speed_hz)
    assert analysis.harmonics_m_s2[0] == pytest.approx([2.0, 0.5, 0.1], rel=2e-3)
    assert long_graph.analyse(samples[None], rate_hz).harmonics_m_s2[0].tolist() == [0, 0, 0]
    fast = long_graph.analyse(samples[None], rate_hz, rate_hz / 5).harmonics_m_s2[0]
    assert fast[1] > 0
    assert fast[2] == 0


def test_each_row_of_a_batch_is_its_own(graph: SignalGraph) -> None:
    samples = np.concatenate([draw(kind, 5, POINTS) for kind in sorted(SIGNALS)])
    speeds = np.linspace(5, 60, len(samples))
    together = graph.analyse(samples, 12_000.0, speeds)
    alone = [graph.analyse(samples[row : row + 1], 12_000.0, speeds[row]) for row in range(len(samples))]
    for name in SignalAnalysis._fields:
        rows = np.concatenate([getattr(each, name) for each in alone])
        np.testing.assert_allclose(getattr(together, name), rows, rtol=1e-6, atol=1e-9)


def test_the_envelope_ignores_gain_and_offset(graph: SignalGraph) -> None:
    """An offset that is a power of two, so that float32 holds the same signal on it."""
    samples = np.rint(1024 * draw("noise", 1, POINTS)) / 1024
    plain = graph.analyse(samples, 12_000.0).squared_envelope
    np.testing.assert_allclose(graph.analyse(1024 * samples, 12_000.0).squared_envelope, plain, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(graph.analyse(samples + 16, 12_000.0).squared_envelope, plain, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("points", [0, 1, 32, 1000, 12_000, 4097])
def test_a_length_that_is_no_power_of_two_is_refused(points: int, tmp_path: Path) -> None:
    from andon.training.export.signal_graph import export_signal, signal_graph

    with pytest.raises(OptionError, match=rf"graph\.points.*found={points}"):
        export_signal(points)
    with pytest.raises(OptionError, match=rf"graph\.points.*found={points}"):
        signal_graph(points, tmp_path)


def test_a_signal_that_does_not_fit_is_refused(graph: SignalGraph) -> None:
    with pytest.raises(InputError, match=r"samples.*\[2, 500\].*\[batch, 512\]"):
        graph.analyse(np.zeros((2, 500)), 1000.0)
    with pytest.raises(InputError, match=r"samples.*\[512\]"):
        graph.analyse(np.zeros(POINTS), 1000.0)
    with pytest.raises(InputError, match=r"graph\.finite.*samples"):
        graph.analyse(np.full((1, POINTS), np.nan), 1000.0)
    with pytest.raises(InputError, match=r"graph\.finite.*rate_hz"):
        graph.analyse(np.zeros((1, POINTS)), np.inf)


def test_exporting_again_in_another_process_gives_the_same_bytes(exported: bytes, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from andon.training.export.signal_graph import export_signal; "
        f"Path(sys.argv[1]).write_bytes(export_signal({POINTS}))"
    )
    again = tmp_path / "again.onnx"
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    subprocess.run(
        [sys.executable, "-c", program, str(again)], check=True, capture_output=True, cwd=tmp_path, env=environment
    )
    assert again.read_bytes() == exported


def test_the_graph_is_whole_and_keeps_the_contract(exported: bytes) -> None:
    model = onnx.load_model_from_string(exported)
    onnx.checker.check_model(model, full_check=True)
    (opset,) = (each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))
    assert opset >= 18
    assert not [tensor.name for tensor in model.graph.initializer if tensor.external_data or tensor.data_location]
    assert [port.name for port in model.graph.input] == ["samples", "rate_hz", "speed_hz"]
    assert [port.name for port in model.graph.output] == list(SignalAnalysis._fields)
    assert "DFT" not in {node.op_type for node in model.graph.node}, "other runtimes lack it"
    assert traces(exported) == []


def test_a_graph_of_another_contract_is_refused(exported: bytes) -> None:
    model = onnx.load_model_from_string(exported)
    model.metadata_props[0].value = model.metadata_props[0].value.replace("crest", "comb")
    with pytest.raises(BundleError, match=r"graph\.port.*comb"):
        SignalGraph(model.SerializeToString())


def test_a_graph_that_is_kept_is_not_exported_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from andon.training.export import signal_graph

    asked: list[int] = []

    def export(points: int) -> bytes:
        asked.append(points)
        return b"graph"

    monkeypatch.setattr(signal_graph, "export_signal", export)
    for points in (64, 128, 64):
        assert signal_graph.signal_graph(points, tmp_path) == b"graph"
    assert asked == [64, 128]
    monkeypatch.setattr(signal_graph, "graph_versions", lambda: {"torch": "another"})
    signal_graph.signal_graph(64, tmp_path)
    assert asked == [64, 128, 64]
    assert len(list(tmp_path.iterdir())) == 3, "nothing else is left there"
