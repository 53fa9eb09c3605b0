"""``andon``: finds the command among the installed layers, runs it, and turns errors into one line and an exit code."""

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points, version
from pathlib import Path

from andon.models.command.console import Console
from andon.models.command.extras import naming_extra
from andon.models.command.options import Parser, apply_settings
from andon.models.messages.catalogue import Catalogue, catalogue, preferred_language
from andon.models.types.errors import AndonError, OptionError, ResourceError

GROUP = "andon.commands"
DONE, FAILED, BAD_INPUT, NO_RESOURCE = 0, 1, 2, 3
EXTRA_OF_LAYER = {"training": "train", "serving": "serve"}
EXTRAS_OF_COMMAND = {"demo": "train,serve,demo"}
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that ``argv`` names.

    Returns
    -------
    int
        0 done; 1 the answer is a failure; 2 bad usage or input; 3 the disk, a device or a server failed.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    text = catalogue(preferred_language(os.environ))
    console = Console(text, "--json" in words, sys.stdout, sys.stderr)
    # Pillow's remarks on damaged files: our own error says what matters, in one line.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    try:
        return _run(words, text, console)
    except AndonError as error:
        if "--debug" in words:
            raise
        console.complain(error)
        return NO_RESOURCE if isinstance(error, ResourceError) else BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has left, as `head` does; nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


def _run(words: list[str], text: Catalogue, console: Console) -> int:
    commands = {entry.name: entry for entry in entry_points(group=GROUP)}
    if not words or words[0].startswith("-"):
        return _overview(words, commands, text)
    name, *rest = words
    if name not in commands:
        raise OptionError("command.unknown", "andon", name=name, known=", ".join(sorted(commands)))
    parser = Parser(prog=f"andon {name}")
    with naming_extra(f"andon {name}", _extra_of(commands[name])):
        commands[name].load()(parser, text)
        apply_settings(parser, os.environ, Path.cwd())
        arguments = parser.parse_args(rest)
        code: int = arguments.run(arguments, Console(text, arguments.json, console.stdout, console.stderr))
    return code


def _overview(words: list[str], commands: dict[str, EntryPoint], text: Catalogue) -> int:
    parser = Parser(
        prog="andon",
        description=text.text("help.andon"),
        epilog="\n".join(f"  {name:<10} {text.text(f'help.{name}')}" for name in sorted(commands)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"andon {version('andon')}")
    parser.add_argument("command", nargs="?", metavar="COMMAND", help=text.text("help.command"))
    parser.parse_args(words)
    parser.print_help()
    return DONE


def _extra_of(entry: EntryPoint) -> str | None:
    """Training and serving have extras of their own, which bring all that they need; elsewhere each package has its own."""
    return EXTRAS_OF_COMMAND.get(entry.name, EXTRA_OF_LAYER.get(entry.module.split(".")[1]))
