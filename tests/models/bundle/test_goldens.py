"""Goldens prove the target; equal lessons give equal bundles."""

import pytest
from tests.conftest import taught

from andon.models.bundle.bundle import EXPECTED, VisionBundle
from andon.models.bundle.runtime import check_parity, make_inspector
from andon.models.bundle.vision_goldens import measure_parity
from andon.models.types.errors import BundleError


def test_the_fitting_machine_reproduces_its_goldens_exactly(tiny_bundle: VisionBundle) -> None:
    parity = check_parity(tiny_bundle)
    assert parity.worst == 0.0
    assert parity.n_goldens == 6
    assert parity.holds


def test_a_small_error_of_the_target_is_measured(tiny_bundle: VisionBundle) -> None:
    inspector = make_inspector(tiny_bundle)
    threshold = tiny_bundle.manifest.operating_point.threshold
    bent = {**tiny_bundle.files, EXPECTED: tiny_bundle.files[EXPECTED].replace(b'"score":', b'"score":1')}
    assert not measure_parity(inspector.scorer, bent, threshold).holds


@pytest.mark.parametrize("contents", [b"[]", b'{"tolerance": 0.1, "goldens": []}', b"\xff"])
def test_goldens_that_prove_nothing_are_refused(tiny_bundle: VisionBundle, contents: bytes) -> None:
    with pytest.raises(BundleError, match="goldens"):
        measure_parity(make_inspector(tiny_bundle).scorer, {**tiny_bundle.files, EXPECTED: contents}, 1.0)


def test_same_lesson_same_bytes_other_seed_other_bytes() -> None:
    first, second, other = taught(), taught(), taught(seed=1)
    assert first.files == second.files
    assert first.manifest.encode() == second.manifest.encode()
    assert first.digest != other.digest
