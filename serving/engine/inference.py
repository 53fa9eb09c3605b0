"""A model as the Open Inference Protocol sees it: tensors in, tensors out, as its contract says."""

from collections.abc import Sequence
from typing import Any

from andon.serving.engine.contract import Contract, Judged, Output, Port
from andon.serving.engine.engine import Task
from andon.serving.engine.errors import RequestError
from andon.serving.engine.models import Model
from andon.serving.engine.tensors import BYTES, OutputHeader, Reply, Request, Tensor, decode_request, encode_reply

PLATFORM = "onnxruntime_onnx"


def metadata(model: Model) -> dict[str, Any]:
    """Describe the inputs and outputs of ``model``; -1 stands for any extent."""
    return {
        "name": model.name,
        "versions": [model.version],
        "platform": PLATFORM,
        "inputs": [_described(port) for port in model.contract.inputs],
        "outputs": [_described(output.port) for output in model.contract.outputs],
    }


def configuration(model: Model) -> dict[str, Any]:
    """Describe ``model`` as Triton's model configuration does, where a shape leaves out the batch."""
    return {
        "name": model.name,
        "platform": PLATFORM,
        "backend": "onnxruntime",
        "version_policy": {"latest": {"num_versions": 1}},
        "max_batch_size": model.contract.max_batch,
        "input": [_configured(port) | ({"optional": True} if port.optional else {}) for port in model.contract.inputs],
        "output": [_configured(output.port) for output in model.contract.outputs],
        "parameters": {"bundle_digest": {"string_value": model.digest}},
    }


def read_inference(model: Model, body: bytes, header_length: int | None) -> Task[Any, Reply]:
    """Read a request to ``model``: its items, and what encodes the answer as it asks for.

    Raises
    ------
    RequestError
        The request is not as the protocol or the model's metadata say.
    InputError
        An item cannot be used.
    """
    head = {"model_name": model.name, "model_version": model.version}
    return _task(model.contract, head, decode_request(body, header_length))


def _task(contract: Contract[Judged], head: dict[str, str], request: Request) -> Task[Judged, Reply]:
    wanted = _wanted(contract.outputs, request)
    _check_inputs(contract.inputs, request)
    batch = contract.read(request)
    named = head if request.header.id is None else {**head, "id": request.header.id}

    def encode(judged: Judged, _decode_ms: float) -> Reply:
        return encode_reply(
            named, [(Tensor(output.port.name, output.values(judged)), is_binary) for output, is_binary in wanted]
        )

    return Task(batch.count, batch.judge, encode, contract.verdicts)


def _wanted(outputs: Sequence[Output[Judged]], request: Request) -> Sequence[tuple[Output[Judged], bool]]:
    """List the outputs to give, each with whether it goes behind the JSON: those asked for, or all."""
    known = {output.port.name: output for output in outputs}
    asked = request.header.outputs or [OutputHeader(name) for name in known]
    names = [header.name for header in asked]
    for name in names:
        if name not in known or names.count(name) > 1:
            raise RequestError("serving.output", name, known=", ".join(known))
    return [(known[header.name], request.header.wants_binary(header)) for header in asked]


def _check_inputs(ports: Sequence[Port], request: Request) -> None:
    names = [each.name for each in request.header.inputs]
    needed = {port.name for port in ports if not port.optional}
    if len(set(names)) != len(names) or not needed <= set(names) <= {port.name for port in ports}:
        expected = ", ".join(port.name for port in ports)
        raise RequestError("serving.inputs", "inputs", found=", ".join(names) or "-", expected=expected)


def _described(port: Port) -> dict[str, Any]:
    return {"name": port.name, "datatype": port.datatype, "shape": [-1, *port.shape]}


def _configured(port: Port) -> dict[str, Any]:
    datatype = "TYPE_STRING" if port.datatype == BYTES else f"TYPE_{port.datatype}"
    return {"name": port.name, "data_type": datatype, "dims": list(port.shape) or [1]}
