"""Clients of a service in process."""

from fastapi import FastAPI
from starlette.testclient import TestClient


def at_this_machine(app: FastAPI, raise_server_exceptions: bool = True) -> TestClient:
    """Somebody who works at the machine that the service runs on: let in while there is neither a key nor a user."""
    return TestClient(
        app,
        base_url="http://127.0.0.1",
        client=("127.0.0.1", 50_000),
        raise_server_exceptions=raise_server_exceptions,
    )
