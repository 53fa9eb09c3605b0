"""The command ``andon serve``."""

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_address
from math import nan
from pathlib import Path

import uvicorn

from andon.datasets.assets.known import known_machine
from andon.datasets.assets.register import FOLDER, AssetRegister
from andon.datasets.store.commands import add_blobs, add_database
from andon.datasets.store.opening import StoreOptions, open_store
from andon.models.bundle.bundle import MANIFEST
from andon.models.command.console import Console
from andon.models.command.options import andon_home, define, natural
from andon.models.messages.catalogue import Catalogue
from andon.models.monitoring.watch import Machines
from andon.models.types.errors import OptionError, ResourceError
from andon.serving.api.app import DEFAULTS, create_app
from andon.serving.api.service import ServiceOptions
from andon.serving.engine.repository import ModelRepository
from andon.serving.logs import log_as_json

GRACE_S = 10
MAX_PORT = 65535


def serve(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Define the command."""
    define(parser, text, "serve", _serve)
    parser.add_argument("--bundles", type=Path, metavar="DIR", help=text.text("help.serve_bundles"))
    add_database(parser, text)
    add_blobs(parser, text)
    parser.add_argument("--origin", default=socket.gethostname(), metavar="NAME", help=text.text("help.serve_origin"))
    parser.add_argument("--reserve-mib", type=natural, default=512, metavar="N", help=text.text("help.serve_reserve"))
    parser.add_argument("--host", default="127.0.0.1", metavar="HOST", help=text.text("help.serve_host"))
    parser.add_argument("--port", type=_port, default=8000, metavar="N", help=text.text("help.serve_port"))
    parser.add_argument(
        "--threads", type=_count, default=DEFAULTS.threads, metavar="N", help=text.text("help.serve_threads")
    )
    parser.add_argument(
        "--poll-seconds",
        type=_seconds,
        default=DEFAULTS.poll_seconds,
        metavar="S",
        help=text.text("help.serve_poll_seconds"),
    )


def _serve(arguments: argparse.Namespace, console: Console) -> int:
    home = andon_home(os.environ)
    folder = _bundle_folder(arguments.bundles, home)
    with listen_on(arguments.host, arguments.port) as listener:
        log_as_json(sys.stderr)
        repository = ModelRepository(folder)
        options = ServiceOptions(threads=arguments.threads, poll_seconds=arguments.poll_seconds)
        store = open_store(home, _store_options(arguments))
        config = uvicorn.Config(
            create_app(repository, store, options=options, machines=_machines(home)),
            log_config=None,
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=GRACE_S,
        )
        server = _Server(config, lambda: _announce(console, listener, repository))
        with _stopped_by_signals():
            asyncio.run(server.serve(sockets=[listener]))
    return 0


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._listening()


def _announce(console: Console, listener: socket.socket, repository: ModelRepository) -> None:
    models = [model.name for model in repository.models()]
    url = _url(listener)
    console.say("serving.listening", url=url, models=", ".join(models) or "-")
    console.emit({"url": url, "models": models})
    console.stdout.flush()


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family is socket.AF_INET6 else f"http://{host}:{port}"


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGINT end the command as done: uvicorn stops at them, then raises them once more for others."""
    former = {each: signal.signal(each, lambda *_: None) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in former.items():
            signal.signal(each, handler)


def _store_options(arguments: argparse.Namespace) -> StoreOptions:
    return StoreOptions(arguments.origin, arguments.db, arguments.blobs, arguments.reserve_mib << 20)


def _machines(home: Path) -> Machines:
    """What the register knows when it is asked: machines that are imported while the service runs are known at once."""
    return partial(known_machine, AssetRegister(home / FOLDER))


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


def listen_on(host: str, port: int) -> socket.socket:
    """Open a listening socket on a loopback address.

    Raises
    ------
    OptionError
        The host is unknown, or others could reach it.
    ResourceError
        The port is taken or not allowed.
    """
    family, address = _loopback(host, port)
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # Connections inherit it. Without it the body of an answer waits 40 ms for the acknowledgement of its head.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if os.name == "posix":  # elsewhere it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise ResourceError("serving.port", f"{host}:{port}", reason=reason) from error
    return listener


def _loopback(host: str, port: int) -> tuple[int, tuple[str, int]]:
    """Find the address of ``host``, which others must not be able to reach as long as there are no keys."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise OptionError("serving.host_unknown", "--host", found=host) from error
    if not ip_address(address[0]).is_loopback:
        raise OptionError("serving.host_public", "--host", found=host)
    return family, (str(address[0]), port)


def _port(value: str) -> int:
    if not (value.isdecimal() and int(value) <= MAX_PORT):
        raise argparse.ArgumentTypeError(f"{value!r} is not between 0 and {MAX_PORT}")
    return int(value)


def _count(value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"{value!r} is not 1 or more")
    return int(value)


def _seconds(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = nan
    if not 0.05 <= number <= 3600:
        raise argparse.ArgumentTypeError(f"{value!r} is not between 0.05 and 3600")
    return number
