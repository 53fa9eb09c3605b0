"""Too many requests are refused at once, and what takes too long is ended."""

import asyncio
import threading
from collections.abc import Callable

import numpy as np
import pytest
from onnx import TensorProto, helper

from andon.models.graphs.session import GraphSession, Port
from andon.serving.engine.engine import Engine, Limits
from andon.serving.engine.errors import BusyError, DeadlineError


def endless() -> GraphSession:
    """A graph that counts to the largest number there is."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["condition"], ["again"]),
            helper.make_node("Add", ["x", "x"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("condition", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"]),
        ],
        [
            helper.make_tensor_value_info("again", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, ["n"]),
        ],
    )
    graph = helper.make_graph(
        [helper.make_node("Loop", ["most", "go", "input"], ["output"], body=body)],
        "endless",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n"])],
        [
            helper.make_tensor("most", TensorProto.INT64, [], [2**62]),
            helper.make_tensor("go", TensorProto.BOOL, [], [True]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    port = Port("input", "float32", ("n",)), Port("output", "float32", ("n",))
    return GraphSession(model.SerializeToString(), "endless", port[:1], port[1:])


def run(engine: Engine, *work: Callable[[], object]) -> list[object]:
    async def all_of_it() -> list[object]:
        return await asyncio.gather(*(engine.call(each) for each in work), return_exceptions=True)

    return asyncio.run(all_of_it())


def test_a_graph_that_never_ends_is_ended() -> None:
    graph = endless()
    engine = Engine(1, lambda *_: None, Limits(deadline_s=0.3))
    (found,) = run(engine, lambda: graph.run(["output"], {"input": np.zeros(4)}))
    assert isinstance(found, DeadlineError)
    assert run(engine, lambda: "next") == ["next"]
    engine.close()


def test_what_waited_too_long_is_not_begun() -> None:
    going, begun = threading.Event(), list[str]()
    engine = Engine(1, lambda *_: None, Limits(deadline_s=0.1))

    async def scenario() -> tuple[object, object]:
        both = asyncio.gather(
            engine.call(going.wait), engine.call(lambda: begun.append("late")), return_exceptions=True
        )
        await asyncio.sleep(0.3)
        going.set()
        return await both

    first, late = asyncio.run(scenario())
    assert (first, type(late), begun) == (True, DeadlineError, [])
    engine.close()


def test_more_than_may_wait_are_refused_and_the_others_answered() -> None:
    going = threading.Event()
    engine = Engine(1, lambda *_: None, Limits(waiting=3))

    async def scenario() -> list[object]:
        accepted = [asyncio.ensure_future(engine.call(going.wait)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await engine.call(lambda: True)
        going.set()
        answered = await asyncio.gather(*accepted)
        return [*answered, await engine.call(lambda: "again")]

    assert asyncio.run(scenario()) == [True, True, True, "again"]
    engine.close()
