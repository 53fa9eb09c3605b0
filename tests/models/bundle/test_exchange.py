"""Two folders swap their names, at once or by renames, or nothing changes."""

from pathlib import Path

import pytest

from andon.models.bundle import exchange as module
from andon.models.bundle.exchange import exchange


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "name.txt").write_text(name)
    return tmp_path / "old", tmp_path / "new"


def names(folders: tuple[Path, Path]) -> list[str]:
    return [(folder / "name.txt").read_text() for folder in folders]


@pytest.mark.parametrize("at_once", [True, False])
def test_names_are_swapped_with_and_without_the_systems_call(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    if not at_once:
        monkeypatch.setattr(module, "_exchange_at_once", lambda *_: False)
    exchange(*folders)
    assert names(folders) == ["new", "old"]
    assert len(list(folders[0].parent.iterdir())) == 2


def test_a_rename_that_fails_is_undone(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_exchange_at_once", lambda *_: False)
    rename = Path.rename

    def refuse_new(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise PermissionError("refused")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse_new)
    with pytest.raises(PermissionError):
        exchange(*folders)
    assert names(folders) == ["old", "new"]
