"""Tables of a configuration as arguments of what they describe: every key that is wrong is named, not only the first."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_type_hints

import msgspec

from andon.hardware.edge.config.places import Path
from andon.models.types.errors import Param

_UNITS = frozenset(
    ("s", "ms", "us", "min", "h", "px", "mm", "um", "hz", "khz", "db", "mib", "gib", "bytes", "rpm", "parts")
)


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
        try:
            arguments[name] = msgspec.convert(table[name], hints[name])
        except msgspec.ValidationError as error:
            problems.append(
                Problem((*path, name), "edge.value", {"found": repr(table[name]), "key": name, "reason": str(error)})
            )
    for problem in problems:
        report(problem)
    return None if problems else arguments


def _unknown_key(name: str, known: list[str], path: Path) -> Problem:
    """Say which key was meant: the same one in another unit, or one that is spelt nearly so."""
    stem, _, unit = name.rpartition("_")
    same = [each for each in known if each.rpartition("_")[0] == (stem if unit in _UNITS else name)]
    if same and same[0].rpartition("_")[2] in _UNITS:
        return Problem(path, "edge.unit", {"found": name, "expected": same[0]})
    near = get_close_matches(name, known, 1)
    return Problem(path, "edge.unknown", {"found": name, "expected": near[0] if near else ", ".join(known)})
