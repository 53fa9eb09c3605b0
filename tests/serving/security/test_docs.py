"""``docs/security.md`` and its Chinese version: what they name is there, and they say the same."""

import re
from pathlib import Path

import pytest

from andon.serving.security.grades import Destination, Grade, may_export
from andon.serving.security.roles import ROLES, Role

ROOT = Path(__file__).parents[3]
ENGLISH, CHINESE = (ROOT / "docs" / name for name in ("security.md", "security.zh-CN.md"))
BOTH = pytest.mark.parametrize("path", [ENGLISH, CHINESE], ids=["en", "zh"])
NAMED = re.compile(r"`((?:\w+/)+test_\w+)::(test_\w+)`")
GRADE = re.compile(r"^\| (public|internal|important|core) \| (.+) \|$", re.MULTILINE)
REQUIREMENT = re.compile(r"^\| CR (\d\.\d+) [^|]+ \| ([0-4-]) \| [^|]+ \|$", re.MULTILINE)
COUNTS = (14, 13, 14, 3, 4, 2, 8)
"""Component requirements of IEC 62443-4-2 by foundational requirement."""


@BOTH
def test_every_test_that_is_named_is_there(path: Path) -> None:
    named = NAMED.findall(path.read_text(encoding="utf-8"))
    assert len(named) > 35
    for file, test in named:
        assert f"def {test}(" in (ROOT / "tests" / f"{file}.py").read_text(encoding="utf-8"), test


@BOTH
def test_the_grades_are_those_of_the_rule(path: Path) -> None:
    rows = dict(GRADE.findall(path.read_text(encoding="utf-8")))
    assert list(rows) == [grade.value for grade in Grade]
    for grade, said in rows.items():
        least = [ROLES.get(word) for word in said.split(" | ")]
        assert least == [least_role(Grade(grade), destination) for destination in Destination]


def least_role(grade: Grade, destination: Destination) -> Role | None:
    return next((role for role in Role if may_export(grade, role, destination).allowed), None)


@BOTH
def test_every_component_requirement_is_answered(path: Path) -> None:
    numbers = [number for number, _ in REQUIREMENT.findall(path.read_text(encoding="utf-8"))]
    assert numbers == [f"{group}.{one}" for group, count in enumerate(COUNTS, 1) for one in range(1, count + 1)]


def test_both_languages_say_the_same() -> None:
    english, chinese = (path.read_text(encoding="utf-8") for path in (ENGLISH, CHINESE))
    for pattern in (NAMED, REQUIREMENT):
        assert pattern.findall(english) == pattern.findall(chinese)
    assert [line.count("|") for line in english.splitlines() if line.startswith("|")] == [
        line.count("|") for line in chinese.splitlines() if line.startswith("|")
    ]
