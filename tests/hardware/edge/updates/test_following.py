"""Recipes whose bundle is whichever release runs: the line goes on while one takes the place of another."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import plate
from tests.hardware.edge.parts import HandCamera
from tests.hardware.edge.updates.conftest import NAME, MakeRelease
from tests.serving.notify.receivers import eventually

from andon.datasets.registry.folder_store import FolderStore
from andon.datasets.store.opening import Store, StoreOptions, open_store
from andon.hardware.edge.config.plans import Recipe
from andon.hardware.edge.stations.following import FollowedBundle, FollowedRecipe, Following
from andon.hardware.edge.stations.judging import Judge, Judged, no_code
from andon.hardware.edge.stations.recipes import in_use
from andon.hardware.edge.threads import ThreadEndedError
from andon.hardware.edge.updates.policy import UpdatePolicy
from andon.hardware.edge.updates.state import Phase
from andon.hardware.edge.updates.updater import UpdateSettings
from andon.hardware.profiles.profile import device_profile
from andon.models.bundle.bundle import Bundle, VisionBundle
from andon.models.bundle.signature import Release, read_signatures, sign_bundle
from andon.models.signing.keys import SigningKey
from andon.models.types.errors import BundleError
from andon.models.types.vision import Verdict

POLICY = UpdatePolicy(shadow_parts=3, allowed_differing=0, probation_parts=2, probation_s=0.0, allowed_takt_misses=0)
RECIPE = Recipe(name="plates", camera="top", release=NAME)
GOOD, BAD = plate(3), plate(3, True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "box", StoreOptions("box", reserve_bytes=0))
    with opened.database:
        yield opened


@pytest.fixture
def releases(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "released")


@pytest.fixture
def followed(tmp_path: Path, store: Store, releases: FolderStore, key: SigningKey) -> Iterator[FollowedBundle]:
    with following(tmp_path, store, releases, key) as opened:
        yield opened


def following(tmp_path: Path, store: Store, releases: FolderStore, key: SigningKey) -> FollowedBundle:
    settings = UpdateSettings(name=NAME, trusted=[key.public], policy=POLICY)
    how = Following(folder=tmp_path / "versions", settings=settings, poll_s=0.05, device=device_profile())
    return FollowedBundle(how, releases, lambda placed: {("plates", "S1"): in_use(store, RECIPE, "S1", NAME, placed)})


def recipe_of(followed: FollowedBundle) -> FollowedRecipe:
    return FollowedRecipe("plates", RECIPE.settings, "S1", followed)


def publish(releases: FolderStore, bundle: VisionBundle) -> str:
    releases.promote(NAME, releases.put(bundle, NAME))
    return bundle.digest


def part(recipe: FollowedRecipe, shown: object = GOOD) -> Judged:
    """Judge a part as a station does."""
    camera = HandCamera()
    camera.before.append(shown)  # type: ignore[arg-type]
    judged = Judge(camera, 0, no_code).judge(recipe.current(), None, float("inf"))
    recipe.judged(judged)
    return judged


def until(followed: FollowedBundle, phase: Phase, recipe: FollowedRecipe | None = None) -> None:
    """Judge parts until the update stands so."""

    def stands() -> bool:
        if recipe:
            part(recipe)
        return followed.updater.state.phase is phase

    eventually(stands)


def test_nothing_judges_before_the_first_release(followed: FollowedBundle) -> None:
    recipe = recipe_of(followed)
    with pytest.raises(BundleError) as refused:
        recipe.current()
    assert refused.value.code == "update.none_yet"
    assert recipe.document()["bundle_digest"] is None


def test_a_release_takes_over_between_two_parts(
    followed: FollowedBundle, releases: FolderStore, release: MakeRelease
) -> None:
    first, recipe = publish(releases, release(1)), recipe_of(followed)
    until(followed, Phase.KEPT)
    assert part(recipe).recipe.bundle.digest == first
    second = publish(releases, release(2))
    until(followed, Phase.SHADOW)
    assert part(recipe).recipe.bundle.digest == first
    until(followed, Phase.KEPT, recipe)
    judged = part(recipe)
    assert (judged.recipe.bundle.digest, judged.inspection.verdict) == (second, Verdict.OK)
    document = recipe.document()
    assert (document["bundle"], document["bundle_digest"], document["previous_digest"]) == (NAME, second, first)
    assert document["update"]["phase"] == "kept"
    assert document["provider"] == "CPUExecutionProvider"


def test_a_release_that_judges_otherwise_is_refused_in_the_shadow(
    followed: FollowedBundle, releases: FolderStore, release: MakeRelease, key: SigningKey
) -> None:
    first, recipe = publish(releases, release(1)), recipe_of(followed)
    until(followed, Phase.KEPT)
    publish(releases, blind(release(2), key))
    until(followed, Phase.SHADOW)

    def refused() -> bool:
        assert part(recipe, BAD).inspection.verdict is Verdict.NG
        return followed.updater.state.phase is Phase.REFUSED

    eventually(refused)
    assert recipe.current().bundle.digest == first
    assert followed.updater.state.reason in ("update.differs", "update.lenient")


def blind(bundle: VisionBundle, key: SigningKey) -> VisionBundle:
    """Finds every part good."""
    point = replace(bundle.manifest.operating_point, threshold=1e9)
    (signed,) = read_signatures(bundle.signature, "test")
    changed = Bundle(replace(bundle.manifest, operating_point=point), bundle.files)
    return sign_bundle(changed, Release(NAME, signed.release.number, signed.release.created), key)


@pytest.mark.parametrize("how", ["failed", "late"])
def test_a_release_that_fails_while_it_decides_goes_by_itself(
    followed: FollowedBundle, releases: FolderStore, release: MakeRelease, how: str
) -> None:
    first, recipe = publish(releases, release(1)), recipe_of(followed)
    until(followed, Phase.KEPT)
    second = publish(releases, release(2))
    until(followed, Phase.SHADOW)
    until(followed, Phase.PROBATION, recipe)
    eventually(lambda: recipe.current().bundle.digest == second)
    used = recipe.current()
    getattr(recipe, how)(used)
    until(followed, Phase.ROLLED_BACK)
    assert part(recipe).recipe.bundle.digest == first


def test_what_ran_runs_after_a_restart_without_the_source(
    tmp_path: Path, store: Store, releases: FolderStore, key: SigningKey, release: MakeRelease
) -> None:
    with following(tmp_path, store, releases, key) as before:
        first = publish(releases, release(1))
        until(before, Phase.KEPT)
    nowhere = FolderStore(tmp_path / "nowhere")
    with following(tmp_path, store, nowhere, key) as after:
        assert part(recipe_of(after)).recipe.bundle.digest == first
        assert after.updater.state.phase is Phase.KEPT


def test_a_fault_of_this_program_is_not_taken_for_peace(
    followed: FollowedBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed.check()
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    monkeypatch.setattr(followed.updater, "work", lambda: 1 / 0)

    def has_ended() -> bool:
        try:
            followed.check()
        except ThreadEndedError as error:
            return error.code == "edge.ended"
        return False

    eventually(has_ended)


def test_a_version_that_is_damaged_here_judges_nothing_until_another_comes(
    tmp_path: Path, store: Store, releases: FolderStore, key: SigningKey, release: MakeRelease
) -> None:
    with following(tmp_path, store, releases, key) as before:
        first = publish(releases, release(1))
        until(before, Phase.KEPT)
    (tmp_path / "versions" / "versions" / first / "model.onnx").write_bytes(b"no graph")
    with following(tmp_path, store, releases, key) as after:
        recipe = recipe_of(after)
        with pytest.raises(BundleError):
            recipe.current()
        second = publish(releases, release(2))
        eventually(lambda: after.updater.active is not None)
        assert recipe.current().bundle.digest == second
