"""The pages of the HTTP interfaces say what the OpenAPI document says, and no more."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from andon.datasets.store.opening import StoreOptions, open_store
from andon.serving.api.app import create_app
from andon.serving.engine.repository import ModelRepository
from andon.serving.security.access import role_needed

ROOT = Path(__file__).parents[2]
PAGES = ("docs/api.md", "docs/api.zh-CN.md")
ROW = re.compile(r"^\| ([A-Z]+) \| `(/[^`]*)` \| (\w+) \| (.*?) ?\| (.+) \|$", re.MULTILINE)


class Route(NamedTuple):
    method: str
    path: str


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[Route, frozenset[str]]:
    """What the application has: each route with its parameters besides those in the path."""
    home = tmp_path_factory.mktemp("home")
    (home / "bundles").mkdir()
    store = open_store(home, StoreOptions("docs"))
    with store.database:
        app = create_app(ModelRepository(home / "bundles"), store)
        document = app.openapi()
        app.state.leave()
    return {
        Route(method.upper(), path): parameters(operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


def parameters(operation: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(each["name"] for each in operation.get("parameters", []) if each["in"] != "path")


def rows(page: str) -> list[tuple[str, ...]]:
    return ROW.findall((ROOT / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES)
def test_each_route_is_there_once_and_no_other(page: str, routes: Mapping[Route, frozenset[str]]) -> None:
    written = [Route(method, path) for method, path, *_ in rows(page)]
    assert sorted(routes.keys() - set(written)) == [], "routes that the page does not name"
    assert sorted(set(written) - routes.keys()) == [], "routes that the page names and the service has not"
    assert len(written) == len(set(written))


@pytest.mark.parametrize("page", PAGES)
def test_each_parameter_is_named(page: str, routes: Mapping[Route, frozenset[str]]) -> None:
    written = {
        Route(method, path): frozenset(re.findall(r"`([^`]+)`", names)) for method, path, _, names, _ in rows(page)
    }
    shared = routes.keys() & written.keys()
    wrong = {each: written[each] ^ routes[each] for each in shared if written[each] != routes[each]}
    assert wrong == {}


@pytest.mark.parametrize("page", PAGES)
def test_the_roles_are_those_that_are_asked_for(page: str) -> None:
    for method, path, said, *_ in rows(page):
        role = role_needed(method, path)
        assert said == (role.word if role else "open"), f"{method} {path}"
