"""The memory bank must cover the candidates about as well as the exact greedy algorithm does."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from andon.models.vision.coreset import k_centre


def radius(candidates: NDArray[np.float32], chosen: NDArray[np.float32]) -> float:
    return float(cdist(candidates, chosen).min(axis=1).max())


def exact_greedy(candidates: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    chosen = [0]
    nearest = cdist(candidates, candidates[:1])[:, 0]
    while len(chosen) < count:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, cdist(candidates, candidates[chosen[-1:]])[:, 0])
    return candidates[chosen]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(20, 200))
def test_covers_nearly_as_well_as_exact_greedy(seed: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(30, 24)) * 4
    candidates = (centres[generator.integers(0, 30, 1500)] + generator.normal(size=(1500, 24))).astype(np.float32)
    found = radius(candidates, k_centre(candidates, count, seed))
    assert found <= 1.3 * radius(candidates, exact_greedy(candidates, count))


def test_rare_vectors_are_kept_where_a_random_choice_would_lose_them() -> None:
    generator = np.random.default_rng(0)
    common = generator.normal(size=(5000, 16)).astype(np.float32)
    rare = np.full((3, 16), 50, np.float32) + generator.normal(size=(3, 16)).astype(np.float32)
    candidates = np.concatenate([common, rare])
    assert radius(rare, k_centre(candidates, 64, 0)) < 10


def test_same_seed_same_bank_and_a_small_set_is_returned_whole() -> None:
    candidates = np.random.default_rng(0).normal(size=(400, 12)).astype(np.float32)
    assert k_centre(candidates, 50, 3).tobytes() == k_centre(candidates, 50, 3).tobytes()
    assert k_centre(candidates, 400, 3) is candidates
    assert len(k_centre(candidates, 51, 3)) == 51


def test_copies_of_one_vector_are_no_trouble() -> None:
    assert k_centre(np.ones((300, 8), np.float32), 40, 0).shape == (40, 8)
