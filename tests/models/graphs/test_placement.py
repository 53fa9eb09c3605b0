"""What a graph runs on is handed to onnxruntime, and onnxruntime is asked what it made of it."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from tests.models.graphs.test_session import INPUTS, OUTPUTS, graph

from andon.models.graphs.placement import CPU_PROVIDER, ON_CPU, Placement, Provider, nodes_taken, open_session
from andon.models.graphs.session import GraphSession
from andon.models.types.errors import BundleError

MODEL = graph().SerializeToString()
HERE = sorted(os.sched_getaffinity(0))
PATIENCE_S = 10.0


def allowed_cores() -> list[str]:
    """The cores that each thread of this process may use, as the system lists them."""
    texts = [path.read_text() for path in Path("/proc/self/task").glob("*/status")]
    return [line.split()[1] for text in texts for line in text.splitlines() if line.startswith("Cpus_allowed_list")]


def test_where_nothing_is_said_it_is_one_thread_of_the_cpu() -> None:
    session = open_session(MODEL)
    assert Placement((Provider(CPU_PROVIDER),), threads=1, cores=()) == ON_CPU
    assert session.get_session_options().intra_op_num_threads == 1
    assert session.get_providers() == [CPU_PROVIDER]
    assert nodes_taken(session) == {CPU_PROVIDER: 1}


def test_threads_of_its_own_keep_to_the_cores() -> None:
    """The caller works too: of three threads two are onnxruntime's own, and each binds itself once it runs."""
    core = HERE[-1]
    before = allowed_cores().count(str(core))
    session = open_session(MODEL, Placement(threads=3, cores=(core,)))
    assert session.get_session_options().intra_op_num_threads == 3
    session.run(None, {"rows": np.ones((4, 3), np.float32), "scale": np.array(1.0), "weights": np.ones(4, np.float32)})
    deadline = time.monotonic() + PATIENCE_S
    while (bound := allowed_cores().count(str(core)) - before) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert bound == 2


@pytest.mark.parametrize(
    ("placement", "affinities"),
    [
        (Placement(threads=2, cores=(0,)), "1"),
        (Placement(threads=4, cores=(1, 3)), "2,4;2,4;2,4"),
        (Placement(threads=1, cores=(5,)), ""),
    ],
)
def test_cores_are_counted_from_one_for_each_thread_but_the_caller_s(placement: Placement, affinities: str) -> None:
    assert placement.affinities == affinities


def test_an_option_that_the_provider_does_not_take_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """onnxruntime would go on with the CPU and print so."""
    given: dict[str, Any] = {}

    def session(*_: object, **arguments: Any) -> None:
        given.update(arguments)

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    open_session(MODEL, Placement((Provider("CUDAExecutionProvider", {"device_id": "1"}), Provider(CPU_PROVIDER))))
    assert given["providers"] == [("CUDAExecutionProvider", {"device_id": "1"}), (CPU_PROVIDER, {})]
    assert given["enable_fallback"] == 0


def test_an_onnxruntime_that_cannot_say_who_takes_what_says_nothing() -> None:
    assert nodes_taken(object()) == {}


@pytest.mark.parametrize("name", ["EPFail", "EngineError", "Fail", "RuntimeException"])
def test_whatever_a_device_fails_with_is_an_error_of_the_bundle(name: str) -> None:
    def failing(_: bytes) -> Any:
        raise getattr(onnxruntime.capi.onnxruntime_pybind11_state, name)("no memory\non the device")

    with pytest.raises(BundleError, match=r"bundle\.graph.*no memory on the device"):
        GraphSession(MODEL, "model.onnx", INPUTS, OUTPUTS, failing)
