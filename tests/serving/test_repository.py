import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from andon.models.bundle.bundle import VisionBundle
from andon.models.types.errors import BundleError, ResourceError
from andon.serving.engine.errors import UnknownModelError
from andon.serving.engine.folder import fingerprint
from andon.serving.engine.models import ServedInspector
from andon.serving.engine.repository import ModelRepository

Put = Callable[[VisionBundle, str], Path]
Variant = Callable[[int], VisionBundle]
Break = Callable[[Path], None]


def test_a_model_is_named_after_its_bundle(
    repository: ModelRepository, put_bundle: Put, variant: Variant, tiny_bundle: VisionBundle
) -> None:
    put_bundle(variant(1), "v1.2 板.andon")
    put_bundle(variant(2), ".hidden")
    repository.poll()
    assert [model.name for model in repository.models()] == ["plates", "v1.2 板"]
    assert repository.model("plates").digest == tiny_bundle.digest
    assert repository.model("plates", tiny_bundle.digest[:12]).version == tiny_bundle.digest[:12]


def test_a_new_bundle_takes_the_place_of_the_old(
    repository: ModelRepository, put_bundle: Put, variant: Variant
) -> None:
    old = repository.model("plates")
    put_bundle(variant(1), "plates")
    assert repository.model("plates") is old
    repository.poll()
    assert repository.model("plates").digest == variant(1).digest
    with pytest.raises(UnknownModelError):
        repository.model("plates", old.version)


def test_an_unchanged_bundle_stays_loaded(repository: ModelRepository) -> None:
    model = repository.model("plates")
    repository.poll()
    assert repository.model("plates") is model


def test_a_broken_bundle_never_replaces_a_working_one(
    repository: ModelRepository, bundle_dir: Path, break_bundle: Break, put_bundle: Put, variant: Variant
) -> None:
    model = repository.model("plates")
    break_bundle(bundle_dir)
    repository.poll()
    assert repository.model("plates") is model
    assert isinstance(repository.entry("plates").refusal, BundleError)
    put_bundle(variant(1), "plates")
    repository.poll()
    assert repository.model("plates").digest == variant(1).digest
    assert repository.entry("plates").refusal is None


def test_a_broken_bundle_blocks_no_other(bundles: Path, break_bundle: Break, put_bundle: Put, variant: Variant) -> None:
    break_bundle(put_bundle(variant(1), "aaa"))
    (bundles / "empty").mkdir()
    (bundles / "text.andon").write_text("no zip")
    (bundles / "a file").write_text("no bundle at all")
    repository = ModelRepository(bundles)
    repository.poll()
    assert [entry.name for entry in repository.entries()] == ["aaa", "empty", "plates", "text"]
    assert [model.name for model in repository.models()] == ["plates"]
    with pytest.raises(UnknownModelError):
        repository.model("aaa")


def test_a_bundle_that_is_copied_in_file_by_file_is_loaded_in_the_end(
    repository: ModelRepository, bundles: Path, bundle_dir: Path
) -> None:
    target = bundles / "copy"
    (target / "goldens").mkdir(parents=True)
    files = sorted(path.relative_to(bundle_dir) for path in bundle_dir.rglob("*") if path.is_file())
    for name in sorted(files, key=lambda name: name.name != "manifest.json"):
        shutil.copyfile(bundle_dir / name, target / name)
        repository.poll()
    assert repository.model("copy").digest == repository.model("plates").digest


def test_a_bundle_that_is_gone_is_dropped_at_the_second_look(repository: ModelRepository, bundle_dir: Path) -> None:
    shutil.rmtree(bundle_dir)
    repository.poll()
    assert repository.models()
    repository.poll()
    assert repository.entries() == []


def test_a_bundle_that_is_back_at_the_second_look_served_all_the_time(
    repository: ModelRepository, bundle_dir: Path
) -> None:
    model = repository.model("plates")
    for _ in range(2):
        bundle_dir.rename(bundle_dir.with_name(".away"))
        repository.poll()
        bundle_dir.with_name(".away").rename(bundle_dir)
        repository.poll()
    assert repository.model("plates") is model


def test_what_was_loaded_serves_on_where_the_folder_cannot_be_read(repository: ModelRepository, bundles: Path) -> None:
    bundles.rename(bundles.with_name("elsewhere"))
    for _ in range(3):
        repository.poll()
    assert repository.model("plates")
    with pytest.raises(ResourceError):
        repository.load("plates")


def test_what_was_unloaded_stays_out_until_it_is_loaded(
    repository: ModelRepository, put_bundle: Put, variant: Variant
) -> None:
    repository.unload("plates")
    put_bundle(variant(1), "plates")
    repository.poll()
    assert repository.models() == []
    repository.load("plates")
    assert repository.model("plates").digest == variant(1).digest


def test_loading_a_broken_bundle_raises_and_changes_nothing(
    repository: ModelRepository, bundle_dir: Path, break_bundle: Break
) -> None:
    model = repository.model("plates")
    break_bundle(bundle_dir)
    with pytest.raises(BundleError):
        repository.load("plates")
    assert repository.model("plates") is model


@pytest.mark.parametrize("name", ["other", "../plates", ".", "..", "", ".plates"])
def test_only_names_in_the_folder_are_loaded(repository: ModelRepository, name: str) -> None:
    with pytest.raises(UnknownModelError):
        repository.load(name)
    with pytest.raises(UnknownModelError):
        repository.unload(name)


def test_the_only_model_needs_no_name(repository: ModelRepository, put_bundle: Put, variant: Variant) -> None:
    assert repository.model_of(ServedInspector, None) is repository.model("plates")
    put_bundle(variant(1), "more")
    repository.poll()
    with pytest.raises(UnknownModelError, match="more, plates"):
        repository.model_of(ServedInspector, None)


def test_a_folder_comes_before_a_zip_of_its_name(
    repository: ModelRepository, put_bundle: Put, variant: Variant
) -> None:
    digest = repository.model("plates").digest
    put_bundle(variant(1), "plates.andon")
    repository.poll()
    assert repository.model("plates").digest == digest


def test_every_file_counts_for_the_fingerprint(bundle_dir: Path) -> None:
    before = fingerprint(bundle_dir)
    for path in [path for path in bundle_dir.rglob("*") if path.is_file()]:
        contents = path.read_bytes()
        path.write_bytes(contents + b"x")
        assert fingerprint(bundle_dir) != before
        before = fingerprint(bundle_dir)
    path.unlink()
    assert fingerprint(bundle_dir) != before
