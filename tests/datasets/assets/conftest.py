"""Tables of machines as tests write them, and the command line with ``andon assets``."""

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest
from tests.conftest import Andon

from andon.models.command import main

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a table: ``write("asset,rpm", "P-1,1480", encoding="gb18030")``."""

    def to_file(*lines: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "machines.csv"
        path.write_bytes("\n".join(lines).encode(encoding))
        return path

    return to_file


@pytest.fixture
def andon(andon: Andon, monkeypatch: pytest.MonkeyPatch) -> Andon:
    """Run a command; ``assets`` too where the installed package does not know it yet."""
    added = EntryPoint("assets", "andon.datasets.assets.commands:assets", main.GROUP)
    monkeypatch.setattr(main, "entry_points", lambda group: [*entry_points(group=group), added])
    return andon
