"""``andon inspect``, ``teach``, ``evaluate``, ``data`` and ``bundle`` as a script or a person calls them."""

import csv
import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.conftest import Andon, plate, write_plates

from andon.datasets.vision import elpv
from andon.models.bundle.runtime import load_bundle, load_inspector
from andon.models.bundle.storage import read_bundle
from andon.models.vision.overlays import encode_png

FIELDS = ["path", "verdict", "score", "threshold", "reason", "defects", "milliseconds"]
STAGES = ["decode", "gates", "score", "total"]
MEASURED = ("auroc", "ap", "accuracy", "overkill", "escape")
PLAIN = ("pixel_auroc", "aupro", "map", "n_good", "n_bad", "p50_ms", "p99_ms", "baseline_brightness_auroc")
SCRIPT = Path(sysconfig.get_path("scripts"), "andon")


def encoded(image: Image.Image, kind: str) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def grey_plate(seed: int) -> Image.Image:
    return Image.fromarray(plate(seed)[..., 0])


def write_all(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, contents in files.items():
        (folder / name).write_bytes(contents)
    return folder


def bad_files() -> dict[str, bytes]:
    jpeg = encoded(Image.fromarray(plate(0)), "JPEG")
    return {
        "empty.png": b"",
        "cut off.jpg": jpeg[: len(jpeg) // 2],
        "text.png": b"not an image",
        "one pixel.png": encoded(Image.new("RGB", (1, 1)), "PNG"),
        "float.tiff": encoded(Image.fromarray(np.zeros((32, 32), np.float32)), "TIFF"),
    }


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A good plate and one with a blot, stretched to 192 x 128; the blot covers x 63 to 99 and y 64 to 88."""
    good, bad = (plate(3, defective).repeat(2, axis=0).repeat(3, axis=1) for defective in (False, True))
    return write_all(tmp_path / "photos", {"b good.png": encode_png(good), "a 板.png": encode_png(bad)})


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Good and bad plates in the plain layout."""
    root = tmp_path / "labelled"
    write_plates(root / "good", 8, first=20)
    write_plates(root / "bad", 3, defective=True, first=40)
    return root


def test_an_inspection_has_the_fixed_fields(andon: Andon, bundle_dir: Path, photos: Path) -> None:
    said = andon("inspect", bundle_dir, photos, "--json")
    assert (said.code, said.err) == (0, "")
    bad, good = said.documents
    assert (bad["path"], good["path"]) == (str(photos / "a 板.png"), str(photos / "b good.png")), "sorted"
    assert (bad["verdict"], good["verdict"]) == ("NG", "OK")
    assert good["defects"] == []
    for document in (bad, good):
        assert list(document) == FIELDS
        assert list(document["milliseconds"]) == STAGES
        assert (document["score"] > document["threshold"]) is (document["verdict"] == "NG")
        assert document["reason"] is None
    for defect in bad["defects"]:
        assert list(defect) == ["bbox", "score", "area_px", "class"]
        x1, y1, x2, y2 = defect["bbox"]
        assert 0 <= x1 < x2 <= 192
        assert 0 <= y1 < y2 <= 128
        assert 0 < defect["area_px"] <= (x2 - x1) * (y2 - y1)
        assert defect["score"] > bad["threshold"]


def test_the_worst_box_lies_on_the_defect(andon: Andon, bundle_dir: Path, photos: Path) -> None:
    (document,) = andon("inspect", bundle_dir, photos / "a 板.png", "--json").documents
    x1, y1, x2, y2 = document["defects"][0]["bbox"]
    assert x1 <= 81 < x2
    assert y1 <= 76 < y2


def test_a_person_reads_a_line_an_image(andon: Andon, bundle_dir: Path, photos: Path) -> None:
    said = andon("inspect", bundle_dir, photos)
    first, second = said.out.splitlines()
    assert first.startswith("NG ")
    assert "a 板.png" in first
    assert second.startswith("OK ")


def test_bad_files_are_reported_and_the_rest_goes_on(andon: Andon, bundle_dir: Path, tmp_path: Path) -> None:
    grey = grey_plate(3)
    alike = {
        "8 bit.png": encoded(grey, "PNG"),
        "16 bit.png": encoded(Image.fromarray(np.asarray(grey).astype(np.uint16) << 8), "PNG"),
        "colour.png": encoded(grey.convert("RGB"), "PNG"),
        "transparent.png": encoded(grey.convert("RGBA"), "PNG"),
    }
    other = {
        "print.jpg": encoded(grey.convert("CMYK"), "JPEG"),
        "板 一.jpeg": encoded(grey.resize((320, 40)), "JPEG"),
        "small.BMP": encoded(grey.resize((16, 16)), "BMP"),
    }
    folder = write_all(tmp_path / "所有 images", {**bad_files(), **alike, **other})
    said = andon("inspect", bundle_dir, folder, "--json")
    assert (said.code, said.err) == (2, "")
    documents = {Path(document["path"]).name: document for document in said.documents}
    assert list(documents) == sorted([*bad_files(), *alike, *other])
    for name in bad_files():
        assert list(documents[name]) == ["path", "error"]
        assert documents[name]["error"].startswith(f"{folder / name}: ")
        assert "\n" not in documents[name]["error"]
    for name in other:
        assert list(documents[name]) == FIELDS
    assert len({documents[name]["score"] for name in alike}) == 1, "the same picture in other files"


def test_a_person_hears_of_bad_files_on_standard_error(andon: Andon, bundle_dir: Path, photos: Path) -> None:
    said = andon("inspect", bundle_dir, photos / "gone.png", photos)
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert "gone.png" in said.err
    assert len(said.out.splitlines()) == 2


def test_on_request_a_part_that_is_not_ok_fails(andon: Andon, bundle_dir: Path, photos: Path) -> None:
    Image.new("RGB", (64, 64), "white").save(photos / "c white.png")
    good, bad, white = photos / "b good.png", photos / "a 板.png", photos / "c white.png"
    assert andon("inspect", bundle_dir, white, "--json").documents[0]["verdict"] == "RETAKE"
    assert [andon("inspect", bundle_dir, each, "--fail-on-ng").code for each in (good, bad, white)] == [0, 1, 1]
    assert andon("inspect", bundle_dir, bad, white).code == 0
    assert andon("inspect", bundle_dir, bad, "gone.png", "--fail-on-ng").code == 2


def test_each_image_gets_its_overlay(andon: Andon, bundle_dir: Path, tmp_path: Path) -> None:
    one, two = encode_png(plate(1)), encoded(Image.fromarray(plate(2)), "JPEG")
    first = write_all(tmp_path / "first", {"a.png": one, "a.jpg": two})
    second = write_all(tmp_path / "second", {"a.png": one, "empty.png": b""})
    assert andon("inspect", bundle_dir, first, second, second / "a.png", "--heatmaps", "new/maps").code == 2
    overlays = sorted(Path("new/maps").iterdir())
    assert len(overlays) == 4
    for path in overlays:
        with Image.open(path) as picture:
            assert picture.format == "PNG"
            assert picture.width > picture.height


def test_overlays_that_cannot_be_written_are_a_failure_of_the_disk(
    andon: Andon, bundle_dir: Path, photos: Path
) -> None:
    Path("taken").touch()
    said = andon("inspect", bundle_dir, photos, "--heatmaps", "taken")
    assert said.code == 3
    assert "taken" in said.err


def test_the_service_answers_with_the_same_score(
    andon: Andon, bundle_dir: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    pytest.importorskip("fastapi", reason="the extra serve is not installed")
    pytest.importorskip("httpx", reason="the extra dev is not installed")
    from tests.serving.clients import at_this_machine

    from andon.datasets.store.opening import StoreOptions, open_store
    from andon.serving.api.app import create_app
    from andon.serving.engine.repository import ModelRepository

    said = andon("inspect", bundle_dir, photos, "--json")
    store = open_store(tmp_path_factory.mktemp("home"), StoreOptions("test"))
    with at_this_machine(create_app(ModelRepository(bundle_dir.parent), store)) as client:
        for document in said.documents:
            reply = client.post("/api/v1/inspections", content=Path(document["path"]).read_bytes()).json()
            assert {name: reply[name] for name in ("verdict", "score", "threshold", "reason", "defects")} == {
                name: document[name] for name in ("verdict", "score", "threshold", "reason", "defects")
            }


def test_a_damaged_bundle_fails_verification_and_is_bad_input_elsewhere(
    andon: Andon, bundle_dir: Path, photos: Path
) -> None:
    assert andon("bundle", "verify", bundle_dir).code == 0
    bank = bytearray((bundle_dir / "bank.npy").read_bytes())
    bank[-1] ^= 1
    (bundle_dir / "bank.npy").write_bytes(bank)
    verified = andon("bundle", "verify", bundle_dir, "--json")
    assert verified.code == 1
    assert (verified.documents[0]["verified"], verified.err.count("\n")) == (False, 1)
    for words in (["inspect", bundle_dir, photos], ["bundle", "show", bundle_dir]):
        said = andon(*words)
        assert said.code == 2
        assert "bank.npy" in said.complaint


def test_a_bundle_is_shown(andon: Andon, bundle_dir: Path) -> None:
    (shown,) = andon("bundle", "show", bundle_dir, "--json").documents
    assert shown["digest"] == read_bundle(bundle_dir).digest
    assert shown["manifest"]["operating_point"]["n_good"] == 12
    assert json.loads(andon("bundle", "show", bundle_dir).out) == shown


@pytest.mark.parametrize("out", ["taught", "taught.andon"])
def test_what_is_taught_is_a_bundle_that_inspects(
    andon: Andon, bundle_dir: Path, photos: Path, tmp_path: Path, out: str
) -> None:
    good = write_plates(tmp_path / "good 好", 8)
    said = andon("teach", bundle_dir, "--good", good, "--out", out, "--overkill", "0.3", "--seed", "5", "--json")
    assert (said.code, said.err) == (0, "")
    (document,) = said.documents
    manifest = load_inspector(Path(out)).bundle.manifest
    assert document["digest"] == read_bundle(Path(out)).digest
    assert (manifest.seed, manifest.operating_point.overkill_budget, document["left_out"]) == (5, 0.3, 0)
    assert andon("bundle", "verify", out).code == 0
    inspected = andon("inspect", out, photos, "--json").documents
    assert [each["verdict"] for each in inspected] == ["NG", "OK"]
    assert inspected[0]["threshold"] == document["operating_point"]["threshold"]


def test_broken_images_are_left_out_of_what_is_taught(andon: Andon, bundle_dir: Path, tmp_path: Path) -> None:
    good = write_plates(tmp_path / "good", 8)
    for name, contents in bad_files().items():
        (good / name).write_bytes(contents)
    said = andon("teach", bundle_dir, "--good", good, "--out", "taught", "--json")
    assert said.code == 2
    *errors, document = said.documents
    assert {Path(each["path"]).name for each in errors} == bad_files().keys()
    assert (document["left_out"], document["operating_point"]["n_good"]) == (5, 8)
    assert load_bundle(Path("taught"))


def test_broken_images_are_named_where_too_few_are_left(andon: Andon, bundle_dir: Path, tmp_path: Path) -> None:
    good = write_plates(tmp_path / "good", 3)
    for name, contents in bad_files().items():
        (good / name).write_bytes(contents)
    said = andon("teach", bundle_dir, "--good", good, "--out", "taught", "--json")
    assert said.code == 2
    assert {Path(each["path"]).name for each in said.documents} == bad_files().keys()
    assert "3 different" in said.err


def one_image(folder: Path) -> None:
    write_plates(folder, 1)


def ten_identical(folder: Path) -> None:
    write_all(folder, {f"{number}.png": encode_png(plate(0)) for number in range(10)})


def empty(folder: Path) -> None:
    folder.mkdir()


def absent(folder: Path) -> None:
    assert not folder.exists()


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (one_image, ["1 different", "at least 5"]),
        (ten_identical, ["1 different", "10 image(s)", "at least 5"]),
        (empty, ["good", "no good image", ".png"]),
        (absent, ["good", "no such folder"]),
    ],
)
def test_too_little_to_teach_is_refused(
    andon: Andon, bundle_dir: Path, tmp_path: Path, make: Callable[[Path], None], named: list[str]
) -> None:
    make(tmp_path / "good")
    said = andon("teach", bundle_dir, "--good", tmp_path / "good", "--out", "taught")
    assert said.code == 2
    for part in named:
        assert part in said.complaint
    assert not Path("taught").exists()


@pytest.mark.parametrize("out", ["notes", "notes/todo.txt"])
def test_an_out_that_holds_something_else_is_left_alone(
    andon: Andon, bundle_dir: Path, tmp_path: Path, out: str
) -> None:
    Path("notes").mkdir()
    Path("notes/todo.txt").write_text("milk")
    said = andon("teach", bundle_dir, "--good", write_plates(tmp_path / "good", 8), "--out", out)
    assert said.code == 2
    assert f"{out}: " in said.complaint
    assert Path("notes/todo.txt").read_text() == "milk"


def test_an_evaluation_has_the_fixed_fields(andon: Andon, bundle_dir: Path, labelled: Path) -> None:
    said = andon("evaluate", bundle_dir, "--data", labelled, "--json")
    assert (said.code, said.err) == (0, "")
    (document,) = said.documents
    assert {*MEASURED, *(f"{name}_95" for name in MEASURED), *PLAIN} <= document.keys()
    assert (document["auroc"], document["escape"], document["n_bad"]) == (1.0, 0.0, 3)
    assert document["n_good"] == 2, "a quarter of eight"
    assert document["pixel_auroc"] is document["aupro"] is document["map"] is None, "there are no masks"
    for name in MEASURED:
        low, high = document[f"{name}_95"]
        assert 0 <= low <= document[name] <= high <= 1
    assert 0 < document["p50_ms"] <= document["p99_ms"]


def test_masks_allow_pixel_figures_and_missing_bad_parts_none(andon: Andon, bundle_dir: Path, tmp_path: Path) -> None:
    root = tmp_path / "masked"
    write_plates(root / "train/good", 1)
    write_plates(root / "test/good", 2, first=20)
    (only_good,) = andon("evaluate", bundle_dir, "--data", root, "--json").documents
    assert only_good["auroc"] is only_good["escape"] is only_good["baseline_brightness_auroc"] is None
    write_plates(root / "test/blot", 2, defective=True, first=40)
    mask = np.zeros((64, 64), np.uint8)
    mask[32:44, 21:33] = 255
    masks = {f"{number}_mask.png": encoded(Image.fromarray(mask), "PNG") for number in (40, 41)}
    write_all(root / "ground_truth/blot", masks)
    (document,) = andon("evaluate", bundle_dir, "--data", root, "--json").documents
    assert document["pixel_auroc"] > 0.9
    assert document["aupro"] > 0.5


def test_predictions_are_a_table_of_boxes(andon: Andon, bundle_dir: Path, labelled: Path) -> None:
    assert andon("evaluate", bundle_dir, "--data", labelled, "--predictions", "new/p.csv").code == 0
    header, *rows = csv.reader(Path("new/p.csv").read_text().splitlines())
    assert header == ["image", "x1", "y1", "x2", "y2", "class", "score"]
    assert {"40", "41", "42"} <= {row[0] for row in rows}
    for _, x1, y1, x2, y2, label, score in rows:
        assert 0 <= int(x1) < int(x2) <= 64
        assert 0 <= int(y1) < int(y2) <= 64
        assert (label, float(score) > 0) == ("anomaly", True)


def test_an_evaluation_goes_on_after_a_broken_image(andon: Andon, bundle_dir: Path, labelled: Path) -> None:
    (labelled / "bad/broken.png").write_bytes(b"")
    said = andon("evaluate", bundle_dir, "--data", labelled, "--json")
    assert said.code == 2
    error, document = said.documents
    assert error["path"].endswith("broken.png")
    assert document["n_bad"] == 3


def test_data_sets_are_listed(andon: Andon) -> None:
    documents = andon("data", "list", "--json").documents
    assert [each["name"] for each in documents] == [
        "elpv:mono",
        "elpv:poly",
        "mfpt",
        "synthetic:bearing",
        "synthetic:pcb",
    ]
    for each in documents:
        assert {"source", "licence", "grade", "available", "how_to_get"} <= each.keys()
    assert andon("data", "list").out.count("\n") == 5


def test_fetched_sets_are_kept_in_the_home(andon: Andon, tmp_path: Path) -> None:
    assert "andon data fetch mfpt" in andon("data", "show", "mfpt").complaint
    folder = tmp_path / "home/data/mfpt"
    folder.mkdir(parents=True)
    (folder / "baseline_1.csv").write_text("1\n")
    (card,) = andon("data", "show", "mfpt", "--json").documents
    assert (card["licence"], card["non_commercial"], card["counts"]) == ("CC BY-NC-SA 4.0", True, {"test/": 1})
    listed = {each["name"]: each["available"] for each in andon("data", "list", "--json").documents}
    assert listed["mfpt"]


def test_a_folder_is_shown_with_its_counts(andon: Andon, labelled: Path) -> None:
    (card,) = andon("data", "show", labelled, "--json").documents
    assert card["counts"] == {"test/bad": 3, "test/good": 2, "train/good": 6}
    assert len(card["checksum"]) == 64
    assert json.loads(andon("data", "show", labelled).out) == card


def test_what_is_generated_has_no_path(andon: Andon) -> None:
    said = andon("data", "fetch", "synthetic:pcb", "--json")
    assert (said.code, said.documents) == (0, [{"name": "synthetic:pcb", "path": None}])
    assert "nothing to fetch" in andon("data", "fetch", "synthetic:pcb").out


def test_a_set_that_is_not_installed_names_its_extra(andon: Andon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elpv, "PACKAGE", "a_package_that_is_not_there")
    said = andon("data", "fetch", "elpv:mono")
    assert said.code == 2
    assert "pip install 'andon[demo]'" in said.complaint
    assert andon("data", "list", "--json").documents[0]["available"] is False


@pytest.mark.skipif(find_spec(elpv.PACKAGE) is None, reason="the extra demo is not installed")
def test_a_set_that_is_installed_is_fetched_to_where_it_is(andon: Andon) -> None:
    (fetched,) = andon("data", "fetch", "elpv:mono", "--json").documents
    assert Path(fetched["path"], "labels.csv").is_file()


@pytest.mark.skipif(not SCRIPT.is_file(), reason="andon is not installed as a script here")
@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_the_installed_script_speaks_utf_8_and_leaves_with_the_code(
    bundle_dir: Path, photos: Path, language: str
) -> None:
    (photos / "空.png").touch()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "ANDON_"))}
    said = subprocess.run(
        [SCRIPT, "inspect", bundle_dir, photos, "--json"],
        check=False,
        capture_output=True,
        env={**environment, "LC_ALL": "C", "ANDON_LANG": language},
    )
    assert (said.returncode, said.stderr) == (2, b"")
    lines = said.stdout.decode("utf-8").splitlines()
    assert [Path(json.loads(line)["path"]).name for line in lines] == ["a 板.png", "b good.png", "空.png"]
    assert ("文件为空" in lines[2]) is (language == "zh_CN")


@pytest.mark.skipif(not SCRIPT.is_file(), reason="andon is not installed as a script here")
def test_the_installed_script_answers_for_a_part_that_is_not_good(bundle_dir: Path, photos: Path) -> None:
    shutil.copytree(bundle_dir, photos.parent / "板 bundle")
    said = subprocess.run(
        [SCRIPT, "inspect", "板 bundle", "photos", "--fail-on-ng"],
        check=False,
        capture_output=True,
        cwd=photos.parent,
        env={**os.environ, "ANDON_LANG": "en"},
        text=True,
        encoding="utf-8",
    )
    assert (said.returncode, said.stderr) == (1, "")
    assert said.stdout.startswith("NG ")


def test_a_folder_without_an_image_is_refused(andon: Andon, bundle_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "照 片").mkdir()
    said = andon("inspect", bundle_dir, tmp_path / "照 片", "--json")
    assert (said.code, said.out) == (2, "")
    assert "照 片" in said.err
