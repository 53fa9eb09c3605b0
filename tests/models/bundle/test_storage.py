"""A bundle is whole, unchanged and plain, or it is refused; writing replaces it as a whole or not at all."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from andon.models.bundle import storage
from andon.models.bundle.bundle import MANIFEST, MODEL, Bundle, VisionBundle, encode_array, file_digests
from andon.models.bundle.manifest import BANK, Manifest
from andon.models.bundle.runtime import load_bundle
from andon.models.bundle.storage import read_bundle, write_bundle
from andon.models.types.errors import BundleError, OptionError, ResourceError

KILLS = 100 if os.environ.get("ANDON_SOAK") else 8


def with_files(bundle: VisionBundle, **changed: bytes) -> VisionBundle:
    """The same bundle with other contents, its manifest agreeing with them."""
    names = {"model": MODEL, "bank": BANK}
    files = {**bundle.files, **{names[key]: data for key, data in changed.items()}}
    return Bundle(replace(bundle.manifest, files=file_digests(files)), files)


def refusal(path: Path) -> BundleError:
    with pytest.raises(BundleError) as caught:
        load_bundle(path)
    return caught.value


@pytest.mark.parametrize("name", ["板 1", "boards.andon"])
def test_what_is_written_is_read_back(tiny_bundle: VisionBundle, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_bundle(tiny_bundle, path)
    found = read_bundle(path)
    assert found.manifest == tiny_bundle.manifest
    assert found.files == tiny_bundle.files
    assert found.digest == tiny_bundle.digest
    assert [each.name for each in tmp_path.iterdir()] == [name], "nothing else is left behind"


def test_equal_bundles_give_equal_zips(tiny_bundle: VisionBundle, tmp_path: Path) -> None:
    for name in ("a.andon", "b.andon"):
        write_bundle(tiny_bundle, tmp_path / name)
    assert (tmp_path / "a.andon").read_bytes() == (tmp_path / "b.andon").read_bytes()


@pytest.mark.parametrize("name", [MODEL, BANK, "goldens/00.png", "goldens/expected.json"])
def test_a_changed_byte_is_named(bundle_dir: Path, name: str) -> None:
    contents = bytearray((bundle_dir / name).read_bytes())
    contents[len(contents) // 2] ^= 1
    (bundle_dir / name).write_bytes(contents)
    error = refusal(bundle_dir)
    assert error.code == "bundle.changed_file"
    assert error.subject.endswith(name)


def test_a_changed_threshold_changes_the_digest(tiny_bundle: VisionBundle) -> None:
    point = replace(tiny_bundle.manifest.operating_point, threshold=1e9)
    assert Bundle(replace(tiny_bundle.manifest, operating_point=point), tiny_bundle.files).digest != tiny_bundle.digest


def extra_file(root: Path) -> None:
    (root / "run.py").write_text("print(1)")


def extra_golden(root: Path) -> None:
    (root / "goldens" / "99.png").write_bytes(b"")


def extra_folder(root: Path) -> None:
    (root / "notes").mkdir()


def missing_part(root: Path) -> None:
    (root / BANK).unlink()


def link_to_same(root: Path) -> None:
    moved = root.parent / "bank.npy"
    (root / BANK).rename(moved)
    (root / BANK).symlink_to(moved)


def linked_goldens(root: Path) -> None:
    (root / "goldens").rename(root.parent / "goldens")
    (root / "goldens").symlink_to(root.parent / "goldens")


def no_manifest(root: Path) -> None:
    (root / MANIFEST).unlink()


def newer_schema(root: Path) -> None:
    edit_manifest(root, schema_version=2)


def unknown_kind(root: Path) -> None:
    edit_manifest(root, kind="telepathy")


def unknown_method(root: Path) -> None:
    edit_manifest(root, method="telepathy")


def no_kind(root: Path) -> None:
    edit_manifest(root, kind=None)


def manifest_of_text(root: Path) -> None:
    (root / MANIFEST).write_text("{")


def wrong_type(root: Path) -> None:
    edit_manifest(root, seed="zero")


def edit_manifest(root: Path, **members: object) -> None:
    document = json.loads((root / MANIFEST).read_text())
    (root / MANIFEST).write_text(json.dumps({**document, **members}))


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (extra_file, "bundle.extra_file"),
        (extra_golden, "bundle.extra_file"),
        (extra_folder, "bundle.extra_file"),
        (missing_part, "bundle.missing_file"),
        (link_to_same, "bundle.link"),
        (linked_goldens, "bundle.link"),
        (no_manifest, "bundle.no_manifest"),
        (newer_schema, "bundle.newer_schema"),
        (unknown_kind, "bundle.kind"),
        (unknown_method, "bundle.kind"),
        (no_kind, "bundle.manifest"),
        (manifest_of_text, "bundle.manifest"),
        (wrong_type, "bundle.manifest"),
    ],
)
def test_what_is_not_a_plain_whole_bundle_is_refused(
    bundle_dir: Path, spoil: Callable[[Path], None], code: str
) -> None:
    spoil(bundle_dir)
    error = refusal(bundle_dir)
    assert error.code == code
    assert str(bundle_dir) in error.subject


def test_a_folder_or_file_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.andon").write_text("not a zip")
    assert refusal(tmp_path).code == "bundle.no_manifest"
    assert refusal(tmp_path / "absent").code == "bundle.no_manifest"
    assert refusal(tmp_path / "text.andon").code == "bundle.zip"


def outside_data(model: bytes) -> bytes:
    graph = onnx.load_model_from_string(model)
    tensor = next(each for each in graph.graph.initializer if each.name == "weights")
    external_data_helper.set_external_data(tensor, "weights.bin")
    tensor.ClearField("raw_data")
    serialized: bytes = graph.SerializeToString()
    return serialized


def outside_data_in_a_branch(model: bytes) -> bytes:
    """External data where a check of the graph's own initialisers would not look."""
    graph = onnx.load_model_from_string(model)
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "hidden")
    external_data_helper.set_external_data(tensor, "/etc/hostname")
    tensor.ClearField("raw_data")
    branch = helper.make_graph(
        [helper.make_node("Identity", ["hidden"], ["out"])],
        "branch",
        [],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [4])],
        [tensor],
    )
    node = helper.make_node("If", ["condition"], ["unused"], then_branch=branch, else_branch=branch)
    graph.graph.node.append(node)
    graph.graph.initializer.append(numpy_helper.from_array(np.array(True), "condition"))
    serialized: bytes = graph.SerializeToString()
    return serialized


