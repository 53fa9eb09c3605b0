"""What holds for every place that bundles come from; and what for one kind alone."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from tests.datasets.registry.conftest import NAME, Kept, registered
from tests.serving.notify.receivers import free_port

from andon.datasets.registry import tags
from andon.datasets.registry.folder_store import FolderStore
from andon.datasets.registry.http import Server
from andon.datasets.registry.mlflow_store import MlflowStore
from andon.datasets.registry.opening import open_source
from andon.datasets.registry.service_store import ServiceStore
from andon.models.bundle.bundle import VisionBundle
from andon.models.bundle.signature import Release, check_signature, sign_bundle
from andon.models.bundle.storage import pack_bundle
from andon.models.signing.keys import SigningKey, generate_key
from andon.models.types.errors import BundleError, InputError, NotFoundError, OptionError, ResourceError

NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture(scope="session")
def key() -> SigningKey:
    return generate_key()


@pytest.fixture
def signed(tiny_bundle: VisionBundle, key: SigningKey) -> Callable[..., VisionBundle]:
    """Another bundle for each version, signed as a release."""

    def make(version: int, release: int) -> VisionBundle:
        bundle = replace(tiny_bundle, manifest=replace(tiny_bundle.manifest, seed=version))
        return sign_bundle(bundle, Release(NAME, release, NOW), key)

    return make


def test_the_champion_comes_whole_and_signed(kept: Kept, signed: Callable[..., VisionBundle], key: SigningKey) -> None:
    for version in (1, 2):
        bundle = signed(version, version)
        kept.publish(bundle)
        assert kept.source.find(NAME) == bundle.digest
        found = kept.source.get(NAME)
        assert (found.digest, found.files) == (bundle.digest, bundle.files)
        assert check_signature(found, [key.public], NAME).release.number == version


def test_a_bundle_may_be_signed_later(kept: Kept, signed: Callable[..., VisionBundle], key: SigningKey) -> None:
    kept.publish(replace(signed(3, 1), signature=None))
    kept.publish(signed(3, 7))
    assert check_signature(kept.source.get(NAME), [key.public], NAME).release.number == 7


@pytest.mark.parametrize(("name", "alias"), [("strange", "champion"), (NAME, "nobody")])
def test_what_is_not_known_is_not_found(kept: Kept, signed: Callable[..., VisionBundle], name: str, alias: str) -> None:
    kept.publish(signed(1, 1))
    for ask in (kept.source.find, kept.source.get):
        with pytest.raises(NotFoundError):
            ask(name, alias)


@pytest.mark.parametrize(
    ("name", "alias"), [("../up", "champion"), ("a/b", "champion"), ("", "champion"), (NAME, "a/b")]
)
def test_what_cannot_be_a_name_is_refused(kept: Kept, name: str, alias: str) -> None:
    for ask in (kept.source.find, kept.source.get):
        with pytest.raises(OptionError):
            ask(name, alias)


@pytest.mark.parametrize("scheme", ["", "mlflow+"])
def test_a_server_that_is_away_is_a_failed_resource(scheme: str) -> None:
    source = open_source(f"{scheme}http://127.0.0.1:{free_port()}")
    with pytest.raises(ResourceError, match=r"update\.store .*127\.0\.0\.1"):
        source.find(NAME)


@pytest.mark.parametrize("address", ["ftp://host", "mlflow+ftp://host", "mlflow+folder", "https://a:b:c"])
def test_an_address_that_leads_nowhere_is_refused(address: str) -> None:
    with pytest.raises(OptionError, match=r"update\.address"):
        open_source(address)


def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"update\.address"):
        open_source("https://host", ca=tmp_path / "none.pem")


def test_an_address_says_what_it_is(tmp_path: Path) -> None:
    assert isinstance(open_source(str(tmp_path)), FolderStore)
    assert isinstance(open_source("https://host"), ServiceStore)
    assert isinstance(open_source("mlflow+https://host"), MlflowStore)


# A folder


def test_only_what_is_kept_is_promoted(tmp_path: Path, signed: Callable[..., VisionBundle]) -> None:
    store = FolderStore(tmp_path)
    store.promote(NAME, store.put(signed(1, 1), NAME))
    for version in (signed(2, 2).digest, "x", "../../x"):
        with pytest.raises(NotFoundError):
            store.promote(NAME, version)
    assert store.find(NAME) == signed(1, 1).digest


def test_an_alias_leads_where_it_was_put(tmp_path: Path, signed: Callable[..., VisionBundle]) -> None:
    store = FolderStore(tmp_path)
    for version, alias in ((1, "champion"), (2, "wave-1")):
        store.promote(NAME, store.put(signed(version, version), NAME), alias)
    assert store.get(NAME).digest == signed(1, 1).digest
    assert store.get(NAME, "wave-1").digest == signed(2, 2).digest


@pytest.mark.parametrize("text", ["", "x", "\xff", "a" * 500])
def test_a_damaged_alias_is_named(tmp_path: Path, signed: Callable[..., VisionBundle], text: str) -> None:
    store = FolderStore(tmp_path)
    store.promote(NAME, store.put(signed(1, 1), NAME))
    (tmp_path / NAME / "aliases" / "champion").write_text(text, "latin-1")
    with pytest.raises(ResourceError, match="champion"):
        store.find(NAME)


def test_a_bundle_under_anothers_digest_is_refused(tmp_path: Path, signed: Callable[..., VisionBundle]) -> None:
    store = FolderStore(tmp_path)
    store.promote(NAME, store.put(signed(1, 1), NAME))
    store.path(NAME, signed(1, 1).digest).write_bytes(pack_bundle(signed(2, 2)))
    with pytest.raises(BundleError, match=r"update\.other"):
        store.get(NAME)


# HTTP


def server_of(answer: Callable[[httpx.Request], httpx.Response], deadline_s: float = 60.0) -> Server:
    client = httpx.Client(base_url="http://user:secret@host:1", transport=httpx.MockTransport(answer))
    return Server(client, deadline_s)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, OptionError), (403, OptionError), (404, NotFoundError), (302, ResourceError), (503, ResourceError)],
)
def test_each_way_to_fail_is_told_apart(status: int, kind: type[InputError]) -> None:
    server = server_of(lambda request: httpx.Response(status, headers={"location": "http://elsewhere"}))
    with pytest.raises(kind) as caught:
        server.document("/x")
    assert "secret" not in str(caught.value)


def test_more_than_is_allowed_is_not_read() -> None:
    server = server_of(lambda request: httpx.Response(200, content=b"x" * 1000))
    assert len(server.fetch("/x", 1000)) == 1000
    with pytest.raises(ResourceError, match="999 B"):
        server.fetch("/x", 999)


def test_an_answer_that_drips_is_ended() -> None:
    def drip() -> Iterator[bytes]:
        while True:
            yield b"x"

    server = server_of(lambda request: httpx.Response(200, content=drip()), deadline_s=0.05)
    with pytest.raises(ResourceError, match="0 s"):
        server.fetch("/x", 1 << 40)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"bundle_digest": 3}', b'{"bundle_digest": "\xff"}', b"[" * 100_000])
def test_a_service_that_answers_otherwise_is_a_failed_resource(body: bytes) -> None:
    with pytest.raises(ResourceError):
        ServiceStore(server_of(lambda request: httpx.Response(200, content=body))).find(NAME)


def test_what_does_not_serve_is_not_found() -> None:
    answer = httpx.Response(200, json={"bundle_digest": None})
    with pytest.raises(NotFoundError):
        ServiceStore(server_of(lambda request: answer)).find(NAME)


# MLflow


def registry_with(files: list[dict[str, object]], uri: str = "mlflow-artifacts:/1/m", **tags: str) -> MlflowStore:
    """A registry of one version whose files are listed so."""
    said = [{"key": key, "value": value} for key, value in {"andon.bundle_digest": "00", **tags}.items() if value]
    version = {"name": NAME, "version": "1", "tags": said}

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("get-download-uri"):
            return httpx.Response(200, json={"artifact_uri": uri})
        if path.endswith("mlflow-artifacts/artifacts"):
            return httpx.Response(200, json={"files": files if "goldens" not in str(request.url.query) else []})
        if path.endswith("registered-models/get"):
            model = {"name": NAME, "aliases": [{"alias": "champion", "version": "1"}]}
            return httpx.Response(200, json={"registered_model": model})
        assert "/artifacts/" not in path, "nothing is to be fetched"
        return httpx.Response(200, json={"model_version": version})

    return MlflowStore(server_of(answer))


@pytest.mark.parametrize(
    "files",
    [
        [{"path": "../../etc", "is_dir": True}],
        [{"path": "..", "is_dir": False}],
        [{"path": "a\\b", "is_dir": False}],
        [{"path": "more", "is_dir": True}],
        [{"path": f"{number}", "is_dir": False} for number in range(5000)],
    ],
)
def test_files_that_no_bundle_has_are_not_fetched(files: list[dict[str, object]]) -> None:
    with pytest.raises(BundleError):
        registry_with(files).get(NAME)


def test_a_version_that_is_no_bundle_is_named() -> None:
    with pytest.raises(NotFoundError, match=r"andon\.bundle_digest"):
        registry_with([], **{"andon.bundle_digest": ""}).find(NAME)


def test_artifacts_that_the_server_does_not_serve_are_named() -> None:
    with pytest.raises(ResourceError, match="s3://bucket"):
        registry_with([], uri="s3://bucket/1").get(NAME)


def test_the_bundle_is_where_the_training_puts_it() -> None:
    pytest.importorskip("mlflow", reason="the extra train is not installed")
    from andon.training.tracking.flavours import BUNDLE_ARTIFACT

    assert f"artifacts/{BUNDLE_ARTIFACT}" == tags.BUNDLE_IN_MODEL


def test_files_of_another_bundle_than_the_tag_says_are_refused(
    mlflow_server: str, tmp_path: Path, signed: Callable[..., VisionBundle]
) -> None:
    kept = registered(mlflow_server, tmp_path)
    kept.publish(signed(5, 1))
    api = f"{mlflow_server}/api/2.0/mlflow"
    asked = {"name": NAME, "alias": "champion"}
    version = httpx.get(f"{api}/registered-models/alias", params=asked).json()["model_version"]["version"]
    said = {"name": NAME, "version": version, "key": tags.DIGEST_TAG, "value": signed(6, 1).digest}
    httpx.post(f"{api}/model-versions/set-tag", json=said).raise_for_status()
    with pytest.raises(BundleError, match=r"update\.other"):
        kept.source.get(NAME)
