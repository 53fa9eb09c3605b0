"""Where stations stand and what they run."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from tests.serving.clients import at_this_machine
from tests.serving.conftest import OPTIONS
from tests.serving.test_inspections import assert_problem

from andon.datasets.store.opening import Store
from andon.serving.api.app import create_app
from andon.serving.engine.repository import ModelRepository

DIGEST = "a" * 64


@pytest.fixture
def plant(repository: ModelRepository, kept: Store) -> Iterator[TestClient]:
    with at_this_machine(create_app(repository, kept, OPTIONS), raise_server_exceptions=False) as started:
        yield started


def test_a_station_stands_where_it_was_last_said_to(plant: TestClient) -> None:
    whole = {"cell": "C1", "line": "L1", "site": "苏州", "customer": "Acme"}
    assert plant.put("/api/v1/stations/S1", json=whole).status_code == 200
    plant.put("/api/v1/stations/S2", json={})
    plant.put("/api/v1/cameras/top", json={"station": "S2", "settings": {"exposure_us": 900}})
    first, second = plant.get("/api/v1/stations").json()["items"]
    assert first == {"name": "S1", **whole, "cameras": []}
    assert second["cameras"] == [{"name": "top", "settings": {"exposure_us": 900}}]
    plant.put("/api/v1/stations/S1", json={"cell": "C2"})
    moved = plant.get("/api/v1/stations").json()["items"][0]
    assert (moved["cell"], moved["line"]) == ("C2", None)


def test_a_recipe_never_changes(plant: TestClient) -> None:
    body = {"name": "lid", "bundle_digest": DIGEST, "station": "S1", "document": {"roi": [0, 0, 10, 10]}}
    first = plant.post("/api/v1/recipes", json=body).json()
    again = plant.post("/api/v1/recipes", json=body).json()
    other = plant.post("/api/v1/recipes", json={**body, "document": {}}).json()
    assert first == again
    assert first["digest"] != other["digest"]
    assert plant.get(f"/api/v1/recipes/{first['digest']}").json() == first
    assert {each["digest"] for each in plant.get("/api/v1/recipes").json()["items"]} == {
        first["digest"],
        other["digest"],
    }


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/api/v1/stations/S1", {"cel": "C1"}, 400),
        ("PUT", "/api/v1/stations/%00", {}, 400),
        ("PUT", "/api/v1/cameras/top", {}, 400),
        ("POST", "/api/v1/recipes", {"name": "lid", "bundle_digest": "x"}, 400),
        ("POST", "/api/v1/recipes", {"name": "lid", "bundle_digest": DIGEST, "document": {"n": 2**60}}, 400),
        ("GET", f"/api/v1/recipes/{DIGEST}", None, 404),
    ],
)
def test_what_cannot_be_used_is_a_problem(
    plant: TestClient, method: str, path: str, body: dict[str, object] | None, status: int
) -> None:
    answer = plant.request(method, path, json=body)
    assert_problem(answer, status, answer.json()["code"])
