from pathlib import Path

import pytest

from andon.datasets.cards.digests import digest_of
from andon.datasets.cards.known import known_set, known_sets
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


def test_known_sets_tell_licence_and_how_to_get_them() -> None:
    sets = known_sets()
    assert sets["elpv:mono"].provenance.licence == "CC BY-NC-SA 4.0"
    assert sets["elpv:poly"].provenance.non_commercial
    assert "andon[demo]" in sets["elpv:mono"].how_to_get
    assert sets["synthetic:pcb"].is_available()
    assert all(name == known.name for name, known in sets.items())


def test_an_unknown_set_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(DataError) as caught:
        known_set("elpv:multi")
    assert caught.value.params["known"] == "elpv:mono, elpv:poly, synthetic:pcb"
