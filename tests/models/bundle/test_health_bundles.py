"""A health model travels as a detector does: whole, unchanged, and proved on the machine that loads it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.conftest import Andon
from tests.pumps import ASSETS, pump_rows, taught_health

from andon.models.bundle.bundle import EXPECTED, MODEL, Bundle, HealthBundle, VisionBundle, encode_array, file_digests
from andon.models.bundle.health_goldens import CONTRIBUTIONS, FEATURES, SCORES, SEQUENCE, Expected
from andon.models.bundle.manifest import (
    CALIBRATION,
    DRIFT_LIMITS,
    MEANS,
    WHITENERS,
    HealthManifest,
    decode_manifest,
)
from andon.models.bundle.runtime import (
    LoadedHealth,
    LoadedInspector,
    check_parity,
    load_bundle,
    load_health,
    load_inspector,
)
from andon.models.bundle.storage import read_bundle, write_bundle
from andon.models.health.settings import BaselineKey
from andon.models.health.state import HealthState
from andon.models.health.watching import observe_all
from andon.models.types.errors import BundleError


def with_files(bundle: HealthBundle, changed: dict[str, bytes]) -> HealthBundle:
    """The same bundle with other contents, its manifest agreeing with them."""
    files = {**bundle.files, **changed}
    return Bundle(replace(bundle.manifest, files=file_digests(files)), files)


def refusal(bundle: HealthBundle) -> BundleError:
    with pytest.raises(BundleError) as caught:
        check_parity(bundle)
    return caught.value


@pytest.mark.parametrize("name", ["泵 1", "pumps.andon"])
def test_what_is_written_is_read_back(health_bundle: HealthBundle, tmp_path: Path, name: str) -> None:
    write_bundle(health_bundle, tmp_path / name)
    assert read_bundle(tmp_path / name) == health_bundle


def test_the_manifest_is_read_and_written_byte_for_byte(health_bundle: HealthBundle) -> None:
    encoded = health_bundle.manifest.encode()
    manifest = decode_manifest(encoded, "manifest")
    assert isinstance(manifest, HealthManifest)
    assert manifest == health_bundle.manifest
    assert manifest.encode() == encoded
    assert [key.asset for key in manifest.baselines] == list(ASSETS)


def test_what_is_loaded_judges_as_what_was_taught(health_dir: Path) -> None:
    model = load_health(health_dir).model
    for asset in ASSETS:
        rows = [*pump_rows(asset, 60, seed=7), *pump_rows(asset, 60, seed=8, fault=8.0)]
        _, observations = observe_all(model, HealthState(asset), rows)
        anomalous = [each.anomalous for each in observations]
        assert sum(anomalous[:60]) <= 3
        assert all(anomalous[75:120])


def test_equal_lessons_give_equal_bytes_and_other_seeds_other_bytes(health_bundle: HealthBundle) -> None:
    again, other = taught_health(), taught_health(seed=1)
    assert again.files == health_bundle.files
    assert again.digest == health_bundle.digest != other.digest


def test_the_fitting_machine_reproduces_its_goldens_exactly(health_bundle: HealthBundle) -> None:
    parity = check_parity(health_bundle)
    assert parity.worst == 0.0
    assert parity.n_goldens == health_bundle.array(SCORES, np.float64).size + len(
        health_bundle.array(SEQUENCE, np.float64)
    )


def test_golden_rows_lie_at_known_distances_of_every_baseline(health_bundle: HealthBundle) -> None:
    scores = health_bundle.array(SCORES, np.float64)
    np.testing.assert_allclose(scores, np.tile([0.0, 0.1, 1.0, 3.0, 10.0, 100.0], (2, 1)), rtol=1e-9)


def test_the_golden_sequence_shows_both_decisions(health_bundle: HealthBundle) -> None:
    sequence = msgspec.json.decode(health_bundle.files[EXPECTED], type=Expected).sequence
    half = len(sequence.anomalous) // 2
    assert sum(sequence.anomalous[:half]) < half // 10
    assert sum(sequence.anomalous[half:]) > half // 2
    assert sequence.columns == ("flow", "pressure", "ripple", "rpm")
    assert set(sequence.phases) == {"judged", "skipped"}


@pytest.mark.parametrize("name", [WHITENERS, MEANS, CALIBRATION, FEATURES, SCORES, CONTRIBUTIONS])
def test_a_small_error_of_the_target_is_measured(health_bundle: HealthBundle, name: str) -> None:
    """Each part matters: the calibration to decisions alone, all others to scores."""
    factor = 100.0 if name == CALIBRATION else 1.001
    bent = with_files(health_bundle, {name: encode_array(health_bundle.array(name, np.float64) * factor)})
    assert not check_parity(bent).holds


def test_one_other_decision_breaks_parity(health_bundle: HealthBundle) -> None:
    expected = msgspec.json.decode(health_bundle.files[EXPECTED], type=Expected)
    flipped = (not expected.sequence.anomalous[0], *expected.sequence.anomalous[1:])
    other = replace(expected, sequence=replace(expected.sequence, anomalous=flipped))
    assert check_parity(with_files(health_bundle, {EXPECTED: msgspec.json.encode(other)})).worst == 1.0


@pytest.mark.parametrize("contents", [b"[]", b'{"tolerance": 0.1}', b"\xff"])
def test_goldens_that_prove_nothing_are_refused(health_bundle: HealthBundle, contents: bytes) -> None:
    assert refusal(with_files(health_bundle, {EXPECTED: contents})).code == "bundle.goldens"


@pytest.mark.parametrize("name", [SCORES, FEATURES, SEQUENCE])
def test_goldens_of_another_shape_are_refused(health_bundle: HealthBundle, name: str) -> None:
    cut = health_bundle.array(name, np.float64)[:1, :2]
    assert refusal(with_files(health_bundle, {name: encode_array(cut)})).code == "bundle.goldens"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (MEANS, lambda array: array[:1]),
        (MEANS, lambda array: array[:, :2]),
        (WHITENERS, lambda array: array[:, :2]),
        (WHITENERS, lambda array: array[0]),
        (WHITENERS, lambda array: array[:, 0]),
        (CALIBRATION, lambda array: array[:1]),
        (CALIBRATION, lambda array: array[0]),
        (DRIFT_LIMITS, lambda array: array[..., None]),
    ],
)
def test_arrays_must_be_as_the_manifest_says(
    health_bundle: HealthBundle, name: str, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    changed = encode_array(change(health_bundle.array(name, np.float64)))
    error = refusal(with_files(health_bundle, {name: changed}))
    assert (error.code, error.subject) == ("bundle.baselines", name)


def test_arrays_must_be_float64(health_bundle: HealthBundle) -> None:
    narrow = encode_array(health_bundle.array(MEANS, np.float64).astype(np.float32))
    error = refusal(with_files(health_bundle, {MEANS: narrow}))
    assert (error.code, error.params["expected"]) == ("bundle.array", "float64")


def test_a_graph_with_another_contract_is_refused(health_bundle: HealthBundle, tiny_bundle: VisionBundle) -> None:
    other = with_files(health_bundle, {MODEL: tiny_bundle.files[MODEL]})
    assert refusal(other).code == "graph.port"


@pytest.mark.parametrize(
    "baselines", [(), (BaselineKey("a", "running", 9),) * 2], ids=["no baseline", "two of one machine and state"]
)
def test_baselines_must_be_told_apart(health_bundle: HealthBundle, baselines: tuple[BaselineKey, ...]) -> None:
    manifest = replace(health_bundle.manifest, baselines=baselines)
    assert refusal(Bundle(manifest, health_bundle.files)).code == "bundle.manifest"


def test_features_and_transforms_belong_together(health_bundle: HealthBundle) -> None:
    features = replace(health_bundle.manifest.features, transforms=())
    assert refusal(Bundle(replace(health_bundle.manifest, features=features), health_bundle.files)).params[
        "reason"
    ] == ("features")


@pytest.mark.parametrize("name", [MEANS, WHITENERS, CALIBRATION, DRIFT_LIMITS, MODEL, EXPECTED])
def test_each_part_is_needed(health_bundle: HealthBundle, tmp_path: Path, name: str) -> None:
    files = {each: data for each, data in health_bundle.files.items() if each != name}
    write_bundle(Bundle(replace(health_bundle.manifest, files=file_digests(files)), files), tmp_path / "b")
    with pytest.raises(BundleError) as caught:
        load_bundle(tmp_path / "b")
    assert caught.value.code == "bundle.missing_file"
    assert caught.value.subject.endswith(name)


def test_a_bundle_is_loaded_as_what_it_is(health_dir: Path, bundle_dir: Path) -> None:
    assert isinstance(load_bundle(health_dir), LoadedHealth)
    assert isinstance(load_bundle(bundle_dir), LoadedInspector)
    for load, path, found, expected in (
        (load_inspector, health_dir, "equipment/health", "vision/patchcore"),
        (load_health, bundle_dir, "vision/patchcore", "equipment/health"),
    ):
        with pytest.raises(BundleError) as caught:
            load(path)
        assert caught.value.code == "bundle.kind"
        assert (caught.value.params["found"], caught.value.params["expected"]) == (found, expected)


def test_the_command_shows_and_verifies_it(andon: Andon, health_dir: Path, health_bundle: HealthBundle) -> None:
    (shown,) = andon("bundle", "show", health_dir, "--json").documents
    assert shown["manifest"]["features"]["names"] == ["flow", "pressure", "ripple"]
    assert shown["digest"] == health_bundle.digest
    (verified,) = andon("bundle", "verify", health_dir, "--json").documents
    assert (verified["verified"], verified["parity"]["worst"]) == (True, 0.0)
    assert "goldens reproduced here" in andon("bundle", "verify", health_dir).out


def test_the_command_says_why_it_does_not_verify(andon: Andon, health_dir: Path, health_bundle: HealthBundle) -> None:
    whiteners = health_bundle.array(WHITENERS, np.float64) * 1.01
    write_bundle(with_files(health_bundle, {WHITENERS: encode_array(whiteners)}), health_dir)
    outcome = andon("bundle", "verify", health_dir)
    assert outcome.code == 1
    assert "does not reproduce the goldens" in outcome.out


@pytest.mark.parametrize("words", [("inspect", "x.png"), ("teach", "--good", "x", "--out", "y")])
def test_a_command_for_images_names_the_kind_it_found(andon: Andon, health_dir: Path, words: tuple[str, ...]) -> None:
    outcome = andon(words[0], health_dir, *words[1:])
    assert outcome.code == 2
    assert "equipment/health" in outcome.complaint