@pytest.mark.parametrize("spoil", [outside_data, outside_data_in_a_branch])
def test_external_data_is_refused_before_the_graph_is_loaded(
    tiny_bundle: VisionBundle, tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    write_bundle(with_files(tiny_bundle, model=spoil(tiny_bundle.files[MODEL])), tmp_path / "b")
    assert refusal(tmp_path / "b").code == "bundle.external_data"


def test_a_graph_or_bank_that_cannot_be_used_is_refused(tiny_bundle: VisionBundle, tmp_path: Path) -> None:
    banks = {
        "bundle.bank": encode_array(np.zeros((16, 5), np.float32)),
        "bundle.array": b"\x80\x04pickle",
    }
    for code, bank in banks.items():
        write_bundle(with_files(tiny_bundle, bank=bank), tmp_path / code)
        assert refusal(tmp_path / code).code == code
    write_bundle(with_files(tiny_bundle, model=b"\xff" * 100), tmp_path / "graph")
    assert refusal(tmp_path / "graph").code == "bundle.graph"


def failing_when_run(model: bytes) -> bytes:
    """A graph that loads, but gathers beyond the bank's end."""
    graph = onnx.load_model_from_string(model)
    gather = next(node for node in graph.graph.node if node.op_type == "Gather")
    far = numpy_helper.from_array(np.full(64, 10**6), "far")
    graph.graph.initializer.append(far)
    gather.input[1] = "far"
    serialized: bytes = graph.SerializeToString()
    return serialized


def of_an_old_opset(model: bytes) -> bytes:
    graph = onnx.load_model_from_string(model)
    graph.opset_import[0].version = 17
    serialized: bytes = graph.SerializeToString()
    return serialized


def without_a_bank(model: bytes) -> bytes:
    graph = onnx.load_model_from_string(model)
    for node in graph.graph.node:
        node.input[:] = ["features" if name == "bank" else name for name in node.input]
    del graph.graph.input[1]
    serialized: bytes = graph.SerializeToString()
    return serialized


@pytest.mark.parametrize(
    ("spoil", "code"),
    [(failing_when_run, "bundle.graph"), (of_an_old_opset, "bundle.opset"), (without_a_bank, "graph.port")],
)
def test_a_graph_that_does_not_do_what_it_must_is_refused(
    tiny_bundle: VisionBundle, tmp_path: Path, spoil: Callable[[bytes], bytes], code: str
) -> None:
    write_bundle(with_files(tiny_bundle, model=spoil(tiny_bundle.files[MODEL])), tmp_path / "b")
    assert refusal(tmp_path / "b").code == code


def test_an_intensity_that_is_not_known_is_refused(bundle_dir: Path) -> None:
    document = json.loads((bundle_dir / MANIFEST).read_text())
    edit_manifest(bundle_dir, preprocessing={**document["preprocessing"], "intensity": "inverted"})
    assert refusal(bundle_dir).code == "bundle.manifest"


def test_a_bank_that_gives_other_scores_fails_parity(tiny_bundle: VisionBundle, tmp_path: Path) -> None:
    bank = encode_array(tiny_bundle.array(BANK, np.float32) + np.float32(0.5))
    write_bundle(with_files(tiny_bundle, bank=bank), tmp_path / "b")
    assert refusal(tmp_path / "b").code == "bundle.parity"


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/b", "goldens/../../x", "c:\\x"])
def test_a_zip_with_paths_is_refused(tiny_bundle: VisionBundle, tmp_path: Path, name: str) -> None:
    path = tmp_path / "b.andon"
    write_bundle(tiny_bundle, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"x")
    assert refusal(path).code == "bundle.extra_file"


def test_a_zip_that_unpacks_to_too_much_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "b.andon"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, bytes(2**22))
    monkeypatch.setattr(storage, "MAX_BYTES", 2**20)
    assert refusal(path).code == "bundle.too_large"


