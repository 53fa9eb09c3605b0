"""``andon bundle``."""

import argparse
import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from andon.models.bundle.runtime import check_parity
from andon.models.bundle.signature import MAX_RELEASE, Release, Signature, check_signature, sign_bundle
from andon.models.bundle.storage import ZIP_SUFFIX, read_bundle, write_bundle
from andon.models.command.console import Console
from andon.models.command.main import DONE, FAILED
from andon.models.command.options import actions
from andon.models.messages.catalogue import Catalogue
from andon.models.signing.keys import (
    generate_key,
    load_public_key,
    load_signing_key,
    passphrase_of,
    public_path,
    write_key_pair,
)
from andon.models.types.errors import BundleError
from andon.models.types.moments import as_text


def bundle(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Define ``andon bundle show``, ``verify``, ``sign`` and ``keygen``."""
    add = actions(parser, text, "bundle")
    show, verify, sign = (add(word, run) for word, run in (("show", _show), ("verify", _verify), ("sign", _sign)))
    for each in (show, verify, sign):
        each.add_argument("bundle", type=Path, metavar="BUNDLE", help=text.text("help.bundle_path"))
    verify.add_argument("--key", type=Path, metavar="FILE", help=text.text("help.bundle_public"))
    sign.add_argument("--key", type=Path, required=True, metavar="FILE", help=text.text("help.bundle_private"))
    sign.add_argument("--name", metavar="N", help=text.text("help.bundle_name"))
    sign.add_argument("--release", type=_release, metavar="N", help=text.text("help.bundle_release"))
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
    path, trusted = str(arguments.bundle), load_public_key(arguments.key) if arguments.key else None
    try:
        found = read_bundle(arguments.bundle)
        signed = check_signature(found, [trusted], path) if trusted else None
        parity = check_parity(found)
    except BundleError as error:
        console.emit({"path": path, "verified": False, "error": console.catalogue.error(error)})
        console.complain(error)
        return FAILED
    document = {"path": path, "verified": parity.holds, "digest": found.digest, "parity": asdict(parity)}
    console.emit({**document, **({"signature": _said(signed)} if signed else {})})
    console.say(
        "bundle.verified" if parity.holds else "bundle.parity",
        subject=path,
        found=f"{parity.worst:.1e}",
        expected=f"{parity.tolerance:.0e}",
        files=len(found.files),
        goldens=parity.n_goldens,
    )
    if signed:
        console.say("bundle.signed", subject=path, **_said(signed))
    return DONE if parity.holds else FAILED


def _sign(arguments: argparse.Namespace, console: Console) -> int:
    key = load_signing_key(arguments.key, passphrase_of(os.environ))
    signed = sign_bundle(read_bundle(arguments.bundle), _release_of(arguments, datetime.now(UTC)), key)
    write_bundle(signed, arguments.bundle)
    said = _said(check_signature(signed, [key.public], str(arguments.bundle)))
    console.emit({"path": str(arguments.bundle), "digest": signed.digest, "signature": said})
    console.say("bundle.signed", subject=str(arguments.bundle), **said)
    return DONE


def _release_of(arguments: argparse.Namespace, now: datetime) -> Release:
    """The seconds since 1970 rise by themselves: who numbers releases otherwise says so."""
    name = arguments.name or arguments.bundle.absolute().name.removesuffix(ZIP_SUFFIX)
    return Release(name, arguments.release or int(now.timestamp()), now)


def _release(value: str) -> int:
    """Read the number of a release.

    >>> _release("7")
    7
    """
    if not value.isascii() or not value.isdecimal() or not 1 <= int(value) <= MAX_RELEASE:
        raise argparse.ArgumentTypeError(f"{value!r} is not a whole number from 1 to {MAX_RELEASE}")
    return int(value)


def _said(signature: Signature) -> dict[str, Any]:
    release = signature.release
    return {
        "key": signature.key,
        "name": release.name,
        "release": release.number,
        "created": as_text(release.created),
    }


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
