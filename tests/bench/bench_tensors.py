"""What a frame costs by the Open Inference Protocol, as raw bytes and as JSON: processor time beyond the inspection itself.

Run ``python -m tests.bench.bench_tensors``. The model is the tests' own, on a tiny graph: what it costs is taken off.
"""

import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
from tests.bench.asking import asking, cpu_ms, serving
from tests.bench.figures import print_figure
from tests.conftest import plate, taught

from andon.datasets.store.opening import StoreOptions, open_store
from andon.models.bundle.storage import write_bundle
from andon.models.types.vision import Frame
from andon.serving.api.app import create_app
from andon.serving.engine.inference import read_inference
from andon.serving.engine.models import Model
from andon.serving.engine.repository import ModelRepository

SIDE = 224
ROUNDS, REQUESTS = 40, 10
BOUND = 10

CLIENT = """
import http.client, sys
port, header_length, count = sys.argv[1:]
body = sys.stdin.buffer.read(int(sys.stdin.buffer.readline()))
headers = {"Inference-Header-Content-Length": header_length} if header_length != "-" else {}
connection = http.client.HTTPConnection("127.0.0.1", int(port))
for _ in sys.stdin.buffer:
    for _ in range(int(count)):
        connection.request("POST", "/v2/models/m/infer", body, headers)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        response.read()
    print(flush=True)
"""
"""Sends as many requests as it is told for every line it reads; a process of its own, whose time does not count."""

Request = tuple[bytes, int | None]
"""A body, and how many bytes of it are JSON where tensors follow."""


def main() -> None:
    """Print one JSON object a figure."""
    frames = plate(3, side=SIDE)[None]
    requests = {"binary": _binary(frames), "JSON": _json(frames)}
    with tempfile.TemporaryDirectory() as scratch:
        write_bundle(taught(), Path(scratch, "bundles", "m"))
        repository = ModelRepository(Path(scratch, "bundles"))
        with _serving(repository, Path(scratch)) as port:
            model = repository.model("m")
            _report(
                "reading and answering in process", {name: _own_ms(model, *each) for name, each in requests.items()}
            )
            _report("served, beyond the inspection", _served_ms(model, port, requests))


def _report(what: str, cpu_ms: Mapping[str, float]) -> None:
    print_figure(
        f"a {SIDE}x{SIDE} frame by the Open Inference Protocol, {what}: CPU of JSON over binary",
        value=round(cpu_ms["JSON"] / cpu_ms["binary"], 1),
        bound=BOUND,
        at_least=True,
        **{f"{name.lower()}_cpu_ms": round(value, 3) for name, value in cpu_ms.items()},
    )


def _own_ms(model: Model, body: bytes, header_length: int | None) -> float:
    """Milliseconds of processor time to read a request and to encode its answer."""
    judged = read_inference(model, body, header_length).judge()

    def work() -> None:
        for _ in range(REQUESTS):
            read_inference(model, body, header_length).encode(judged, 0.0)

    return median(cpu_ms(work, REQUESTS) for _ in range(ROUNDS))


def _served_ms(model: Model, port: int, requests: Mapping[str, Request]) -> dict[str, float]:
    """Milliseconds of processor time a request, less those of the inspection; in turns, as others use the machine too."""
    task = read_inference(model, *requests["binary"])

    def judge() -> None:
        for _ in range(REQUESTS):
            task.judge()

    beyond: dict[str, list[float]] = {name: [] for name in requests}
    for name, request in requests.items():
        with asking(CLIENT, _words(port, request), request[0]) as post, ThreadPoolExecutor(1) as thread:
            for _ in range(ROUNDS + 1):
                own_ms = cpu_ms(lambda: thread.submit(judge).result(), REQUESTS)
                beyond[name].append(cpu_ms(post, REQUESTS) - own_ms)
    return {name: median(values[1:]) for name, values in beyond.items()}


def _binary(frames: Frame) -> Request:
    header = _header(frames, {"parameters": {"binary_data_size": frames.nbytes}}, binary=True)
    return header + frames.tobytes(), len(header)


def _json(frames: Frame) -> Request:
    return _header(frames, {"data": frames.ravel().tolist()}, binary=False), None


def _header(frames: Frame, data: Mapping[str, Any], binary: bool) -> bytes:
    tensor = {"name": "image", "datatype": "UINT8", "shape": frames.shape, **data}
    outputs = [{"name": name} for name in ("score", "verdict")]
    parameters = {"binary_data_output": binary}
    return msgspec.json.encode({"inputs": [tensor], "outputs": outputs, "parameters": parameters})


def _words(port: int, request: Request) -> list[str]:
    _, header_length = request
    return [str(port), "-" if header_length is None else str(header_length), str(REQUESTS)]


@contextmanager
def _serving(repository: ModelRepository, home: Path) -> Iterator[int]:
    store = open_store(home, StoreOptions(origin="bench"))
    with store.database, serving(create_app(repository, store)) as port:
        yield port


if __name__ == "__main__":
    main()