def test_a_truncated_zip_is_refused(tiny_bundle: VisionBundle, tmp_path: Path) -> None:
    path = tmp_path / "b.andon"
    write_bundle(tiny_bundle, path)
    path.write_bytes(path.read_bytes()[:-100])
    assert refusal(path).code == "bundle.zip"


@pytest.mark.parametrize("name", ["b", "b.andon"])
def test_a_full_disk_leaves_the_old_bundle_whole(
    tiny_bundle: VisionBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / name
    write_bundle(tiny_bundle, path)
    other = with_files(tiny_bundle, bank=encode_array(tiny_bundle.array(BANK, np.float32) * 2))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResourceError) as caught:
        write_bundle(other, path)
    assert "No space left" in str(caught.value)
    assert load_bundle(path).bundle.digest == tiny_bundle.digest
    assert [each.name for each in tmp_path.iterdir()] == [name]


@pytest.mark.skipif(sys.platform != "linux", reason="file size limits are set as Linux does")
def test_a_write_that_the_system_refuses_leaves_the_old_bundle_whole(bundle_dir: Path) -> None:
    script = f"""
import resource, signal
from pathlib import Path
from andon.models.bundle.storage import read_bundle, write_bundle
from andon.models.types.errors import ResourceError
bundle = read_bundle(Path({str(bundle_dir)!r}))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    write_bundle(bundle, Path({str(bundle_dir)!r}))
except ResourceError as error:
    print(error.code)
"""
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "bundle.not_written"
    load_bundle(bundle_dir)


@pytest.mark.soak
def test_killed_while_replacing_a_whole_bundle_is_there(tiny_bundle: VisionBundle, tmp_path: Path) -> None:
    path = tmp_path / "b"
    write_bundle(tiny_bundle, path)
    script = f"""
from pathlib import Path
from andon.models.bundle.storage import read_bundle, write_bundle
bundle = read_bundle(Path({str(path)!r}))
print("writing", flush=True)
while True:
    write_bundle(bundle, Path({str(path)!r}))
"""
    for kill in range(KILLS):
        writer = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        with writer.stdout as spoken:
            spoken.readline()
            time.sleep(0.013 * (kill % 17))
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        assert read_bundle(path).digest == tiny_bundle.digest


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_no_bundle_is_never_replaced(tiny_bundle: VisionBundle, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "precious"
    if kind == "file":
        path.write_text("mine")
    elif kind == "folder":
        path.mkdir()
        (path / "thesis.txt").write_text("mine")
    else:
        (tmp_path / "target").mkdir()
        path.symlink_to(tmp_path / "target")
    with pytest.raises(OptionError, match="not_replaceable"):
        write_bundle(tiny_bundle, path)
    assert path.exists()


def test_the_manifest_holds_neither_time_nor_place(tiny_bundle: VisionBundle) -> None:
    text = tiny_bundle.manifest.encode().decode()
    assert "/" not in text.replace("goldens/", "").replace("2.0", "")
    assert isinstance(tiny_bundle.manifest, Manifest)
    assert "run_id" not in text
