"""Graphs as files: exported once, kept, and without traces of where they were made."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx

from andon.models.types.errors import ResourceError

OPSET = 18


def kept_graph(cache: Path, name: str, versions: Mapping[str, str], export: Callable[[], bytes]) -> bytes:
    """Return the graph ``name`` that ``cache`` holds for these versions of the libraries; export and keep it otherwise.

    Raises
    ------
    ResourceError
        The graph cannot be kept in ``cache``.
    """
    path = cache / f"{name}-{_fingerprint(versions)}.onnx"
    if path.is_file():
        return path.read_bytes()
    graph = export()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache) as scratch:
            staged = Path(scratch, path.name)
            staged.write_bytes(graph)
            staged.replace(path)
    except OSError as error:
        raise ResourceError("train.cache", str(path), reason=error.strerror or str(error)) from error
    return graph


def export_module(
    module: Any, example: Sequence[Any], inputs: Sequence[str], outputs: Sequence[str], dynamic_shapes: Any
) -> onnx.ModelProto:
    """Export a torch module, and drop what names source files or only describes shapes that onnxruntime infers by itself."""
    import torch

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(),
            tuple(example),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=dynamic_shapes,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    return _without_traces(program.model_proto)


def serialized(model: onnx.ModelProto) -> bytes:
    """Check ``model`` and return its bytes, the same for the same model."""
    onnx.checker.check_model(model)
    contents: bytes = model.SerializeToString(deterministic=True)
    return contents


def _fingerprint(versions: Mapping[str, str]) -> str:
    shaping = {**versions, "andon": version("andon")}
    return sha256(repr(sorted(shaping.items())).encode()).hexdigest()[:12]


def _without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    for described in (model, model.graph, *model.graph.node):
        described.ClearField("metadata_props")
        described.ClearField("doc_string")
    model.graph.ClearField("value_info")
    return model
