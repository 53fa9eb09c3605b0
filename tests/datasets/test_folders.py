from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from andon.datasets.vision.folders import image_paths, open_folder, open_good_folder
from andon.models.types.errors import DataError, ImageError
from andon.models.types.vision import ImageSample, Split

SIZE = (24, 32)


def save(path: Path, pixels: NDArray[np.uint8] | int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    even = np.full((*SIZE, 3), pixels if isinstance(pixels, int) else 0, dtype=np.uint8)
    Image.fromarray(even if isinstance(pixels, int) else pixels).save(path)
    return path


def save_mask(path: Path, size: tuple[int, int] = SIZE) -> Path:
    mask = np.zeros(size, dtype=np.uint8)
    mask[4:8, 10:20] = 255
    mask[0, 0] = 127
    return save(path, mask)


def names(root: Path, split: Split, seed: int = 0) -> list[str]:
    return [sample.name for sample in open_folder(root, seed).samples(split)]


def sample_of(root: Path, name: str) -> ImageSample:
    return next(sample for sample in open_folder(root).samples(Split.TEST) if sample.name == name)


@pytest.fixture
def mvtec(tmp_path: Path) -> Path:
    for name in ("train/good/001.png", "train/good/000.png", "test/good/000.png", "test/划痕 large/a b.png"):
        save(tmp_path / name)
    save(tmp_path / "test/dent/000.JPG")
    save_mask(tmp_path / "ground_truth/划痕 large/a b_mask.png")
    return tmp_path


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    for number in range(40):
        save(tmp_path / f"good/{number:03d}.png", number)
    for number in range(4):
        save(tmp_path / f"bad/{number:03d}.png", 200 + number)
    return tmp_path


def test_images_are_found_by_suffix_below_the_folder_and_sorted(tmp_path: Path) -> None:
    wanted = [save(tmp_path / name) for name in ("a 板.PNG", "b.jpeg", "c/d.TIF", "e.bmp", "f.webp")]
    save(tmp_path / ".hidden.png")
    save(tmp_path / ".cache/x.png")
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to(wanted[0])
    (tmp_path / "linked").symlink_to(tmp_path / "c")
    assert image_paths(tmp_path) == wanted


def test_the_mvtec_layout_keeps_its_split(mvtec: Path) -> None:
    assert names(mvtec, Split.TRAIN) == ["train/good/000.png", "train/good/001.png"]
    assert names(mvtec, Split.CALIBRATION) == []
    assert names(mvtec, Split.TEST) == ["test/dent/000.JPG", "test/good/000.png", "test/划痕 large/a b.png"]
    labels = [sample.label for sample in open_folder(mvtec).samples(Split.TEST)]
    assert labels == ["dent", "good", "划痕 large"]


def test_masks_are_read_where_the_set_has_them(mvtec: Path) -> None:
    defect, good = sample_of(mvtec, "test/划痕 large/a b.png"), sample_of(mvtec, "test/good/000.png")
    assert defect.mask is not None
    assert good.mask is not None
    expected = np.zeros(SIZE, dtype=bool)
    expected[4:8, 10:20] = True
    assert np.array_equal(defect.mask(), expected)
    assert good.mask().shape == SIZE
    assert not good.mask().any()
    assert sample_of(mvtec, "test/dent/000.JPG").mask is None


def test_a_mask_of_another_size_is_refused(mvtec: Path) -> None:
    save_mask(mvtec / "ground_truth/dent/000_mask.png", (24, 33))
    mask = sample_of(mvtec, "test/dent/000.JPG").mask
    assert mask is not None
    with pytest.raises(ImageError) as caught:
        mask()
    assert caught.value.subject.endswith("000_mask.png")
    assert (caught.value.params["found"], caught.value.params["expected"]) == ("33x24", "32x24")


def test_good_images_alone_are_enough(tmp_path: Path) -> None:
    save(tmp_path / "mvtec/train/good/1.png")
    save(tmp_path / "plain/good/1.png")
    assert names(tmp_path / "mvtec", Split.TRAIN) == ["train/good/1.png"]
    assert names(tmp_path / "plain", Split.TRAIN) == ["good/1.png"]
    assert names(tmp_path / "plain", Split.TEST) == []


def test_a_folder_of_good_images_trains_as_a_whole(tmp_path: Path, plain: Path, mvtec: Path) -> None:
    (plain / "good/0 deeper").mkdir()
    save(plain / "good/0 deeper/板.png")
    assert len(open_good_folder(plain / "good").samples(Split.TRAIN)) == 41
    assert all(sample.name.startswith("train/good/") for sample in open_good_folder(mvtec).samples(Split.TRAIN))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"data\.no_good"):
        open_good_folder(tmp_path / "empty")


