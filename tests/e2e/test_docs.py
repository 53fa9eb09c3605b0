"""The documents say what is true: commands that parse, links that lead somewhere, two languages in step."""

import argparse
import re
import shlex
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from andon.models.command.main import GROUP
from andon.models.command.options import Parser
from andon.models.messages.catalogue import catalogue

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.zh-CN.md")
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))


def code_lines(page: str) -> list[str]:
    blocks = re.findall(r"^```\w*\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]


def commands(page: str) -> list[str]:
    spans = re.findall(r"`(andon [^`]+)`", (ROOT / page).read_text(encoding="utf-8"))
    return [line for line in code_lines(page) if line.startswith("andon ")] + [
        span for span in spans if "|" not in span
    ]


def parser_of(name: str) -> argparse.ArgumentParser:
    (entry,) = entry_points(group=GROUP, name=name)
    parser = Parser(prog=f"andon {name}")
    entry.load()(parser, catalogue("en"))
    return parser


@pytest.mark.parametrize("page", READMES)
def test_the_readmes_commands_exist(page: str) -> None:
    pytest.importorskip("mlflow", reason="the commands of the extra train are among them")
    found = [shlex.split(line)[1:] for line in code_lines(page) if line.startswith("andon ")]
    assert len(found) >= 8
    for name, *words in found:
        assert parser_of(name).parse_args(words).run


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_is_named_exists(page: str) -> None:
    known = {entry.name for entry in entry_points(group=GROUP)}
    for line in commands(page):
        assert line.split()[1] in known, line


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)", text):
        if "://" not in target:
            assert (ROOT / page).parent.joinpath(target).exists(), target


def test_both_readmes_show_the_same_commands_and_figures() -> None:
    english, chinese = ((ROOT / page).read_text(encoding="utf-8") for page in READMES)
    assert code_lines(READMES[0]) == code_lines(READMES[1])
    rows = [re.findall(r"^\|.*\d.*\|$", text, re.MULTILINE) for text in (english, chinese)]
    figures = [[re.findall(r"\d[\d.,]*", row) for row in table] for table in rows]
    assert figures[0] == figures[1]


def test_the_makefiles_targets_are_those_that_are_described() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = "".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
    assert set(re.findall(r"(?:`|^)make (\w+)", text, re.MULTILINE)) <= targets
