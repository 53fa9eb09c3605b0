"""``andon bundle``."""

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path

from andon.models.bundle.runtime import check_parity
from andon.models.bundle.storage import read_bundle
from andon.models.command.console import Console
from andon.models.command.main import DONE, FAILED
from andon.models.command.options import actions
from andon.models.messages.catalogue import Catalogue
from andon.models.signing.keys import generate_key, passphrase_of, public_path, write_key_pair
from andon.models.types.errors import BundleError


def bundle(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Define ``andon bundle show``, ``andon bundle verify`` and ``andon bundle keygen``."""
    add = actions(parser, text, "bundle")
    for word, run in (("show", _show), ("verify", _verify)):
        add(word, run).add_argument("bundle", type=Path, metavar="BUNDLE", help=text.text("help.bundle_path"))
    keygen = add("keygen", _keygen)
    keygen.add_argument("--out", type=Path, required=True, metavar="FILE", help=text.text("help.bundle_keygen_out"))


def _show(arguments: argparse.Namespace, console: Console) -> int:
    found = read_bundle(arguments.bundle)
    document = {"path": str(arguments.bundle), "digest": found.digest, "manifest": asdict(found.manifest)}
    console.emit(document)
    console.show_text(json.dumps(document, ensure_ascii=False, indent=2))
    return DONE


def _verify(arguments: argparse.Namespace, console: Console) -> int:
    """A bundle that is damaged has failed its verification: that is an answer, not bad usage."""
    try:
        found = read_bundle(arguments.bundle)
        parity = check_parity(found)
    except BundleError as error:
        console.emit({"path": str(arguments.bundle), "verified": False, "error": console.catalogue.error(error)})
        console.complain(error)
        return FAILED
    console.emit(
        {
            "path": str(arguments.bundle),
            "verified": parity.holds,
            "digest": found.digest,
            "parity": asdict(parity),
        }
    )
    console.say(
        "bundle.verified" if parity.holds else "bundle.parity",
        subject=str(arguments.bundle),
        found=f"{parity.worst:.1e}",
        expected=f"{parity.tolerance:.0e}",
        files=len(found.files),
        goldens=parity.n_goldens,
    )
    return DONE if parity.holds else FAILED


def _keygen(arguments: argparse.Namespace, console: Console) -> int:
    key = generate_key()
    write_key_pair(key, arguments.out, passphrase_of(os.environ))
    said = {
        "private": str(arguments.out),
        "public": str(public_path(arguments.out)),
        "fingerprint": key.public.fingerprint,
    }
    console.emit(said)
    console.say("signing.made", **said)
    return DONE
