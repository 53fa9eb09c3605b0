"""The registry against one local store."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.training.tracking.conftest import PNG, aliases_of, code_of, with_foreign_bank, with_threshold

from andon.models.bundle.bundle import VisionBundle
from andon.models.bundle.runtime import load_bundle, load_inspector
from andon.models.bundle.signature import Release, check_signature, sign_bundle
from andon.models.bundle.storage import read_bundle, write_bundle
from andon.models.signing.keys import generate_key
from andon.models.types.errors import BundleError, OptionError, ResourceError
from andon.training.tracking import registry
from andon.training.tracking.logged_models import LoggedRun, find_bundle_model
from andon.training.tracking.registry import list_versions, promote, pull, push
from andon.training.tracking.session import session
from andon.training.tracking.store import TrackingStore


def test_push_registers_what_a_training_has_logged(logged: LoggedRun, store: TrackingStore, bundle_dir: Path) -> None:
    version = push(bundle_dir, "trained", store)
    digest = read_bundle(bundle_dir).digest
    assert (version.name, version.version, version.bundle_digest) == ("trained", 1, digest)
    assert version.run_id is not None
    with session(store) as client:
        assert client.get_run(version.run_id).data.metrics["auroc"] == 0.99
        assert client.get_model_version("trained", "1").tags == {"andon.bundle_digest": digest}


def test_push_gives_a_bundle_one_version_a_name(
    store: TrackingStore, tiny_bundle: VisionBundle, tmp_path: Path
) -> None:
    first, second = with_threshold(tiny_bundle, 2.5), with_threshold(tiny_bundle, 2.75)
    write_bundle(first, tmp_path / "first")
    write_bundle(second, tmp_path / "second.andon")

    pushed = [push(tmp_path / name, "板 1", store) for name in ("first", "second.andon", "first")]

    assert [each.version for each in pushed] == [1, 2, 1]
    assert [each.bundle_digest for each in pushed] == [first.digest, second.digest, first.digest]
    elsewhere = push(tmp_path / "first", "elsewhere", store)
    assert (elsewhere.version, elsewhere.run_id) == (1, pushed[0].run_id)


def test_the_champion_is_published(store: TrackingStore, bundle_dir: Path, published: Path) -> None:
    version = push(bundle_dir, "champions", store)
    challenger = promote("champions", "1", "challenger", store, published)
    assert challenger.published is None
    assert not published.exists()

    champion = promote("champions", "1", "champion", store, published)

    assert champion.published == published / "champions"
    assert load_bundle(published / "champions").bundle.digest == version.bundle_digest
    (listed,) = (each for each in list_versions(store) if each.name == "champions")
    assert listed.aliases == ("challenger", "champion")


def test_an_alias_moves(store: TrackingStore, tiny_bundle: VisionBundle, tmp_path: Path, published: Path) -> None:
    for threshold in (4.0, 5.0):
        write_bundle(with_threshold(tiny_bundle, threshold), tmp_path / "bundle")
        push(tmp_path / "bundle", "moving", store)
    for version in ("1", "2"):
        promote("moving", version, "champion", store, published)
    assert load_inspector(published / "moving").bundle.manifest.operating_point.threshold == 5.0
    pulled = pull("models:/moving@champion", tmp_path / "pulled", store)
    assert pulled.version == 2


def test_a_bundle_that_fails_its_goldens_is_not_promoted(
    store: TrackingStore, tiny_bundle: VisionBundle, tmp_path: Path, published: Path
) -> None:
    write_bundle(with_foreign_bank(tiny_bundle), tmp_path / "foreign")
    push(tmp_path / "foreign", "foreign", store)
    with pytest.raises(BundleError) as raised:
        promote("foreign", "1", "champion", store, published)
    assert code_of(raised) == "bundle.parity"
    assert not published.exists()
    assert aliases_of(store, "foreign") == {}


def test_a_bundle_that_was_changed_in_the_store_is_neither_promoted_nor_pulled(
    store: TrackingStore, home: Path, tiny_bundle: VisionBundle, tmp_path: Path, published: Path
) -> None:
    write_bundle(with_threshold(tiny_bundle, 6.0), tmp_path / "bundle")
    version = push(tmp_path / "bundle", "tampered", store)
    with session(store) as client:
        found = find_bundle_model(client, version.bundle_digest)
    assert found is not None
    (bank,) = home.rglob(f"{found.model_id}/artifacts/artifacts/bundle/bank.npy")
    bank.write_bytes(bank.read_bytes()[:-1] + b"\x01")

    for fetch in (
        lambda: promote("tampered", "1", "champion", store, published),
        lambda: pull("models:/tampered/1", tmp_path / "pulled", store),
    ):
        with pytest.raises(BundleError) as raised:
            fetch()
        assert code_of(raised) == "bundle.changed_file"
    assert not published.exists()
    assert not (tmp_path / "pulled").exists()


def test_another_bundle_than_was_pushed_is_refused(
    store: TrackingStore, bundle_dir: Path, tmp_path: Path, published: Path
) -> None:
    push(bundle_dir, "swapped", store)
    with session(store) as client:
        client.set_model_version_tag("swapped", "1", "andon.bundle_digest", "0" * 64)
    for fetch in (
        lambda: promote("swapped", "1", "champion", store, published),
        lambda: pull("models:/swapped/1", tmp_path / "pulled", store),
    ):
        with pytest.raises(BundleError) as raised:
            fetch()
        assert code_of(raised) == "tracking.other_bundle"
    assert not published.exists()
    assert not (tmp_path / "pulled").exists()
    assert aliases_of(store, "swapped") == {}


def test_nothing_is_promoted_where_publishing_fails(
    store: TrackingStore, bundle_dir: Path, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(bundle_dir, "unpublished", store)

    def full_disk(_: VisionBundle, path: Path) -> None:
        raise ResourceError("bundle.not_written", str(path), reason="No space left on device")

    monkeypatch.setattr(registry, "write_bundle", full_disk)
    with pytest.raises(ResourceError):
        promote("unpublished", "1", "champion", store, published)
    assert aliases_of(store, "unpublished") == {}


def test_pull_gives_what_was_pushed(store: TrackingStore, bundle_dir: Path, tmp_path: Path, published: Path) -> None:
    push(bundle_dir, "pulled", store)
    promote("pulled", "1", "champion", store, published)
    for uri in ("models:/pulled@champion", "models:/pulled/1"):
        out = tmp_path / "out.andon"
        version = pull(uri, out, store)
        assert (version.name, version.version) == ("pulled", 1)
        assert read_bundle(out) == read_bundle(bundle_dir)


def test_a_bundle_is_signed_after_it_was_logged(
    store: TrackingStore, tiny_bundle: VisionBundle, tmp_path: Path, published: Path
) -> None:
    """The files of a version are written once; the signatures that came later, and by another key, are pulled and published with them."""
    bundle, keys = with_threshold(tiny_bundle, 7.0), (generate_key(), generate_key())
    write_bundle(bundle, tmp_path / "bundle")
    version = push(tmp_path / "bundle", "signed", store)
    for number, key in enumerate(keys, 1):
        bundle = sign_bundle(bundle, Release("signed", number, datetime.now(UTC)), key)
        write_bundle(bundle, tmp_path / "bundle")
        assert push(tmp_path / "bundle", "signed", store) == version
        pull("models:/signed/1", tmp_path / "pulled", store)
        promote("signed", "1", "champion", store, published)
        for path in (tmp_path / "pulled", published / "signed"):
            found = read_bundle(path)
            assert (found.digest, found.signature) == (version.bundle_digest, bundle.signature)
            assert check_signature(found, [key.public], "signed").release.number == number
            assert check_signature(found, [keys[0].public], "signed").release.number == 1
    write_bundle(replace(bundle, signature=None), tmp_path / "bundle")
    push(tmp_path / "bundle", "signed", store)
    pull("models:/signed@champion", tmp_path / "pulled", store)
    assert read_bundle(tmp_path / "pulled").signature == bundle.signature, "an unsigned copy takes none of them away"


def test_pull_refuses_to_replace_something_else_before_it_fetches(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.png").write_bytes(PNG)
    with pytest.raises(OptionError) as raised:
        pull("models:/pulled/1", tmp_path / "photos", TrackingStore("http://127.0.0.1:9"))
    assert code_of(raised) == "bundle.not_replaceable"


def test_what_is_unknown_is_named_with_what_is_known(
    store: TrackingStore, bundle_dir: Path, tmp_path: Path, published: Path
) -> None:
    push(bundle_dir, "known", store)
    promote("known", "1", "challenger", store, published)
    for uri, code, known in (
        ("models:/strange@champion", "tracking.unknown_name", "known"),
        ("models:/known/7", "tracking.unknown_version", "1"),
        ("models:/known@champion", "tracking.unknown_alias", "challenger"),
    ):
        with pytest.raises(OptionError) as raised:
            pull(uri, tmp_path / "out", store)
        assert code_of(raised) == code
        assert known in str(raised.value.params["known"]).split(", ")
    with pytest.raises(OptionError) as raised:
        promote("known", "7", "champion", store, published)
    assert code_of(raised) == "tracking.unknown_version"


def test_a_version_that_others_registered_is_not_taken_for_a_bundle(store: TrackingStore, tmp_path: Path) -> None:
    with session(store) as client:
        client.create_registered_model("foreigner")
        client.create_model_version("foreigner", source=tmp_path.as_uri())
    with pytest.raises(OptionError) as raised:
        pull("models:/foreigner/1", tmp_path / "out", store)
    assert code_of(raised) == "tracking.not_a_bundle"
    assert "foreigner" not in {each.name for each in list_versions(store)}


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "..", ".hidden", "a@b", "it's", "end.", "a" * 101])
def test_a_name_must_serve_as_folder_and_address(name: str, store: TrackingStore, bundle_dir: Path) -> None:
    with pytest.raises(OptionError) as raised:
        push(bundle_dir, name, store)
    assert code_of(raised) == "tracking.bad_name"


@pytest.mark.parametrize(
    ("version", "alias", "code"),
    [
        ("0", "champion", "tracking.bad_version"),
        ("latest", "champion", "tracking.bad_version"),
        ("٣", "champion", "tracking.bad_version"),
        ("9" * 30, "champion", "tracking.bad_version"),
        ("1", "Latest", "tracking.bad_alias"),
        ("1", "v2", "tracking.bad_alias"),
        ("1", "a b", "tracking.bad_alias"),
        ("1", "", "tracking.bad_alias"),
    ],
)
def test_versions_and_aliases_are_checked_first(
    version: str, alias: str, code: str, store: TrackingStore, published: Path
) -> None:
    with pytest.raises(OptionError) as raised:
        promote("known", version, alias, store, published)
    assert code_of(raised) == code


@pytest.mark.parametrize("uri", ["known", "models:/known", "models:/", "models:/a/1/2", "runs:/x/y", "models:/a@b@c"])
def test_an_address_must_be_one(uri: str, store: TrackingStore, tmp_path: Path) -> None:
    with pytest.raises(OptionError) as raised:
        pull(uri, tmp_path / "out", store)
    assert code_of(raised) == "tracking.bad_uri"
