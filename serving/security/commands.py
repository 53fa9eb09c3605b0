"""``andon admin``: the first administrator, keys and users, for those who can reach the database."""

import argparse
import getpass
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from andon.datasets.store.accounts import Accounts, AuditEntry, Key
from andon.datasets.store.commands import add_database, database_of
from andon.datasets.store.upgrade import ensure_current
from andon.models.command.console import Console
from andon.models.command.main import DONE
from andon.models.command.options import Parser, Run, actions, andon_home, define, natural
from andon.models.messages.catalogue import Catalogue
from andon.models.types.errors import NotFoundError, ResourceError
from andon.models.types.moments import as_text
from andon.serving.security.documents import key_document, user_document
from andon.serving.security.issuing import new_invitation, new_key
from andon.serving.security.options import Lifetimes
from andon.serving.security.roles import ROLES
from andon.serving.security.tokens import ApiKey, digest_of, new_secret

COMMAND = "admin"
LIFETIMES = Lifetimes()


def admin(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Define ``andon admin invite``, ``key create|list|rotate|revoke`` and ``user list|disable|enable``."""
    add = actions(parser, text, COMMAND)
    invite = _add_rights(add("invite", _invite), text)
    invite.set_defaults(role="admin")
    add_database(invite, text)
    _define_keys(_group(add("key", _list_keys)), text)
    _define_users(_group(add("user", _list_users)), text)


def _define_keys(add: "_Words", text: Catalogue) -> None:
    create = _add_rights(_action(add, text, "key_create", _create_key), text)
    create.add_argument("--name", required=True, metavar="NAME", help=text.text("help.admin_name"))
    create.add_argument("--expires", type=_days, metavar="DAYS", help=text.text("help.admin_expires"))
    _action(add, text, "key_list", _list_keys)
    rotate = _add_key(_action(add, text, "key_rotate", _rotate_key), text)
    rotate.add_argument("--overlap-hours", type=natural, metavar="HOURS", help=text.text("help.admin_overlap_hours"))
    _add_key(_action(add, text, "key_revoke", _revoke_key), text)


def _define_users(add: "_Words", text: Catalogue) -> None:
    _action(add, text, "user_list", _list_users)
    for name, run in (("user_disable", _disable_user), ("user_enable", _enable_user)):
        _action(add, text, name, run).add_argument("user", metavar="NAME", help=text.text("help.admin_user_name"))


_Words = Callable[[str, str], argparse.ArgumentParser]
"""Adds a word with its help, and returns its parser."""


def _group(parser: argparse.ArgumentParser) -> _Words:
    words = parser.add_subparsers(required=True, metavar="ACTION", parser_class=Parser)

    def add(word: str, summary: str) -> argparse.ArgumentParser:
        return words.add_parser(word, help=summary)

    return add


def _action(add: _Words, text: Catalogue, name: str, run: Run) -> argparse.ArgumentParser:
    """Define one action of a group: ``key_list`` is ``andon admin key list``."""
    parser = add(name.partition("_")[2], text.text(f"help.{COMMAND}_{name}"))
    add_database(define(parser, text, f"{COMMAND}_{name}", run), text)
    return parser


def _add_rights(parser: argparse.ArgumentParser, text: Catalogue) -> argparse.ArgumentParser:
    parser.add_argument("--role", choices=list(ROLES), default="viewer", help=text.text("help.admin_role"))
    parser.add_argument("--customer", metavar="NAME", help=text.text("help.admin_customer"))
    return parser


def _add_key(parser: argparse.ArgumentParser, text: Catalogue) -> argparse.ArgumentParser:
    parser.add_argument("key", metavar="KEY", help=text.text("help.admin_key_name"))
    return parser


def _invite(arguments: argparse.Namespace, console: Console) -> int:
    now = datetime.now(UTC)
    token, invitation = new_invitation(ROLES[arguments.role], arguments.customer, LIFETIMES, now)
    with _accounts(arguments) as accounts:
        accounts.invite(invitation)
        _note(accounts, "admin invite", f"invitation {arguments.role}", now)
    minutes = LIFETIMES.invitation // timedelta(minutes=1)
    console.emit({"token": token, "role": arguments.role, "expires": as_text(invitation.expires)})
    console.say("security.invited", role=arguments.role, token=token, minutes=minutes)
    return DONE


def _create_key(arguments: argparse.Namespace, console: Console) -> int:
    now = datetime.now(UTC)
    lasts = None if arguments.expires is None else timedelta(days=arguments.expires)
    given, key = new_key(arguments.name, ROLES[arguments.role], arguments.customer, lasts, now)
    with _accounts(arguments) as accounts:
        accounts.add_key(key)
        _note(accounts, "admin key create", f"key {key.name} {key.id}", now)
    console.emit({**key_document(key), "key": given.text})
    console.say("security.key_made", subject=key.name, key=given.text)
    return DONE


def _rotate_key(arguments: argparse.Namespace, console: Console) -> int:
    now = datetime.now(UTC)
    hours = arguments.overlap_hours
    until = now + (LIFETIMES.overlap if hours is None else timedelta(hours=hours))
    with _accounts(arguments) as accounts:
        key = _find_key(accounts, arguments.key)
        given = ApiKey(key.id, new_secret())
        accounts.rotate_key(key.id, digest_of(given.secret), until)
        _note(accounts, "admin key rotate", f"key {key.name} {key.id}", now)
    console.emit({"id": key.id, "key": given.text, "former_until": as_text(until)})
    console.say("security.key_rotated", subject=key.name, key=given.text, until=as_text(until))
    return DONE


def _revoke_key(arguments: argparse.Namespace, console: Console) -> int:
    now = datetime.now(UTC)
    with _accounts(arguments) as accounts:
        key = _find_key(accounts, arguments.key)
        accounts.revoke_key(key.id, now)
        _note(accounts, "admin key revoke", f"key {key.name} {key.id}", now)
    console.emit({"id": key.id, "name": key.name, "revoked": as_text(key.revoked or now)})
    console.say("security.key_ended", subject=key.name)
    return DONE


def _list_keys(arguments: argparse.Namespace, console: Console) -> int:
    with _accounts(arguments) as accounts:
        for key in accounts.all_keys():
            document = key_document(key)
            console.emit(document)
            console.show_text(_line(document))
    return DONE


def _list_users(arguments: argparse.Namespace, console: Console) -> int:
    with _accounts(arguments) as accounts:
        for user in accounts.all_users():
            document = user_document(user)
            console.emit(document)
            console.show_text(_line(document))
    return DONE


def _disable_user(arguments: argparse.Namespace, console: Console) -> int:
    now = datetime.now(UTC)
    with _accounts(arguments) as accounts:
        accounts.disable(arguments.user, now)
        _note(accounts, "admin user disable", arguments.user, now)
    console.emit({"name": arguments.user, "disabled": as_text(now)})
    console.say("security.user_disabled", subject=arguments.user)
    return DONE


def _enable_user(arguments: argparse.Namespace, console: Console) -> int:
    with _accounts(arguments) as accounts:
        accounts.enable(arguments.user)
        _note(accounts, "admin user enable", arguments.user, datetime.now(UTC))
    console.emit({"name": arguments.user, "disabled": None})
    console.say("security.user_enabled", subject=arguments.user)
    return DONE


@contextmanager
def _accounts(arguments: argparse.Namespace) -> Iterator[Accounts]:
    if arguments.db is None:
        _make_home(andon_home(os.environ))
    with database_of(arguments) as database:
        ensure_current(database)
        yield Accounts(database)


def _make_home(home: Path) -> None:
    """Make the folder of Andon's own database: this may be the first command that is run at all."""
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError("security.home", str(home), reason=error.strerror or str(error)) from error


def _note(accounts: Accounts, action: str, subject: str, time: datetime) -> None:
    accounts.audit(AuditEntry(time, f"console:{_account()}", action, subject, "done", ""))


def _account() -> str:
    """Who works at the console; in a container there may be no such name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "-"


def _find_key(accounts: Accounts, word: str) -> Key:
    """Find a key by its identifier, or by its name among those that are not revoked."""
    for key in accounts.all_keys():
        if key.id == word or (key.name == word and key.revoked is None):
            return key
    raise NotFoundError("security.no_key", word)


def _days(value: str) -> int:
    if not (value.isdecimal() and 1 <= int(value) <= 3650):
        raise argparse.ArgumentTypeError(f"{value!r} is not a whole number of days from 1 to 3650")
    return int(value)


def _line(document: Mapping[str, Any]) -> str:
    return "  ".join(f"{name} {value}" for name, value in document.items() if value is not None)
