"""How long what is kept, as a file says it."""

from dataclasses import fields
from pathlib import Path

import pytest
from tests.conftest import Andon

from andon.datasets.store.keeping_file import load_rules
from andon.datasets.store.retention import KeepingRules
from andon.models.types.errors import InputError

DECISION = Path(__file__).parents[3] / "docs/adr/0018-keeping.md"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "keeping.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_it_does_not_say_stays_as_usual(tmp_path: Path) -> None:
    rules = load_rules(written(tmp_path, "ok_days = 3\nundecided_days = 30\n"))
    assert rules == KeepingRules(ok_days=3, undecided_days=30)


def test_the_decision_shows_the_usual_rules(tmp_path: Path) -> None:
    (example,) = [block for block in DECISION.read_text(encoding="utf-8").split("```") if block.startswith("toml")]
    assert load_rules(written(tmp_path, example.removeprefix("toml"))) == KeepingRules()
    named = {each.name for each in fields(KeepingRules)} - {"batch", "batches"}
    assert all(name in example for name in named)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ok_dys = 3", "ok_dys"),
        ('ok_days = "x"', "ok_days"),
        ("audit_days = 3", "audit_days"),
        ("ok_days = -1", "ok_days"),
        ("ok_days = nan", "ok_days"),
        ("ok_days", "end of document"),
        ("\xff", "decode"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, found: str) -> None:
    path = tmp_path / "keeping.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=found):
        load_rules(path)


def test_both_commands_take_it(andon: Andon, tmp_path: Path) -> None:
    wrong = written(tmp_path, "ok_dys = 3")
    for words in (("db", "prune", "--dry-run"), ("serve",)):
        said = andon(*words, "--keeping", wrong, "--db", f"sqlite:///{tmp_path / 'andon.db'}")
        assert (said.code, said.err.count("\n")) == (2, 1)
        assert "ok_dys" in said.err
