"""The signal graph against scipy: windows a second on one thread, in turns in one run, and how far apart their results are.

``scipy`` is what the product itself computes, in float32 and without the exact harmonics. Needs the extra ``train``.
"""

import sys
from collections.abc import Sequence
from functools import partial
from statistics import median

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper
from tests.bench.figures import print_figure, seconds
from tests.training.signal_reference import SIGNALS, analyse

from andon.models.vibration.envelope import ics2, modulation_spectrum, squared_envelope
from andon.models.vibration.indicators import waveform_indicators
from andon.models.vibration.integration import band_rms, power_lines
from andon.models.vibration.signal_graph import SignalGraph
from andon.models.vibration.units import Quantity
from andon.models.vibration.zones import NORMAL_BAND
from andon.training.export.signal_graph import export_signal

LENGTHS = (4096, 16_384)
RATE_HZ, SPEED_HZ = 25_600.0, 24.7
BATCH, ROUNDS = 8, 9


def main(_: Sequence[str] = ()) -> None:
    """Print one JSON object a figure."""
    for points in LENGTHS:
        graph = SignalGraph(export_signal(points))
        _report_speed(graph)
        _report_parity(graph)


def _report_speed(graph: SignalGraph) -> None:
    samples = _windows("bearing", graph.points, range(BATCH))
    transform, double = _operator(TensorProto.DOUBLE), samples.astype(np.float64)[:, :, None]
    rounds = [
        (
            seconds(partial(graph.analyse, samples, RATE_HZ, SPEED_HZ)),
            seconds(partial(_by_the_product, samples)),
            seconds(partial(transform.run, None, {"x": double})),
        )
        for _ in range(ROUNDS + 1)
    ][1:]
    ours, scipy, operator = (BATCH / median(column) for column in zip(*rounds, strict=True))
    print_figure(
        f"signal graph at {graph.points} samples: windows a second, one thread",
        value=round(ours),
        scipy=round(scipy),
        three_dft_operators=round(operator / 3),
        batch=BATCH,
    )


def _by_the_product(samples: NDArray[np.float32]) -> None:
    waveform_indicators(samples)
    lines = power_lines(samples, RATE_HZ)
    for quantity in (Quantity.VELOCITY, Quantity.DISPLACEMENT):
        band_rms(lines, NORMAL_BAND, quantity)
    squared = squared_envelope(samples, RATE_HZ)
    ics2(squared)
    modulation_spectrum(squared)


def _report_parity(graph: SignalGraph) -> None:
    """Worst difference over the largest value of each output, noise and what a bearing makes: all outputs have a size there."""
    worst = 0.0
    for kind in ("noise", "bearing"):
        samples = _windows(kind, graph.points, range(BATCH))
        found, expected = graph.analyse(samples, RATE_HZ, SPEED_HZ)._asdict(), analyse(samples, RATE_HZ, SPEED_HZ)
        for name, values in expected.items():
            scale = np.abs(values).max(axis=0 if name == "indicators" else None)
            worst = max(worst, float((np.abs(found[name] - values) / scale).max()))
    print_figure(
        f"signal graph at {graph.points} samples: worst difference to scipy in float64, over each output's largest value",
        value=float(f"{worst:.1e}"),
        bound="<= 1e-4",
        windows=2 * BATCH,
        dft_operator_float32=float(f"{_operator_error(graph.points):.1e}"),
    )


def _windows(kind: str, points: int, seeds: Sequence[int]) -> NDArray[np.float32]:
    return np.stack([SIGNALS[kind](np.random.default_rng(seed), points) for seed in seeds]).astype(np.float32)


def _operator(element: int) -> onnxruntime.InferenceSession:
    """Nothing but onnxruntime's DFT of a real signal: the graph would need three of them."""
    graph = helper.make_graph(
        [helper.make_node("DFT", ["x"], ["y"], axis=1, onesided=1)],
        "operator",
        [helper.make_tensor_value_info("x", element, ["b", "n", 1])],
        [helper.make_tensor_value_info("y", element, ["b", "m", 2])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _operator_error(points: int) -> float:
    samples = _windows("bearing", points, range(BATCH))
    found = _operator(TensorProto.FLOAT).run(None, {"x": samples[:, :, None]})[0]
    expected = np.fft.rfft(samples.astype(np.float64))
    return float(np.abs(found[..., 0] + 1j * found[..., 1] - expected).max() / np.abs(expected).max())


if __name__ == "__main__":
    main(sys.argv[1:])
