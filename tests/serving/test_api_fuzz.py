"""Whatever the interfaces' own description allows, and much that it does not, is answered in its form and never with a failure."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import requests
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from starlette.testclient import TestClient
from tests.serving.clients import at_this_machine
from tests.serving.conftest import OPTIONS

from andon.datasets.store.opening import Store
from andon.serving.api.app import create_app
from andon.serving.engine.repository import ModelRepository

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed (extra dev)")

EACH = 40 if os.environ.get("ANDON_SOAK") else 4
AT_LEAST = 1000 if os.environ.get("ANDON_SOAK") else 150
ENDLESS = {("get", "/api/v1/events")}
WOULD_LOCK_OUT = ("/api/v1/keys", "/api/v1/invitations", "/api/v1/users", "/api/v1/password")
"""Once there is a key or a user, everybody must say who they are; tests of their own ask these."""
LIMITED = settings(
    max_examples=EACH,
    database=None,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
SENT = ("method", "url", "headers", "params", "json", "data", "files")


@pytest.fixture
def app(repository: ModelRepository, store: Store) -> FastAPI:
    return create_app(repository, store, OPTIONS)


@pytest.fixture
def asking(app: FastAPI) -> Iterator[TestClient]:
    with at_this_machine(app, raise_server_exceptions=False) as started:
        yield started


def operations(app: FastAPI) -> Iterator[Any]:
    for found in schemathesis.openapi.from_dict(app.openapi()).get_all_operations():
        operation = found.ok()
        locks_out = operation.method == "post" and operation.path.startswith(WOULD_LOCK_OUT)
        if (operation.method, operation.path) not in ENDLESS and not locks_out:
            yield operation


def check(path: str, answer: Any) -> None:
    """A failure is never an answer; an error has the form of its interface."""
    assert answer.status_code < 500, answer.text
    if answer.status_code < 400:
        return
    said = answer.json()
    if path.startswith("/v2"):
        assert said.keys() == {"error"}
    elif path == "/invocations":
        assert said.keys() == {"error_code", "message"}
    else:
        assert answer.headers["content-type"] == "application/problem+json"
        assert said.keys() == {"type", "title", "status", "detail", "code"}


def ask(client: TestClient, asked: Counter[int], path: str, case: Any) -> None:
    words = case.as_transport_kwargs(base_url="http://127.0.0.1")
    # As schemathesis would send it: it gives values to forms that only this client takes.
    sent = requests.Request(**{name: value for name, value in words.items() if name in SENT}).prepare()
    body: Any = sent.body or b""
    headers = {name: str(value) for name, value in sent.headers.items()}
    answer = client.request(str(sent.method), str(sent.url), headers=headers, content=body)
    asked[answer.status_code] += 1
    check(path, answer)


def run(operation: Any, put: Callable[[Any], None]) -> None:
    @LIMITED
    @given(operation.as_strategy())
    def one(case: Any) -> None:
        put(case)

    one()


@pytest.mark.soak
def test_nothing_that_the_description_allows_is_a_failure(
    app: FastAPI, asking: TestClient, record_property: Any
) -> None:
    asked = Counter[int]()
    for operation in operations(app):
        run(operation, partial(ask, asking, asked, operation.path))
    record_property("answers", {str(int(status)): count for status, count in asked.items()})
    assert asked.total() >= AT_LEAST
    assert {200, 400, 404} <= asked.keys()