def test_the_plain_layout_splits_good_three_to_one(plain: Path) -> None:
    train, test = names(plain, Split.TRAIN), names(plain, Split.TEST)
    assert len(train) == 30
    assert sum(name.startswith("bad/") for name in test) == 4
    assert len(set(train) | set(test)) == 44
    assert train == names(plain, Split.TRAIN) != names(plain, Split.TRAIN, seed=1)


def test_units_stay_together(plain: Path) -> None:
    rows = [f"good/{number:03d}.png,板 {number // 4}" for number in range(40)]
    rows += [f"bad/{number:03d}.png,板 {number}" for number in range(4)]
    (plain / "units.csv").write_text("\n".join(["image,unit", *rows]), encoding="utf-8-sig")
    data = open_folder(plain)
    train, test = ({sample.unit for sample in data.samples(split)} for split in (Split.TRAIN, Split.TEST))
    assert not train & test
    assert {f"板 {number}" for number in range(4)} <= test
    assert "units.csv names" in data.card.split


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ("file,part\n", "data.units_header"),
        ("", "data.units_header"),
        ("image,unit\ngood/1.png\n", "data.units_row"),
        ("image,unit\ngood/1.png,a\ngood/1.png,b\n", "data.units_conflict"),
        ("image,unit\ngood/1.png,a\n", "data.units_unlisted"),
        (b"image,unit\n\xff\xfe", "data.units_text"),
    ],
)
def test_a_table_of_units_that_does_not_fit_is_refused(tmp_path: Path, table: str | bytes, code: str) -> None:
    save(tmp_path / "good/1.png")
    save(tmp_path / "good/2.png")
    (tmp_path / "units.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    with pytest.raises(DataError) as caught:
        open_folder(tmp_path)
    assert caught.value.code == code


def test_a_unit_on_both_sides_of_the_mvtec_split_is_refused(mvtec: Path) -> None:
    paths = (path.relative_to(mvtec).as_posix() for folder in ("train", "test") for path in image_paths(mvtec / folder))
    (mvtec / "units.csv").write_text("\n".join(["image,unit", *(f"{path},one" for path in paths)]), encoding="utf-8")
    with pytest.raises(DataError, match=r"data\.units_both_sides"):
        open_folder(mvtec)


def test_the_card_says_what_the_folder_holds(plain: Path) -> None:
    card = open_folder(plain).card
    assert card.counts == {"test/bad": 4, "test/good": 10, "train/good": 30}
    assert "each file counted as its own unit" in card.split
    assert card.grade == "internal"


def test_the_checksum_follows_the_contents_and_not_the_place(plain: Path, tmp_path: Path) -> None:
    before = open_folder(plain).card.checksum
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("good", "bad"):
        (plain / name).rename(moved / name)
    assert open_folder(moved).card.checksum == before
    save(moved / "good/000.png", 99)
    assert open_folder(moved).card.checksum != before


def test_a_file_that_is_no_image_is_named_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "good/文本 1.png").write_text("text")
    (sample,) = open_folder(tmp_path).samples(Split.TRAIN)
    with pytest.raises(ImageError) as caught:
        sample.frame()
    assert caught.value.subject.endswith("文本 1.png")


def test_other_layouts_are_refused_with_what_was_found(tmp_path: Path) -> None:
    save(tmp_path / "other/images/1.png")
    save(tmp_path / "other/labels/1.png")
    save(tmp_path / "flat/1.png")
    save(tmp_path / "empty/good/.hidden.png")
    codes = {
        "other": "data.layout",
        "flat": "data.layout_empty",
        "empty": "data.no_good",
        "none": "data.folder_missing",
    }
    for name, code in codes.items():
        with pytest.raises(DataError) as caught:
            open_folder(tmp_path / name)
        assert (caught.value.code, caught.value.subject) == (code, str(tmp_path / name))
        if name == "other":
            assert caught.value.params["found"] == "images, labels"
