"""``andon notify``: check a configuration, and try its channels."""

import argparse
import os
from pathlib import Path

from andon.models.command.console import Console
from andon.models.command.main import BAD_INPUT, DONE, FAILED
from andon.models.command.options import actions
from andon.models.messages.catalogue import Catalogue
from andon.models.types.identifiers import new_id
from andon.serving.notify.channels import Sent
from andon.serving.notify.configuration import Configuration, Settings, load_configuration, read_configuration
from andon.serving.notify.opening import open_channel
from andon.serving.notify.sender import utc_now
from andon.serving.notify.wording import check_message


def notify(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Define ``andon notify check`` and ``test``."""
    add = actions(parser, text, "notify")
    add("check", _check).add_argument("file", type=Path, metavar="CONFIG.toml", help=text.text("help.notify_file"))
    add("test", _test).add_argument("file", type=Path, metavar="CONFIG.toml", help=text.text("help.notify_file"))


def _check(arguments: argparse.Namespace, console: Console) -> int:
    reading = read_configuration(arguments.file, os.environ)
    for problem in reading.problems:
        console.complain_of(str(arguments.file), problem)
    if reading.configuration is None:
        console.say("notify.not_usable", subject=str(arguments.file), n=len(reading.problems))
        return BAD_INPUT
    names = [each.name for each in reading.configuration.channels]
    routes = len(reading.configuration.routes)
    console.emit({"channels": names, "routes": routes})
    console.say("notify.usable", subject=str(arguments.file), channels=", ".join(names) or "-", routes=routes)
    return DONE


def _test(arguments: argparse.Namespace, console: Console) -> int:
    configuration = load_configuration(arguments.file, os.environ)
    failures = sum(not _try(configuration, each, console) for each in configuration.channels)
    return FAILED if failures else DONE


def _try(configuration: Configuration, settings: Settings, console: Console) -> bool:
    outcome = open_channel(settings, utc_now).send(check_message(new_id(), configuration.language_of(settings.name)))
    reason = None if isinstance(outcome, Sent) else outcome.reason
    console.emit({"channel": settings.name, "sent": reason is None, "reason": reason})
    if reason is None:
        console.say("notify.tested", channel=settings.name)
    else:
        console.say("notify.test_failed", channel=settings.name, reason=reason)
    return reason is None
