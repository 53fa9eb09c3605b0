"""Write the health graph: the same for every machine, since a machine's numbers are inputs. Needs no torch."""

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

OPSET = 18
_IR_VERSION = 10  # onnxruntime 1.18 and later read it


def health_graph() -> bytes:
    """Return the ONNX graph of ``andon.models.health.mahalanobis.distances``, for any number of rows and features.

    Everything is float64: a whitener holds 1 over the smallest standard deviation beside 1 over the largest, and at a
    condition of 1e6 the whitened differences cancel in float32 to an error of 1e-1 of the score. The product costs
    microseconds in either type. The same version of onnx gives the same bytes.
    """
    node, port = helper.make_node, helper.make_tensor_value_info
    nodes = [
        node("Sub", ["features", "mean"], ["centred"]),
        node("MatMul", ["centred", "whitener"], ["whitened"]),
        node("Mul", ["whitened", "whitened"], ["squares"]),
        node("ReduceSum", ["squares", "last_axis"], ["squared_score"], keepdims=0),
        node("Sqrt", ["squared_score"], ["score"]),
        node("Transpose", ["whitener"], ["transposed"], perm=[1, 0]),
        node("MatMul", ["whitened", "transposed"], ["weighted"]),
        node("Mul", ["centred", "weighted"], ["contributions"]),
    ]
    inputs = {"features": ["n", "d"], "mean": ["d"], "whitener": ["d", "d"]}
    outputs = {"score": ["n"], "contributions": ["n", "d"]}
    graph = helper.make_graph(
        nodes,
        "health",
        [port(name, TensorProto.DOUBLE, shape) for name, shape in inputs.items()],
        [port(name, TensorProto.DOUBLE, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.array([1]), "last_axis")],
    )
    model = helper.make_model(
        graph, producer_name="andon", opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION
    )
    checker.check_model(model, full_check=True)
    serialized: bytes = model.SerializeToString(deterministic=True)
    return serialized
