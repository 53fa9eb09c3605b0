"""The exported graph: the same bytes each time, no trace of the machine, and kept once it is made."""

import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from tests.training.conftest import SIDE, needs_training
from tests.training.traces import traces

pytestmark = needs_training


@pytest.fixture(scope="module")
def model(exported: bytes) -> onnx.ModelProto:
    return onnx.load_model_from_string(exported)


def test_exporting_again_in_another_process_gives_the_same_bytes(exported: bytes, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from andon.training.export.patchcore import export_patchcore; "
        f"Path(sys.argv[1]).write_bytes(export_patchcore({SIDE}, {SIDE}))"
    )
    again = tmp_path / "again.onnx"
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    subprocess.run(
        [sys.executable, "-c", program, str(again)], check=True, capture_output=True, cwd=tmp_path, env=environment
    )
    assert again.read_bytes() == exported


def test_the_graph_is_whole_and_names_no_file(model: onnx.ModelProto, exported: bytes) -> None:
    onnx.checker.check_model(model, full_check=True)
    assert traces(exported) == []
    assert [tensor.name for tensor in model.graph.initializer if tensor.external_data or tensor.data_location] == []


def test_the_graph_keeps_the_contract(model: onnx.ModelProto) -> None:
    (opset,) = (each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))
    assert opset >= 18
    assert [port.name for port in model.graph.input] == ["image", "bank"]
    assert [port.name for port in model.graph.output] == ["features", "distances"]
    shape = model.graph.input[0].type.tensor_type
    assert [each.dim_value for each in shape.shape.dim] == [1, SIDE, SIDE, 3]
    assert shape.elem_type == onnx.TensorProto.UINT8


def test_a_graph_that_is_kept_is_not_exported_again(
    graph_cache: Path, exported: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from andon.training.export import patchcore

    monkeypatch.setattr(patchcore, "export_patchcore", lambda *_: b"another")
    assert patchcore.patchcore_graph(SIDE, SIDE, graph_cache) == exported


def test_another_size_or_library_is_exported_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from andon.training.export import patchcore

    asked: list[tuple[int, int]] = []

    def export(height: int, width: int) -> bytes:
        asked.append((height, width))
        return b"graph"

    monkeypatch.setattr(patchcore, "export_patchcore", export)
    for height, width in ((64, 96), (96, 64), (64, 64), (64, 96)):
        assert patchcore.patchcore_graph(height, width, tmp_path / "new") == b"graph"
    monkeypatch.setattr(patchcore, "graph_versions", lambda: {"torch": "another"})
    patchcore.patchcore_graph(64, 96, tmp_path / "new")
    assert asked == [(64, 96), (96, 64), (64, 64), (64, 96)]
    assert len(list((tmp_path / "new").iterdir())) == 4, "nothing else is left there"


def test_a_cache_that_cannot_be_written_is_a_failure_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from andon.models.types.errors import ResourceError
    from andon.training.export import patchcore

    monkeypatch.setattr(patchcore, "export_patchcore", lambda *_: b"graph")
    (tmp_path / "home").touch()
    with pytest.raises(ResourceError, match="home"):
        patchcore.patchcore_graph(64, 64, tmp_path / "home" / "cache")
