"""A real PostgreSQL server on a free port, in a folder that goes with the test run."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

PROGRAMS = Path("/usr/lib/postgresql")
OWNER = "postgres"
"""The server refuses to run as root; Debian's package brings this account."""


@dataclass
class PostgresServer:
    """A server that was started, and can be stopped and started again."""

    folder: Path
    port: int
    numbers: Iterator[int] = field(default_factory=count)

    def new_database(self) -> str:
        """Make an empty database and return its address."""
        name = f"andon_{next(self.numbers)}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self._address(name)

    def start(self) -> None:
        # No flush to the disk: tests kill processes and not the machine.
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c fsync=off"
        self._run("pg_ctl", "-D", self._data, "-o", options, "-l", str(self.folder / "log"), "-w", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")

    def initialise(self) -> None:
        self._run("initdb", "-D", self._data, "-U", OWNER, "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C")

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _address(self, database: str) -> str:
        return f"postgresql://{OWNER}@127.0.0.1:{self.port}/{database}"

    def _run(self, program: str, *words: str) -> None:
        command = [str(programs() / program), *words]
        if os.getuid() == 0:
            command = ["runuser", "-u", OWNER, "--", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")


def programs() -> Path:
    """Where the newest installed version keeps its programs."""
    return max(PROGRAMS.glob("*/bin"), key=lambda path: int(path.parent.name))


def absent() -> str | None:
    """Say why there can be no server here."""
    if not any(PROGRAMS.glob("*/bin/pg_ctl")):
        return "PostgreSQL's server is not installed (apt-get install postgresql)"
    if os.getuid() == 0 and not shutil.which("runuser"):
        return "runuser is missing, and PostgreSQL's server does not run as root"
    return None


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start a server and stop it."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if os.getuid() == 0:
            account = pwd.getpwnam(OWNER)
            os.chown(folder, account.pw_uid, account.pw_gid)
        yield from _started(folder)


def _started(folder: Path) -> Iterator[PostgresServer]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    server = PostgresServer(folder, port)
    server.initialise()
    server.start()
    try:
        yield server
    finally:
        server.stop()
