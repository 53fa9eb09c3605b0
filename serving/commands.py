"""The command ``andon serve``."""

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from ssl import SSLContext

import uvicorn
from fastapi import FastAPI

from andon.datasets.assets.known import known_machine
from andon.datasets.assets.register import FOLDER, AssetRegister
from andon.datasets.store.accounts import Accounts
from andon.datasets.store.commands import add_blobs, add_database, add_keeping, rules_of
from andon.datasets.store.opening import Store, StoreOptions, open_store
from andon.models.bundle.bundle import MANIFEST
from andon.models.command.console import Console
from andon.models.command.logs import log_as_json
from andon.models.command.options import andon_home, define, natural, positive
from andon.models.messages.catalogue import Catalogue
from andon.models.signing.server_tls import TlsFiles, tls_context
from andon.models.types.errors import OptionError, ResourceError
from andon.serving.api.app import DEFAULTS, Surroundings, create_app
from andon.serving.api.service import ServiceOptions
from andon.serving.engine.engine import DEFAULT_LIMITS, Limits
from andon.serving.engine.repository import ModelRepository
from andon.serving.notify.configuration import load_configuration
from andon.serving.notify.opening import open_notifier
from andon.serving.notify.sender import sending
from andon.serving.security.grades import Grade
from andon.serving.security.listening import check_binding, tls_files
from andon.serving.security.oidc_file import load_oidc
from andon.serving.security.options import SecurityOptions
from andon.serving.security.visits import read_networks
from andon.serving.sockets import is_loopback, listen_on, url_of
from andon.serving.tracing import tracing_of

GRACE_S = 10
KEEP_ALIVE_S = 75
"""A camera that sends an image a minute keeps its connection."""
MAX_PORT = 65535


