"""A graph is held to its contract, whatever it computes; what it computes is tested beside each graph."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from andon.models.graphs.session import GraphSession, Port
from andon.models.types.errors import BundleError, InputError

INPUTS = (Port("rows", "float32", ("n", "three")), Port("scale", "float64"), Port("weights", "float32", ("n",)))
OUTPUTS = (Port("weighted", "float32", ("three",)),)


def graph(note: str = "") -> onnx.ModelProto:
    """``weights @ rows``, with an input that counts for nothing; rows are three wide."""
    port = helper.make_tensor_value_info
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("MatMul", ["weights", "rows"], ["weighted"])],
            "weighing",
            [
                port("rows", TensorProto.FLOAT, ["n", 3]),
                port("scale", TensorProto.DOUBLE, []),
                port("weights", TensorProto.FLOAT, ["m"]),
            ],
            [port("weighted", TensorProto.FLOAT, [3])],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    helper.set_model_props(model, {"note": note})
    return model


@pytest.fixture(scope="module")
def session() -> GraphSession:
    return GraphSession(graph("three wide").SerializeToString(), "model.onnx", INPUTS, OUTPUTS)


def test_arrays_are_brought_to_the_type_and_layout_that_the_graph_takes(session: GraphSession) -> None:
    rows = np.asfortranarray(np.arange(12.0).reshape(4, 3))
    feeds = {"rows": rows, "scale": np.array(1, np.int64), "weights": np.arange(8.0)[::2]}
    (found,) = session.run(["weighted"], feeds)
    assert found.dtype == np.float32
    assert found == pytest.approx(np.arange(8.0)[::2] @ rows)


def test_it_says_what_the_graph_says_of_itself(session: GraphSession) -> None:
    assert session.metadata["note"] == "three wide"
    assert session.shape("rows") == ("n", 3)


@pytest.mark.parametrize(
    ("rows", "scale", "weights", "told"),
    [
        ((4, 2), (), (4,), r"rows.*found=\[4, 2\], expected=\[n, 3\]"),
        ((4, 3), (1,), (4,), r"scale.*found=\[1\], expected=\[\]"),
        ((4, 3), (), (5,), r"weights.*found=\[5\], expected=\[4\]"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(
    session: GraphSession, rows: tuple[int, ...], scale: tuple[int, ...], weights: tuple[int, ...], told: str
) -> None:
    """Also where only the contract, not the graph, says that two sizes are the same."""
    feeds = {"rows": np.ones(rows), "scale": np.ones(scale), "weights": np.ones(weights)}
    with pytest.raises(InputError, match=rf"graph\.shape.*subject={told}"):
        session.run(["weighted"], feeds)


@pytest.mark.parametrize(
    ("inputs", "outputs", "told"),
    [
        ((*INPUTS, Port("bias", "float32", ("three",))), OUTPUTS, r"found=-, expected=bias float32\[three\]"),
        ((INPUTS[0], INPUTS[2]), OUTPUTS, r"found=scale tensor\(double\)\[\], expected=-"),
        (INPUTS, (Port("weighted", "float64", ("three",)),), r"found=weighted tensor\(float\)\[3\]"),
        (INPUTS, (Port("weighted", "float32"),), r"found=weighted tensor\(float\)\[3\]"),
    ],
)
def test_a_graph_of_another_contract_is_refused(inputs: tuple[Port, ...], outputs: tuple[Port, ...], told: str) -> None:
    with pytest.raises(BundleError, match=rf"graph\.port.*{told}"):
        GraphSession(graph().SerializeToString(), "model.onnx", inputs, outputs)


def test_threads_do_not_disturb_one_another(session: GraphSession) -> None:
    def weigh(weight: int) -> float:
        feeds = {"rows": np.ones((2, 3)), "scale": np.ones(()), "weights": np.full(2, weight)}
        return float(session.run(["weighted"], feeds)[0][0])

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(weigh, range(64))) == [2.0 * weight for weight in range(64)]
