"""A bundle is fetched from the service as it lies there: whole, and signed."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from andon.models.bundle.bundle import VisionBundle
from andon.models.bundle.signature import Release, check_signature, sign_bundle
from andon.models.bundle.storage import unpack_bundle, write_bundle
from andon.models.signing.keys import generate_key
from andon.serving.engine.repository import ModelRepository

URL = "/api/v1/bundles/plates/content"


def test_what_serves_is_fetched_with_its_signature(
    repository: ModelRepository, bundles: Path, tiny_bundle: VisionBundle, client: TestClient
) -> None:
    key = generate_key()
    signed = sign_bundle(tiny_bundle, Release("plates", 1, datetime.now(UTC)), key)
    write_bundle(signed, bundles / "plates")
    answer = client.get(URL)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    found = unpack_bundle(answer.content, "plates")
    assert (found.digest, found.files) == (tiny_bundle.digest, tiny_bundle.files)
    assert check_signature(found, [key.public], "plates")


def test_what_does_not_serve_is_not_found(client: TestClient) -> None:
    assert client.get("/api/v1/bundles/strange/content").status_code == 404


def test_another_bundle_on_disk_is_not_given_for_the_one_that_serves(
    client: TestClient,
    repository: ModelRepository,
    bundles: Path,
    variant: Callable[[int], VisionBundle],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(repository, "poll", lambda: None)
    write_bundle(variant(9), bundles / "plates")
    answer = client.get(URL)
    assert (answer.status_code, answer.json()["code"]) == (503, "serving.bundle_changing")


def test_a_damaged_bundle_is_not_given(
    client: TestClient,
    repository: ModelRepository,
    bundles: Path,
    break_bundle: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(repository, "poll", lambda: None)
    break_bundle(bundles / "plates")
    answer = client.get(URL)
    assert (answer.status_code, answer.json()["code"]) == (503, "serving.bundle_unreadable")
