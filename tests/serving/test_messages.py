import ast
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from string import Formatter

from andon.models.messages.catalogue import LANGUAGES, catalogue
from andon.serving import api


def texts(language: str) -> dict[str, str]:
    return {code: text for code, text in catalogue(language).texts.items() if code.startswith("serving.")}


def parameters(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def used_codes() -> Iterator[str]:
    for path in Path(str(files(api))).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from re.findall(r"^serving\.\w+$", node.value)


def test_both_languages_say_the_same() -> None:
    first, second = (texts(language) for language in LANGUAGES)
    assert first.keys() == second.keys()
    for code, text in first.items():
        assert parameters(text) == parameters(second[code]), code
        assert "\n" not in text + second[code]


def test_every_code_has_a_text_and_every_text_is_used() -> None:
    assert set(used_codes()) == texts("en").keys()
