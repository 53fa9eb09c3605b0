"""The grade of what is kept decides who may take it away."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.serving.clients import at_this_machine
from tests.serving.conftest import OPTIONS

from andon.datasets.store.accounts import Accounts
from andon.datasets.store.opening import Store
from andon.models.types.vision import Frame
from andon.serving.api.app import create_app
from andon.serving.engine.repository import ModelRepository
from andon.serving.security.grades import Grade
from andon.serving.security.issuing import new_key
from andon.serving.security.roles import Role

EXPECTED = {
    (Grade.INTERNAL, Role.VIEWER): (200, 403),
    (Grade.INTERNAL, Role.ENGINEER): (200, 200),
    (Grade.IMPORTANT, Role.VIEWER): (403, 403),
    (Grade.IMPORTANT, Role.ENGINEER): (200, 403),
    (Grade.IMPORTANT, Role.ADMIN): (200, 200),
    (Grade.CORE, Role.ENGINEER): (403, 403),
    (Grade.CORE, Role.ADMIN): (200, 403),
}


@pytest.mark.parametrize(("grade", "role"), list(EXPECTED))
def test_images_are_looked_at_and_the_ledger_taken_as_the_grade_allows(
    repository: ModelRepository,
    store: Store,
    draw_plate: Callable[..., Frame],
    png: Callable[[Frame], bytes],
    grade: Grade,
    role: Role,
) -> None:
    app = create_app(repository, store, replace(OPTIONS, grade=grade))
    with at_this_machine(app) as client:
        answer = client.post("/api/v1/inspections", content=png(draw_plate(3))).json()
        given, kept = new_key("reader", role, None, None, datetime.now(UTC))
        Accounts(store.database).add_key(kept)
        client.headers["Authorization"] = f"Bearer {given.text}"
        image = client.get(f"/api/v1/inspections/{answer['id']}/image")
        chain = client.get("/api/v1/ledger/entries", params={"origin": "test"})
    assert (image.status_code, chain.status_code) == EXPECTED[grade, role]
