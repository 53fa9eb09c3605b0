"""Turn message codes with their parameters into a language's text.

A code is ``<file>.<key>``: ``image.truncated`` is the key ``truncated`` of ``<language>/image.toml``.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from andon.models.types.errors import AndonError, Param

LANGUAGES = ("en", "zh_CN")


@dataclass(frozen=True)
class Catalogue:
    """All texts of one language, by message code."""

    language: str
    texts: Mapping[str, str]

    def text(self, code: str, **params: Param) -> str:
        """Return the text of ``code`` with its parameters filled in.

        >>> catalogue("en").text("command.unknown", name="paint", known="bundle, data")
        "there is no command 'paint'; expected one of: bundle, data"
        """
        return self.texts[code].format(**params)

    def error(self, error: AndonError) -> str:
        """Return one line for ``error``: its subject, what was found and what was expected."""
        return " ".join(self.text(error.code, **error.params).splitlines())


@lru_cache
def catalogue(language: str) -> Catalogue:
    """Load the texts of ``language``, one of ``LANGUAGES``."""
    folder = files(__package__) / language
    texts = {
        f"{entry.name.removesuffix('.toml')}.{key}": text
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".toml")
        for key, text in tomllib.loads(entry.read_text(encoding="utf-8")).items()
    }
    return Catalogue(language, texts)


def preferred_language(environment: Mapping[str, str]) -> str:
    """Choose the language from ``ANDON_LANG``, then the POSIX locale variables; English where neither names Chinese.

    >>> preferred_language({"LANG": "zh_CN.UTF-8"})
    'zh_CN'
    >>> preferred_language({"ANDON_LANG": "en", "LANG": "zh_CN.UTF-8"})
    'en'
    """
    for variable in ("ANDON_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environment.get(variable):
            return "zh_CN" if value.lower().startswith("zh") else "en"
    return "en"
