"""The health graph computes what ``distances`` computes, down to whiteners that float32 could not hold."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from onnxruntime import InferenceSession

from andon.models.health.graph import HealthGraph
from andon.models.health.graph_building import health_graph
from andon.models.health.mahalanobis import Floats, distances
from andon.models.types.errors import BundleError, InputError

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def graph() -> HealthGraph:
    return HealthGraph(health_graph())


def baseline(seed: int, n: int, d: int, condition: float) -> tuple[Floats, Floats, Floats]:
    """Rows of a normal distribution whose standard deviations span ``condition``, its mean, and its whitener."""
    generator = np.random.default_rng(seed)
    directions, _ = np.linalg.qr(generator.normal(size=(d, d)))
    deviations = np.geomspace(1, 1 / condition, d)
    mean = 10 * generator.normal(size=d)
    return mean + (generator.normal(size=(n, d)) * deviations) @ directions.T, mean, directions / deviations


def worst_error(graph: HealthGraph, features: Floats, mean: Floats, whitener: Floats) -> float:
    found, expected = graph.distances(features, mean, whitener), distances(features, mean, whitener)
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(found, expected, strict=True))


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    n=st.integers(1, 40),
    d=st.integers(1, 30),
    condition=st.floats(0, 8).map(lambda e: 10**e),
)
def test_it_computes_the_distances_and_contributions(
    graph: HealthGraph, seed: int, n: int, d: int, condition: float
) -> None:
    assert worst_error(graph, *baseline(seed, n, d, condition)) <= TOLERANCE


def test_float32_would_not_do() -> None:
    """Why the graph is float64 although the features are measured to three digits."""
    features, mean, whitener = baseline(0, 100, 12, 1e6)
    exact = distances(features, mean, whitener).score
    single = distances(*(each.astype(np.float32).astype(np.float64) for each in (features, mean, whitener))).score
    assert np.abs(single - exact).max() / exact.max() > 10 * TOLERANCE


def test_contributions_add_up_to_the_squared_distance(graph: HealthGraph) -> None:
    found = graph.distances(*baseline(1, 50, 8, 100.0))
    assert found.contributions.sum(axis=1) == pytest.approx(found.score**2, rel=1e-9)


def test_a_feature_that_is_left_out_contributes_nothing(graph: HealthGraph) -> None:
    features, mean, whitener = baseline(2, 20, 5, 10.0)
    whitener[2] = whitener[:, 2] = 0
    assert not graph.distances(features, mean, whitener).contributions[:, 2].any()


def test_no_rows_are_no_distances(graph: HealthGraph) -> None:
    found = graph.distances(np.empty((0, 3)), np.zeros(3), np.eye(3))
    assert (found.score.shape, found.contributions.shape) == ((0,), (0, 3))


@pytest.mark.parametrize(
    ("features", "mean", "whitener", "port", "expected"),
    [
        ((4, 3), (1,), (3, 3), "mean", r"\[3\]"),
        ((4, 3), (3,), (3, 2), "whitener", r"\[3, 3\]"),
        ((4, 3), (3,), (1, 1), "whitener", r"\[3, 3\]"),
        ((3,), (3,), (3, 3), "features", r"\[n, d\]"),
    ],
)
def test_shapes_that_would_broadcast_are_refused(
    graph: HealthGraph, features: tuple[int], mean: tuple[int], whitener: tuple[int], port: str, expected: str
) -> None:
    with pytest.raises(InputError, match=rf"subject={port}.*expected={expected}"):
        graph.distances(np.ones(features), np.ones(mean), np.ones(whitener))


def test_the_same_bytes_each_time_small_and_whole() -> None:
    contents = health_graph()
    assert contents == health_graph()
    assert len(contents) < 1000
    model = onnx.load_model_from_string(contents)
    onnx.checker.check_model(model, full_check=True)
    assert [(each.domain, each.version >= 18) for each in model.opset_import] == [("", True)]


def test_it_runs_without_the_wrapper() -> None:
    """As another runtime would use it: by the names of the ports alone."""
    session = InferenceSession(health_graph(), providers=["CPUExecutionProvider"])
    features, mean, whitener = baseline(3, 6, 4, 10.0)
    score, contributions = session.run(
        ["score", "contributions"], {"features": features, "mean": mean, "whitener": whitener}
    )
    assert score == pytest.approx(distances(features, mean, whitener).score)
    assert contributions.shape == (6, 4)


@pytest.mark.parametrize("contents", [b"", b"no graph", health_graph()[:-40]])
def test_what_is_no_graph_is_refused(contents: bytes) -> None:
    with pytest.raises(BundleError, match=r"bundle\.graph"):
        HealthGraph(contents)


def renamed(old: str, new: str) -> bytes:
    model = onnx.load_model_from_string(health_graph())
    for node in model.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
    for port in (*model.graph.input, *model.graph.output):
        port.name = new if port.name == old else port.name
    contents: bytes = model.SerializeToString()
    return contents


def of_float32() -> bytes:
    model = onnx.load_model_from_string(health_graph())
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    contents: bytes = model.SerializeToString()
    return contents


def with_another_input() -> bytes:
    model = onnx.load_model_from_string(health_graph())
    model.graph.input.append(helper.make_tensor_value_info("weights", onnx.TensorProto.DOUBLE, ["d"]))
    contents: bytes = model.SerializeToString()
    return contents


@pytest.mark.parametrize(
    ("contents", "named"),
    [
        (renamed("mean", "centre"), "mean"),
        (renamed("score", "distance"), "score"),
        (of_float32(), "features"),
        (with_another_input(), "weights"),
    ],
)
def test_a_graph_of_another_contract_is_refused(contents: bytes, named: str) -> None:
    with pytest.raises(BundleError, match=rf"graph\.port.*{named}"):
        HealthGraph(contents)
