"""A service under load by a process whose time does not count."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI


def cpu_ms(work: Callable[[], object], count: int) -> float:
    """Milliseconds of this process's time that each of ``count`` pieces of ``work`` takes."""
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1e3 / count


@contextmanager
def serving(app: FastAPI) -> Iterator[int]:
    """Serve on a free port, which is given."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join()


@contextmanager
def asking(script: str, words: list[str], body: bytes) -> Iterator[Callable[[], None]]:
    """Start a client: a script that reads a body, and then sends its requests for each line that it reads.

    What is given makes it send them once, and waits until they are answered.
    """
    command = [sys.executable, "-c", script, *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        told, heard = process.stdin, process.stdout
        told.write(b"%d\n%b" % (len(body), body))

        def post() -> None:
            told.write(b"\n")
            told.flush()
            if heard.readline() != b"\n":
                raise RuntimeError("a request failed")

        yield post
        told.close()
