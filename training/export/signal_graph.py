"""Export the signal graph once per length, and keep it."""

from pathlib import Path

from onnx import helper

from andon.models.bundle.teaching import installed_versions
from andon.models.vibration.signal_graph import INDICATORS, INPUTS, NOTE, OUTPUTS, check_points
from andon.training.export.files import export_module, kept_graph, serialized

GRAPH_LIBRARIES = ("torch", "onnxscript", "onnx")
_EXAMPLE_BATCH = 2
"""Any batch but one: torch takes a batch of one for the only batch there is."""


def signal_graph(points: int, cache: Path) -> bytes:
    """Return the ONNX graph for signals of ``points`` samples, exporting it unless ``cache`` holds it.

    The same versions of the libraries give the same bytes.

    Parameters
    ----------
    points
        A power of two, at least 64: 4,096 for indicators, 16,384 for spectra of a second or so.
    cache
        A folder; made where absent.

    Raises
    ------
    OptionError
        ``points`` is no such power of two.
    ResourceError
        The graph cannot be kept in ``cache``.
    """
    check_points(points)
    return kept_graph(cache, f"signal-{points}", graph_versions(), lambda: export_signal(points))


def graph_versions() -> dict[str, str]:
    """Versions of the libraries that shape the graph."""
    return installed_versions(GRAPH_LIBRARIES)


def export_signal(points: int) -> bytes:
    """Export the graph: one file, any batch, without source paths or other traces of where it was made."""
    check_points(points)
    import torch

    from andon.models.nets.vibration import VibrationSignal

    example = (
        torch.zeros((_EXAMPLE_BATCH, points)),
        torch.tensor(1.0, dtype=torch.float64),
        torch.zeros(_EXAMPLE_BATCH, dtype=torch.float64),
    )
    batch = torch.export.Dim("batch", min=1)
    inputs, outputs = ([port.name for port in ports] for ports in (INPUTS, OUTPUTS))
    model = export_module(VibrationSignal(points), example, inputs, outputs, ({0: batch}, {}, {0: batch}))
    helper.set_model_props(model, {NOTE: ",".join(INDICATORS)})
    return serialized(model)
