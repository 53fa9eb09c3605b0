"""Where a table or a key stands in a TOML file, so that what is wrong with it can be named with its line."""

import re
from collections import Counter
from collections.abc import Mapping

Path = tuple[str | int, ...]
"""Names of tables and places in arrays of tables: ``("stations", 0, "takt_s")``."""

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?")
_KEY = re.compile(r"""\s*([A-Za-z0-9_-]+|"[^"]*"|'[^']*')\s*[=.]""")


def lines_of(text: str) -> Mapping[Path, int]:
    r"""Number the lines, from 1, of all tables and keys of ``text``, which is TOML.

    Keys within inline tables and what looks like a key within a string of several lines are not told apart: their line is near.

    >>> lines_of('box = "a"\n[[stations]]\nname = "S1"\n[[stations]]\ntakt_s = 1')[("stations", 1, "takt_s")]
    5
    """
    found: dict[Path, int] = {}
    seen: Counter[Path] = Counter()
    table: Path = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _opened(header[2], header[1] == "[[", seen)
            found[table] = number
        elif key := _KEY.match(line):
            found.setdefault((*table, key[1].strip("\"'")), number)
    return found


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """Find the line of ``path``, or of the nearest table around it; 1 where there is none."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return 1


def _opened(name: str, is_array: bool, seen: Counter[Path]) -> Path:
    """Resolve a header: a table within an array of tables belongs to the last of them."""
    path: Path = ()
    words = [word.strip().strip("\"'") for word in name.split(".")]
    for word in words[:-1]:
        path = (*path, word)
        path = (*path, seen[path] - 1) if seen[path] else path
    path = (*path, words[-1])
    if is_array:
        seen[path] += 1
        path = (*path, seen[path] - 1)
    return path
