"""What is remembered survives whatever happens to its file."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from andon.models.monitoring.remembering import read_memory, write_memory
from andon.models.types.errors import DataError, ResourceError


@dataclass(frozen=True, slots=True)
class Notes:
    schema_version: int = 2
    said: tuple[str, ...] = ()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "notes.json"
    for notes in (Notes(said=("a", "泵")), Notes()):
        write_memory(notes, path)
        assert read_memory(path, Notes, 2) == notes
    assert [each.name for each in path.parent.iterdir()] == ["notes.json"]


@pytest.mark.parametrize(
    "contents",
    [b"", b"{", b"[]", b"{}", b'{"schema_version": 2, "said": [1]}', b'{"schema_version": 2, "said": ["\xff"]}'],
)
def test_a_damaged_file_is_named(tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "notes.json"
    path.write_bytes(contents)
    with pytest.raises(DataError) as raised:
        read_memory(path, Notes, 2)
    assert (raised.value.code, raised.value.subject) == ("monitor.state_damaged", str(path))


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"monitor\.state_damaged"):
        read_memory(tmp_path, Notes, 2)


def test_a_newer_version_is_told_from_damage_even_where_it_has_another_form(tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    path.write_bytes(b'{"schema_version": 3, "said": {"by": "others"}}')
    with pytest.raises(DataError) as raised:
        read_memory(path, Notes, 2)
    assert raised.value.code == "monitor.state_newer"
    assert (raised.value.params["found"], raised.value.params["expected"]) == (3, 2)


def test_what_cannot_be_written_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    write_memory(Notes(), path)
    with pytest.raises(TypeError):
        write_memory(object(), path)
    assert [each.name for each in tmp_path.iterdir()] == ["notes.json"]
    assert read_memory(path, Notes, 2) == Notes()
    with pytest.raises(ResourceError) as raised:
        write_memory(Notes(), path / "below a file.json")
    assert raised.value.code == "inspect.not_written"
