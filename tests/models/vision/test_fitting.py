"""What a fit may use for what, and what it refuses."""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
import pytest
from tests.conftest import plate, plate_sample, tiny_graph

from andon.models.types.errors import DataError, ImageError
from andon.models.types.vision import Frame, ImageSample
from andon.models.vision.calibration import CROSS_FIT, HELD_OUT
from andon.models.vision.fitting import MIN_GOOD, FitOptions, Fitted, describe, fit
from andon.models.vision.graph import PatchGraph
from andon.models.vision.preprocessing import AS_IS, STANDARDISED

OPTIONS = FitOptions(overkill=0.1, bank_size=64)


@pytest.fixture(scope="module")
def graph() -> PatchGraph:
    return PatchGraph(tiny_graph())


def plates(numbers: Sequence[int]) -> list[ImageSample]:
    return [plate_sample(number) for number in numbers]


def view(name: str, unit: str, seed: int, *, defective: bool = False, gain: float = 1.0) -> ImageSample:
    def frame() -> Frame:
        lit: Frame = np.clip(plate(seed, defective) * gain, 0, 255).astype(np.uint8)
        return lit

    return ImageSample(name, "good", unit, lambda: name, frame)


def unreadable(name: str) -> ImageSample:
    def frame() -> Frame:
        raise ImageError("image.truncated", name, reason="cut")

    return ImageSample(name, "good", name, lambda: sha256(name.encode()).hexdigest(), frame)


def test_few_images_are_cross_fitted_each_by_a_bank_without_it(graph: PatchGraph) -> None:
    fitted = fit(graph, plates(range(20)), [], OPTIONS)
    assert fitted.operating_point.method == CROSS_FIT
    assert sorted(each.name for each in fitted.calibration.samples) == sorted(f"plate-{n}" for n in range(20))
    assert min(fitted.calibration.values) > 0.1, "a plate that is in the bank that scores it would score nearly zero"


def test_images_held_out_by_the_data_set_set_the_threshold(graph: PatchGraph) -> None:
    fitted = fit(graph, plates(range(10)), plates(range(100, 130)), OPTIONS)
    assert fitted.operating_point.method == HELD_OUT
    assert fitted.operating_point.n_good == 30
    assert {each.name for each in fitted.bank_samples} == {f"plate-{n}" for n in range(10)}


def test_a_hundred_units_are_split_and_no_unit_stands_on_both_sides(graph: PatchGraph) -> None:
    samples = [view(f"{unit}/{side}", f"board-{unit}", 2 * unit + side) for unit in range(100) for side in range(2)]
    fitted = fit(graph, samples, [], OPTIONS)
    assert fitted.operating_point.method == HELD_OUT
    assert fitted.operating_point.n_good == 50, "units are counted, not images"
    held_out = {each.unit for each in fitted.calibration.samples}
    assert len(held_out) == 50
    assert not held_out & {each.unit for each in fitted.bank_samples}


def test_a_units_score_is_its_highest(graph: PatchGraph) -> None:
    held_out = [view("a1", "a", 200), view("a2", "a", 201, defective=True), view("b1", "b", 202)]
    point = fit(graph, plates(range(10)), held_out, OPTIONS).operating_point
    assert point.n_good == 2
    assert point.highest[0][0] == "a2"


def test_copies_are_left_out_even_between_bank_and_held_out(graph: PatchGraph) -> None:
    copies = [*plates(range(10)), *plates(range(10))]
    fitted = fit(graph, copies, [*plates(range(5)), *plates(range(50, 60))], OPTIONS)
    assert len(fitted.bank_samples) == 10
    assert fitted.operating_point.n_good == 10


@pytest.mark.parametrize("samples", [[], plates([1]), plates([1] * 10), plates(range(MIN_GOOD - 1))])
def test_too_few_different_good_images_are_refused(graph: PatchGraph, samples: list[ImageSample]) -> None:
    with pytest.raises(DataError, match="too_few_good") as caught:
        fit(graph, samples, [], OPTIONS)
    assert caught.value.params["found"] == len({each.name for each in samples})
    assert caught.value.params["expected"] == MIN_GOOD


def test_one_part_alone_sets_no_threshold(graph: PatchGraph) -> None:
    with pytest.raises(DataError, match="too_few_held_out"):
        fit(graph, plates(range(10)), plates([50]), OPTIONS)


def test_unreadable_images_are_reported_once_and_the_rest_goes_on(graph: PatchGraph) -> None:
    reported: list[ImageError] = []
    samples = [*plates(range(10)), unreadable("torn.png")]
    fitted = fit(graph, samples, [unreadable("lost.png"), *plates(range(50, 60))], OPTIONS, report=reported.append)
    assert [error.subject for error in reported] == ["torn.png", "lost.png"]
    assert len(fitted.bank_samples) == 10


def test_candidates_do_not_grow_with_the_number_of_images(graph: PatchGraph) -> None:
    options = FitOptions(max_candidates=400)
    for count in (10, 100):
        described = describe(graph, plates(range(count)), AS_IS, options)
        assert sum(len(each.vectors) for each in described) == 400


def test_the_bank_never_holds_more_than_asked_in_whole_groups(graph: PatchGraph) -> None:
    assert fit(graph, plates(range(10)), [], FitOptions(bank_size=50)).bank.shape == (64, 12)
    assert fit(graph, plates(range(10)), [], FitOptions(bank_size=64)).bank.shape == (64, 12)


def test_images_outside_the_region_are_not_learned(graph: PatchGraph) -> None:
    corner = FitOptions(regions=(((0.0, 0.0), (0.2, 0.0), (0.2, 0.2), (0.0, 0.2)),))
    everywhere, inside = (describe(graph, plates(range(3)), AS_IS, options) for options in (FitOptions(), corner))
    assert len(everywhere[0].vectors) == 64
    assert 0 < len(inside[0].vectors) <= 4


@pytest.mark.parametrize(
    ("light", "intensity"), [((1.0, 1.02, 0.98), AS_IS), ((0.4, 0.8, 1.2), STANDARDISED)], ids=["steady", "changing"]
)
def test_intensity_is_standardised_where_light_is_not_controlled(
    graph: PatchGraph, light: tuple[float, ...], intensity: str
) -> None:
    samples = [view(f"p{number}", f"p{number}", number, gain=light[number % len(light)]) for number in range(12)]
    fitted: Fitted = fit(graph, samples, [], OPTIONS)
    assert fitted.intensity == intensity
