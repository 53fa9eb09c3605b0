from pathlib import Path

import pytest
from PIL import Image

from andon.datasets.vision.sources import open_dataset
from andon.models.types.errors import DataError
from andon.models.types.vision import GOOD, Split


def test_a_generated_set_is_opened_by_its_name() -> None:
    data = open_dataset("synthetic:pcb", seed=2)
    assert len({sample.unit for split in Split for sample in data.samples(split)}) == 200
    assert all(sample.label == GOOD for split in (Split.TRAIN, Split.CALIBRATION) for sample in data.samples(split))


@pytest.mark.parametrize(
    ("source", "code"),
    [("nowhere:set", "data.unknown_source"), ("synthetic:pcbs", "data.unknown_set"), ("./a:b", "data.folder_missing")],
)
def test_what_is_not_known_is_refused(source: str, code: str) -> None:
    with pytest.raises(DataError) as caught:
        open_dataset(source)
    assert caught.value.code == code


def test_a_prefix_that_is_not_known_is_answered_with_those_that_are() -> None:
    with pytest.raises(DataError) as caught:
        open_dataset("mvtec:bottle")
    assert caught.value.params["known"] == "elpv:, synthetic:"


def test_anything_else_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "板 1/good").mkdir(parents=True)
    Image.new("RGB", (32, 32)).save(tmp_path / "板 1/good/a.png")
    assert [sample.name for sample in open_dataset(str(tmp_path / "板 1")).samples(Split.TRAIN)] == ["good/a.png"]
