"""Options that commands share, and where their values come from."""

import argparse
import tomllib
from collections.abc import Callable, Iterator, Mapping
from math import inf, nan
from pathlib import Path
from typing import Any, NoReturn

from platformdirs import user_data_path

from andon.models.command.console import Console
from andon.models.messages.catalogue import Catalogue
from andon.models.types.errors import OptionError

Run = Callable[[argparse.Namespace, Console], int]
"""What a command does: returns the exit code."""

SETTINGS_FILE = "andon.toml"
PREFIX = "ANDON_"
DATA_FOLDER = "data"
"""Under ``andon_home``: the data sets that were fetched."""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises instead of printing its usage and leaving."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong with the command line."""
        raise OptionError("command.usage", self.prog, reason=message)


def define(parser: argparse.ArgumentParser, text: Catalogue, name: str, run: Run) -> argparse.ArgumentParser:
    """Make ``parser`` the command ``name``: its help, example and common options, and what it runs.

    The catalogue holds ``help.<name>`` and ``help.<name>_example``.
    """
    parser.description = text.text(f"help.{name}")
    parser.epilog = text.text("help.example", example=text.text(f"help.{name}_example"))
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--json", action="store_true", help=text.text("help.json"))
    parser.add_argument("--debug", action="store_true", help=text.text("help.debug"))
    parser.set_defaults(run=run)
    return parser


def actions(
    parser: argparse.ArgumentParser, text: Catalogue, name: str
) -> Callable[[str, Run], argparse.ArgumentParser]:
    """Let ``parser`` take a word for what to do: returns a function that defines one such action and its parser."""
    parser.description = text.text(f"help.{name}")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    words = parser.add_subparsers(required=True, metavar="ACTION", parser_class=Parser)
    examples: list[str] = []

    def add(word: str, run: Run) -> argparse.ArgumentParser:
        summary = text.text(f"help.{name}_{word}")
        examples.append(text.text(f"help.{name}_{word}_example"))
        parser.epilog = text.text("help.example", example="\n  ".join(examples))
        return define(words.add_parser(word, help=summary), text, f"{name}_{word}", run)

    return add


def apply_settings(parser: argparse.ArgumentParser, environment: Mapping[str, str], folder: Path) -> None:
    """Take defaults of all options from ``ANDON_*`` variables, then from ``andon.toml`` in ``folder``.

    ``--overkill`` reads ``ANDON_OVERKILL``, then the key ``overkill``.

    Raises
    ------
    OptionError
        The file is not TOML, a switch is neither true nor false, or a value is none of an option's choices.
    """
    written = _read_settings(folder / SETTINGS_FILE)
    for owner, action in _options(parser):
        variable = PREFIX + action.dest.upper()
        value = environment.get(variable, written.get(action.dest))
        if value is not None:
            subject = variable if variable in environment else f"{SETTINGS_FILE}: {action.dest}"
            owner.set_defaults(**{action.dest: _setting(action, str(value), subject)})
            action.required = False


def andon_home(environment: Mapping[str, str]) -> Path:
    """Where Andon keeps what is kept: ``ANDON_HOME``, or the user's data folder."""
    return Path(environment.get("ANDON_HOME") or user_data_path("andon"))


def share(value: str) -> float:
    """Read a share above 0 and below 1.

    >>> share("0.01")
    0.01
    """
    try:
        number = float(value)
    except ValueError:
        number = nan
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{value!r} is not above 0 and below 1")
    return number


def natural(value: str) -> int:
    """Read a whole number of at least zero.

    >>> natural("7")
    7
    """
    if not value.isdecimal():
        raise argparse.ArgumentTypeError(f"{value!r} is not a whole number from 0")
    return int(value)


def positive(value: str) -> float:
    """Read a finite number above zero.

    >>> positive("25.6e3")
    25600.0
    """
    try:
        number = float(value)
    except ValueError:
        number = nan
    if not 0 < number < inf:
        raise argparse.ArgumentTypeError(f"{value!r} is not a number above 0")
    return number


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError("command.settings", str(path), reason=str(error)) from error


def _options(parser: argparse.ArgumentParser) -> Iterator[tuple[argparse.ArgumentParser, argparse.Action]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from _options(child)
        elif action.option_strings and action.dest not in ("help", "version"):
            yield parser, action


def _setting(action: argparse.Action, value: str, subject: str) -> str | bool:
    """Check what argparse does not check of a default; it converts a text once the option is known not to be given."""
    if action.nargs == 0:
        return _switch(value, subject)
    if action.choices is not None and value not in action.choices:
        raise OptionError("command.choice", subject, found=value, known=", ".join(action.choices))
    return value


def _switch(value: str, subject: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if value.lower() not in known:
        raise OptionError("command.switch", subject, found=value)
    return known[value.lower()]
