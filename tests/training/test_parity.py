"""The torch graph, the fitting process's session and the loaded bundle agree, down to distances of zero."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.conftest import CARD, plate, plate_sample
from tests.training.conftest import SIDE, needs_training

from andon.models.bundle.bundle import VisionBundle
from andon.models.bundle.goldens import TOLERANCE
from andon.models.bundle.manifest import BANK
from andon.models.bundle.runtime import load_inspector
from andon.models.bundle.storage import write_bundle
from andon.models.bundle.teaching import Lesson, teach
from andon.models.types.vision import Frame
from andon.models.vision.decoding import decode_image
from andon.models.vision.fitting import FitOptions
from andon.models.vision.graph import PatchGraph
from andon.models.vision.preprocessing import INTENSITIES, fit_to
from andon.models.vision.scoring import Scored, score

if TYPE_CHECKING:
    from andon.models.nets.patchcore import PatchCore

pytestmark = needs_training
N_GOOD = 8
Distances = NDArray[np.float32]


@dataclass(frozen=True)
class Trio:
    """One detector in three forms, each from a prepared image to the distances of its places or to what they score."""

    torch_distances: Callable[[Frame, Distances], Distances]
    fitting_graph: PatchGraph
    bundle: VisionBundle
    loaded: Callable[[Frame], Scored]

    @property
    def threshold(self) -> float:
        return self.bundle.manifest.operating_point.threshold

    def prepare(self, image: Frame) -> Frame:
        return INTENSITIES[self.bundle.manifest.preprocessing.intensity](fit_to(image, SIDE, SIDE))

    def scored(self, image: Frame) -> Sequence[Scored]:
        prepared, bank = self.prepare(image), self.bundle.array(BANK, np.float32)
        return (
            score(self.torch_distances(prepared, bank), SIDE, SIDE),
            score(self.fitting_graph.distances(prepared, bank), SIDE, SIDE),
            self.loaded(image),
        )

    def assert_agree(self, image: Frame) -> None:
        first, *others = self.scored(image)
        allowed = TOLERANCE * max(first.score, self.threshold)
        for other in others:
            assert abs(other.score - first.score) <= allowed
            assert np.abs(other.score_map - first.score_map).max() <= allowed


@pytest.fixture(scope="module")
def network() -> Iterator["PatchCore"]:
    """The module itself, on one thread: torch's threads wait for each other where other tests use the cores."""
    import torch

    from andon.models.nets.patchcore import PatchCore

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield PatchCore().eval()
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def trio(exported: bytes, network: "PatchCore", tmp_path_factory: pytest.TempPathFactory) -> Trio:
    import torch

    def distances(image: Frame, bank: Distances) -> Distances:
        with torch.inference_mode():
            found = network(torch.from_numpy(image[None].copy()), torch.from_numpy(bank))[1]
        result: Distances = found.numpy()
        return result

    lesson = Lesson(exported, [plate_sample(seed) for seed in range(N_GOOD)], (), CARD, {})
    bundle, _ = teach(lesson, FitOptions(bank_size=N_GOOD * (SIDE // 16) ** 2))
    path: Path = tmp_path_factory.mktemp("parity") / "plates"
    write_bundle(bundle, path)
    return Trio(distances, PatchGraph(exported), bundle, load_inspector(path).inspector.scorer.score)


def flat(seed: int) -> Frame:
    return np.full((SIDE, SIDE, 3), np.random.default_rng(seed).integers(0, 256, 3), np.uint8)


def noise(seed: int) -> Frame:
    return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


def gradient(seed: int) -> Frame:
    ends = np.random.default_rng(seed).integers(0, 256, (2, 3))
    ramp = np.linspace(ends[0], ends[1], SIDE).astype(np.uint8)
    return np.repeat(ramp[:, None], SIDE, axis=1)


def of_the_bank(seed: int) -> Frame:
    return fit_to(plate(seed % N_GOOD), SIDE, SIDE)


def nearly_of_the_bank(seed: int) -> Frame:
    image = of_the_bank(seed).copy()
    image[seed % SIDE, seed // SIDE % SIDE] ^= 1
    return image


KINDS: Sequence[Callable[[int], Frame]] = (flat, noise, gradient, of_the_bank, nearly_of_the_bank)


def test_they_agree_on_the_goldens(trio: Trio) -> None:
    goldens = [name for name in trio.bundle.files if name.startswith("goldens/") and name.endswith(".png")]
    assert len(goldens) == 6
    for name in goldens:
        trio.assert_agree(decode_image(trio.bundle.files[name], name))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 2**16))
def test_they_agree_on_any_image(trio: Trio, kind: Callable[[int], Frame], seed: int) -> None:
    trio.assert_agree(kind(seed))


def test_an_image_of_the_bank_is_at_no_distance(trio: Trio) -> None:
    for seed in range(N_GOOD):
        for scored in trio.scored(of_the_bank(seed)):
            assert scored.score_map.max() <= TOLERANCE * trio.threshold


def test_the_expanded_square_would_not_find_that(trio: Trio) -> None:
    """Why the winner's distance is recomputed as ``|x - b|``: ``|x|^2 - 2 x.b + |b|^2`` cancels in float32."""
    bank = trio.bundle.array(BANK, np.float32)
    features = trio.fitting_graph.features(trio.prepare(of_the_bank(0)))
    squares = (features**2).sum(axis=1)[:, None] - 2 * features @ bank.T + (bank**2).sum(axis=1)
    naive = np.sqrt(np.maximum(squares.min(axis=1), 0))
    assert naive.max() > 10 * TOLERANCE * trio.threshold


def test_they_agree_where_the_last_cells_are_cut_by_the_edge(network: "PatchCore") -> None:
    import torch

    from andon.training.export.patchcore import export_patchcore

    graph = PatchGraph(export_patchcore(100, 90))
    assert (graph.rows, graph.columns) == (7, 6)
    image = plate(3, side=100)[:, :90]
    bank = graph.features(plate(4, side=100)[:, :90])[:32]
    with torch.no_grad():
        _, distances = network(torch.from_numpy(image[None].copy()), torch.from_numpy(bank))
    expected = distances.numpy()
    assert np.abs(graph.distances(image, bank) - expected).max() <= TOLERANCE * expected.max()
