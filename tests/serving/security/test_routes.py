"""The whole service and the table of roles: nothing that is served has been forgotten."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from tests.serving.security.conftest import OPTIONS
from tests.serving.security.test_single_sign_on import options_for

from andon.datasets.store.opening import Store
from andon.serving.api.app import create_app
from andon.serving.engine.repository import ModelRepository
from andon.serving.security.access import rule_of
from andon.serving.security.roles import Role

ADMINISTRATORS = re.compile(r"/api/v1/(invitations|users|keys|audit)")


@pytest.fixture
def app(bundles: Path, store: Store) -> Iterator[FastAPI]:
    made = create_app(ModelRepository(bundles), store, guarded=replace(OPTIONS, oidc=options_for("https://id.example")))
    with TestClient(made):
        yield made


def served(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Every method and an address for it: those that the OpenAPI document describes, and its own pages."""
    for path, methods in app.openapi()["paths"].items():
        yield from ((method.upper(), re.sub(r"{\w+}", "x", path)) for method in methods)
    for route in app.routes:
        if isinstance(route, Mount):
            yield "GET", f"{route.path}/x"
        elif isinstance(route, Route):
            yield from ((method, route.path) for method in (route.methods or set()) - {"HEAD"})


def test_every_route_has_a_row_of_its_own(app: FastAPI) -> None:
    routes = list(served(app))
    assert len(routes) > 40
    forgotten = [(method, path) for method, path in routes if " " not in rule_of(method, path).action]
    assert forgotten == []


def test_only_what_is_about_rights_is_for_administrators(app: FastAPI) -> None:
    for method, path in served(app):
        is_for_administrators = rule_of(method, path).role is Role.ADMIN
        assert is_for_administrators == bool(ADMINISTRATORS.match(path) and not path.endswith("/accept")), path


def test_no_change_is_open_but_those_by_which_people_come_in(app: FastAPI) -> None:
    open_changes = {path for method, path in served(app) if method != "GET" and rule_of(method, path).role is None}
    assert open_changes == {"/api/v1/sessions", "/api/v1/invitations/accept"}