def serve(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Define the command."""
    define(parser, text, "serve", _serve)
    parser.add_argument("--bundles", type=Path, metavar="DIR", help=text.text("help.serve_bundles"))
    add_database(parser, text)
    add_blobs(parser, text)
    add_keeping(parser, text)
    parser.add_argument("--origin", default=socket.gethostname(), metavar="NAME", help=text.text("help.serve_origin"))
    parser.add_argument("--reserve-mib", type=natural, default=512, metavar="N", help=text.text("help.serve_reserve"))
    grades = [grade.value for grade in Grade]
    parser.add_argument("--grade", choices=grades, default=Grade.INTERNAL.value, help=text.text("help.serve_grade"))
    parser.add_argument("--notify", type=Path, metavar="FILE", help=text.text("help.serve_notify"))
    _add_address(parser, text)
    _add_limits(parser, text)


def _add_address(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    parser.add_argument("--host", default="127.0.0.1", metavar="HOST", help=text.text("help.serve_host"))
    parser.add_argument("--port", type=_port, default=8000, metavar="N", help=text.text("help.serve_port"))
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help=text.text("help.serve_tls_cert"))
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help=text.text("help.serve_tls_key"))
    parser.add_argument(
        "--trusted-proxy", action="append", default=[], metavar="NET", help=text.text("help.serve_trusted_proxy")
    )
    parser.add_argument("--behind-tls", action="store_true", help=text.text("help.serve_behind_tls"))
    parser.add_argument("--oidc", type=Path, metavar="FILE", help=text.text("help.serve_oidc"))


def _add_limits(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    limits = DEFAULT_LIMITS
    for word, kind, default, code in (
        ("--threads", _count, DEFAULTS.threads, "help.serve_threads"),
        ("--poll-seconds", _seconds, DEFAULTS.poll_seconds, "help.serve_poll_seconds"),
        ("--max-waiting", _count, limits.waiting, "help.serve_max_waiting"),
        ("--deadline-seconds", positive, limits.deadline_s, "help.serve_deadline_seconds"),
    ):
        parser.add_argument(word, type=kind, default=default, metavar="N", help=text.text(code))


def _serve(arguments: argparse.Namespace, console: Console) -> int:
    home = andon_home(os.environ)
    repository = ModelRepository(_bundle_folder(arguments.bundles, home))
    tls = tls_files(arguments.tls_cert, arguments.tls_key)
    context = tls_context(tls) if tls else None
    options, guarded = _options(arguments), _guarded(arguments, tls)
    with _opened(home, arguments) as store:
        around = _around(arguments, home, store)
        with _listening(arguments, store, guarded, console) as listener:
            log_as_json(sys.stderr)
            app = create_app(repository, store, options, guarded, around)
            announce = partial(_announce, console, listener, repository, tls)
            _run(_Server(_configured(app, context), announce, app.state.leave), listener)
    return 0


def _configured(app: FastAPI, context: SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        server_header=False,
        ssl_context_factory=(lambda *_: context) if context else None,
    )


def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    with _stopped_by_signals():
        asyncio.run(server.serve(sockets=[listener]))


class _Server(uvicorn.Server):
    """Says when it listens, and when it leaves."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None], leaving: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening
        self._leaving = leaving

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Those who follow events would otherwise be waited for.
        self._leaving()
        await super().shutdown(sockets)


def _announce(console: Console, listener: socket.socket, repository: ModelRepository, tls: TlsFiles | None) -> None:
    models = [model.name for model in repository.models()]
    url = url_of(listener, "https" if tls else "http")
    console.say("serving.listening", url=url, models=", ".join(models) or "-")
    console.emit({"url": url, "models": models})
    console.stdout.flush()


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGINT end the command as done: uvicorn stops at them, then raises them once more for others."""
    former = {each: signal.signal(each, lambda *_: None) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in former.items():
            signal.signal(each, handler)


@contextmanager
def _opened(home: Path, arguments: argparse.Namespace) -> Iterator[Store]:
    options = StoreOptions(arguments.origin, arguments.db, arguments.blobs, arguments.reserve_mib << 20)
    store = open_store(home, options)
    with store.database:
        yield store


def _options(arguments: argparse.Namespace) -> ServiceOptions:
    limits = Limits(arguments.max_waiting, arguments.deadline_seconds)
    return ServiceOptions(
        threads=arguments.threads,
        poll_seconds=arguments.poll_seconds,
        grade=Grade(arguments.grade),
        keeping=rules_of(arguments),
        limits=limits,
    )


def _guarded(arguments: argparse.Namespace, tls: TlsFiles | None) -> SecurityOptions:
    return SecurityOptions(
        is_loopback=is_loopback(arguments.host),
        has_tls=tls is not None or arguments.behind_tls,
        trusted_proxies=read_networks(arguments.trusted_proxy),
        oidc=load_oidc(arguments.oidc, os.environ) if arguments.oidc else None,
    )


def _listening(
    arguments: argparse.Namespace, store: Store, guarded: SecurityOptions, console: Console
) -> socket.socket:
    """Listen where that lets nobody in whom nobody knows."""
    known = Accounts(store.database).exist()
    for warning in check_binding(is_loopback=guarded.is_loopback, has_credentials=known, has_tls=guarded.has_tls):
        console.say(warning)
    return listen_on(arguments.host, arguments.port)


def _around(arguments: argparse.Namespace, home: Path, store: Store) -> Surroundings:
    """What the register knows when it is asked: machines that are imported while the service runs are known at once."""
    around = Surroundings(machines=partial(known_machine, AssetRegister(home / FOLDER)), tracing=tracing_of(os.environ))
    if arguments.notify is None:
        return around
    notifier = open_notifier(load_configuration(arguments.notify, os.environ), store.database)
    return replace(around, teller=notifier, beside=[sending(notifier)])


def _bundle_folder(given: Path | None, home: Path) -> Path:
    """Use the folder that is given, which must be there, or Andon's own, which is made."""
    if given is None:
        return _own_folder(home / "bundles")
    if not given.is_dir():
        raise OptionError("serving.no_folder", str(given))
    if (given / MANIFEST).is_file():
        raise OptionError("serving.is_bundle", str(given), parent=str(given.absolute().parent))
    return given


def _own_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError("serving.folder_unreadable", str(folder), reason=error.strerror or str(error)) from error
    return folder


def _port(value: str) -> int:
    if not (value.isdecimal() and int(value) <= MAX_PORT):
        raise argparse.ArgumentTypeError(f"{value!r} is not between 0 and {MAX_PORT}")
    return int(value)


def _count(value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"{value!r} is not 1 or more")
    return int(value)


def _seconds(value: str) -> float:
    if not 0.05 <= (number := positive(value)) <= 3600:
        raise argparse.ArgumentTypeError(f"{value!r} is not between 0.05 and 3600")
    return number
