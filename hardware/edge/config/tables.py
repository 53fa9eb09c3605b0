"""Tables of a configuration as arguments of what they describe: every key that is wrong is named, not only the first."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from difflib import get_close_matches
from math import isfinite
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from andon.hardware.edge.config.allowed import allowed
from andon.hardware.edge.config.places import Path
from andon.models.types.errors import AndonError, Param

_UNITS = frozenset(
    ("s", "ms", "us", "min", "h", "px", "mm", "um", "hz", "khz", "db", "mib", "gib", "bytes", "rpm", "parts")
)

LONGEST_S = 1_000_000_000
"""Of whatever is told in seconds: three decades, far below what threads and calendars can wait for."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a configuration that cannot be used.

    Parameters
    ----------
    path
        Where it stands.
    code
        Key of the message in the catalogues.
    params
        Values the message shows.
    """

    path: Path
    code: str
    params: Mapping[str, Param]


Report = Callable[[Problem], None]


def read_table(make: Callable[..., Any], table: Mapping[str, Any], path: Path, report: Report) -> dict[str, Any] | None:
    """Read ``table`` as keyword arguments of ``make``, by its signature and its type hints.

    Returns
    -------
    dict or None
        The arguments; None where something was reported: a key that is not known, is missing, or has a value of another kind.
    """
    parameters = inspect.signature(make).parameters
    hints = get_type_hints(make.__init__ if inspect.isclass(make) else make, include_extras=True)
    unknown = [_unknown_key(name, list(parameters), (*path, name)) for name in table if name not in parameters]
    meant = {problem.params["expected"] for problem in unknown}
    missing = [
        name for name, each in parameters.items() if each.default is inspect.Parameter.empty and name not in table
    ]
    problems = [*unknown, *(Problem(path, "edge.missing", {"found": name}) for name in missing if name not in meant)]
    arguments: dict[str, Any] = {}
    for name in table.keys() & parameters.keys():
        arguments[name] = _value(hints[name], table[name], (*path, name), problems.append)
    for problem in problems:
        report(problem)
    return None if problems else arguments


def _value(hint: Any, found: Any, path: Path, report: Report) -> Any:
    """Read a value; tables within tables are read as they are themselves, so that none of their keys is passed over."""
    inner = get_args(hint)[:1] if get_origin(hint) is tuple else (hint,)
    if not inner or not is_dataclass(inner[0]):
        return _plain(hint, found, path, report)
    if inner[0] is hint and isinstance(found, dict):
        return _made(hint, found, path, report)
    if inner[0] is not hint and isinstance(found, list) and all(isinstance(each, dict) for each in found):
        return tuple(_made(inner[0], each, (*path, place), report) for place, each in enumerate(found))
    report(unfit(path, found, f"[{path[-1]}]" if inner[0] is hint else f"[[{path[-1]}]]"))
    return None


def _plain(hint: Any, found: Any, path: Path, report: Report) -> Any:
    try:
        value = msgspec.convert(found, hint, dec_hook=_decoded) if _is_usable(found) else None
    except msgspec.ValidationError:
        value = None
    if value is None:
        report(unfit(path, found, allowed(hint)))
    elif isinstance(value, int | float) and str(path[-1]).endswith("_s") and value > LONGEST_S:
        report(unfit(path, found, f"<= {LONGEST_S}"))
    return value


def _is_usable(found: Any) -> bool:
    """Say whether a value is none that TOML can write and nothing here can take: infinite, no number, a text with a zero byte."""
    match found:
        case float():
            return isfinite(found)
        case str():
            return "\0" not in found
        case list():
            return all(map(_is_usable, found))
        case dict():
            return all(map(_is_usable, found.values()))
    return True


def unfit(path: Path, found: Any, expected: str) -> Problem:
    """Say that what stands at a place is of another kind than what is expected there."""
    return Problem(path, "edge.value", {"found": repr(found), "key": str(path[-1]), "expected": expected})


def _decoded(kind: Any, found: Any) -> Any:
    """Read what TOML has no type for: paths are texts there."""
    return kind(found)


def _made(make: Any, table: Mapping[str, Any], path: Path, report: Report) -> Any:
    arguments = read_table(make, table, path, report)
    if arguments is None:
        return None
    try:
        return make(**arguments)
    except AndonError as error:
        report(Problem(path, error.code, error.params))
        return None


def _unknown_key(name: str, known: list[str], path: Path) -> Problem:
    """Say which key was meant: the same one in another unit, or one that is spelt nearly so."""
    stem, _, unit = name.rpartition("_")
    same = [each for each in known if each.rpartition("_")[0] == (stem if unit in _UNITS else name)]
    if same and same[0].rpartition("_")[2] in _UNITS:
        return Problem(path, "edge.unit", {"found": name, "expected": same[0]})
    near = get_close_matches(name, known, 1)
    return Problem(path, "edge.unknown", {"found": name, "expected": near[0] if near else ", ".join(known)})
