from pathlib import Path

import pytest

from andon.datasets.cards.digests import digest_of
from andon.datasets.cards.known import card_of, known_set, known_sets
from andon.datasets.vision.files import file_sample
from andon.models.types.errors import DataError, ResourceError
from andon.models.types.vision import ImageSample


def sample(path: Path, content: bytes, label: str = "good") -> ImageSample:
    path.write_bytes(content)
    return file_sample(path, name=path.name, label=label, unit=path.stem)


def test_the_checksum_covers_name_label_and_contents_but_not_the_order(tmp_path: Path) -> None:
    one, two = sample(tmp_path / "1.png", b"1"), sample(tmp_path / "2.png", b"2")
    checksum = digest_of([one, two])
    assert digest_of([two, one]) == checksum
    assert digest_of([one]) != checksum
    assert digest_of([one, sample(tmp_path / "2.png", b"2", "dent")]) != checksum
    assert digest_of([one, sample(tmp_path / "2.png", b"3")]) != checksum


def test_the_checksum_is_fixed_by_its_definition(tmp_path: Path) -> None:
    # sha256 of '[["板.png","good","板","' + sha256(b"x") + '"]]'
    assert (
        digest_of([sample(tmp_path / "板.png", b"x")])
        == "4fda59b037cfdd2001d70820e8756e0627f225b0e6b2827a8b89162eb6e5134a"
    )


def test_a_file_that_vanished_is_named(tmp_path: Path) -> None:
    gone = sample(tmp_path / "1.png", b"1")
    (tmp_path / "1.png").unlink()
    with pytest.raises(ResourceError, match=r"1\.png"):
        digest_of([gone])


def test_known_sets_tell_licence_and_how_to_get_them(tmp_path: Path) -> None:
    sets = known_sets()
    assert sets["elpv:mono"].provenance.licence == "CC BY-NC-SA 4.0"
    assert sets["elpv:poly"].provenance.non_commercial
    assert "andon[demo]" in sets["elpv:mono"].how_to_get
    assert sets["mfpt"].provenance.non_commercial
    assert sets["mfpt"].how_to_get == "andon data fetch mfpt"
    assert {name for name in sets if not name.startswith("elpv") and sets[name].is_available(tmp_path)} == {
        "synthetic:bearing",
        "synthetic:pcb",
    }
    assert all(name == known.name for name, known in sets.items())


def test_an_unknown_set_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(DataError) as caught:
        known_set("elpv:multi")
    assert caught.value.params["known"] == "elpv:mono, elpv:poly, mfpt, synthetic:bearing, synthetic:pcb"


def test_what_is_fetched_is_available_where_it_is_kept(tmp_path: Path) -> None:
    rig = known_set("mfpt")
    (tmp_path / "mfpt").mkdir()
    (tmp_path / "mfpt/baseline_1.csv").write_text("1\n")
    assert rig.is_available(tmp_path)
    assert not rig.is_available(tmp_path / "mfpt")
    assert rig.card(tmp_path).counts == {"test/": 1}


def test_a_folder_of_records_has_a_card_too(tmp_path: Path) -> None:
    for unit in range(4):
        (tmp_path / f"{unit}.csv").write_text(f"{unit}\n")
    card = card_of(str(tmp_path), tmp_path)
    assert card.counts == {"test/": 1, "train/": 3}
    assert "so each of them counted as its own" in card.split
    assert len(card.checksum) == 64


def test_a_table_of_units_beside_images_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    sample(tmp_path / "good/1.png", b"1")
    (tmp_path / "units.csv").write_text("image,unit\ngood/1.png,u\n")
    assert card_of(str(tmp_path), tmp_path).counts == {"train/good": 1}


def test_a_folder_of_neither_is_refused_as_before(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        card_of(str(tmp_path), tmp_path)
    assert caught.value.code == "data.layout_empty"


def test_runs_of_skab_have_a_card(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        card_of(f"skab:{tmp_path}", tmp_path)
    assert (caught.value.code, caught.value.subject) == ("record.no_run", str(tmp_path))
