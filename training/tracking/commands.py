"""``andon registry``: named versions of bundles in MLflow."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from andon.models.command.console import Console
from andon.models.command.options import actions, andon_home
from andon.models.messages.catalogue import Catalogue
from andon.training.tracking.store import TrackingStore, default_store

if TYPE_CHECKING:
    from andon.training.tracking.registry import RegisteredVersion

PUBLISHED = "bundles"


def registry(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Define ``registry`` with ``push``, ``promote``, ``pull`` and ``list``."""
    add = actions(parser, text, "registry")
    push = add("push", _push)
    push.add_argument("bundle", type=Path, metavar="BUNDLE", help=text.text("help.bundle_path"))
    push.add_argument("--name", required=True, metavar="N", help=text.text("help.registry_name"))
    promote = add("promote", _promote)
    promote.add_argument("name", metavar="N", help=text.text("help.registry_name"))
    promote.add_argument("version", metavar="VERSION", help=text.text("help.registry_version"))
    promote.add_argument("--alias", required=True, metavar="ALIAS", help=text.text("help.registry_alias"))
    pull = add("pull", _pull)
    pull.add_argument("uri", metavar="URI", help=text.text("help.registry_uri"))
    pull.add_argument("--out", type=Path, required=True, metavar="DIR", help=text.text("help.out"))
    add("list", _list)


# mlflow takes a second to import: each command imports it once its arguments are known to be right.


def _push(arguments: argparse.Namespace, console: Console) -> int:
    from andon.training.tracking.registry import push

    with console.progress() as progress:
        version = push(arguments.bundle, arguments.name, _store(), progress)
    document = _document(version)
    console.emit({**document, "run_id": version.run_id})
    console.say("tracking.pushed", **document)
    return 0


def _promote(arguments: argparse.Namespace, console: Console) -> int:
    from andon.training.tracking.registry import promote

    publish_to = andon_home(os.environ) / PUBLISHED
    with console.progress() as progress:
        done = promote(arguments.name, arguments.version, arguments.alias, _store(), publish_to, progress)
    published = None if done.published is None else str(done.published)
    console.emit({"name": done.name, "version": done.version, "alias": done.alias, "published": published})
    console.say("tracking.promoted", name=done.name, version=done.version, alias=done.alias)
    if published is not None:
        console.say("tracking.published", path=published)
    return 0


def _pull(arguments: argparse.Namespace, console: Console) -> int:
    from andon.training.tracking.registry import pull

    with console.progress() as progress:
        version = pull(arguments.uri, arguments.out, _store(), progress)
    document = {"path": str(arguments.out), **_document(version)}
    console.emit(document)
    console.say("tracking.pulled", **document)
    return 0


def _list(_: argparse.Namespace, console: Console) -> int:
    from andon.training.tracking.registry import list_versions

    for each in list_versions(_store()):
        document = _document(each)
        console.emit({**document, "aliases": list(each.aliases), "run_id": each.run_id})
        console.say("tracking.listed", **document, aliases=", ".join(each.aliases) or "-")
    return 0


def _document(version: "RegisteredVersion") -> dict[str, str | int]:
    return {"name": version.name, "version": version.version, "bundle_digest": version.bundle_digest}


def _store() -> TrackingStore:
    return default_store(andon_home(os.environ), os.environ)
