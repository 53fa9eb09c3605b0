"""Pixel figures from histograms against exact computation."""

import numpy as np
import pytest

from andon.models.evaluation.pixels import PixelHistogram
from andon.models.evaluation.ranking import auroc
from andon.models.types.vision import Mask, ScoreMap


def image(seed: int, lift: float) -> tuple[ScoreMap, Mask]:
    generator = np.random.default_rng(seed)
    mask = np.zeros((64, 64), np.bool_)
    mask[5:15, 5:15] = True
    mask[40:44, 30:60] = True
    scores = generator.gamma(4.0, 0.2, (64, 64)).astype(np.float32) + lift * mask
    return scores.astype(np.float32), mask


def test_pixel_auroc_equals_the_exact_one() -> None:
    histogram = PixelHistogram(1.0)
    pairs = [image(seed, 0.5) for seed in range(4)]
    for scores, mask in pairs:
        histogram.add(scores, mask)
    good = np.concatenate([scores[~mask] for scores, mask in pairs])
    bad = np.concatenate([scores[mask] for scores, mask in pairs])
    assert histogram.pixel_auroc() == pytest.approx(auroc(good, bad), abs=1e-3)


def test_aupro_is_one_where_every_region_is_found_first() -> None:
    histogram = PixelHistogram(1.0)
    histogram.add(*image(0, 100.0))
    assert histogram.aupro() == pytest.approx(1.0, abs=1e-3)


def test_aupro_weighs_a_small_region_as_a_large_one() -> None:
    mask = np.zeros((64, 64), np.bool_)
    mask[0:40, 0:40] = True
    mask[60:62, 60:62] = True
    scores = np.full((64, 64), 0.5, np.float32)
    scores[0:40, 0:40] = 3.0
    scores[60:62, 60:62] = 0.1
    histogram = PixelHistogram(1.0)
    histogram.add(scores, mask)
    assert histogram.aupro() == pytest.approx(0.5, abs=1e-3), "one region of two is found, whatever their sizes"


def test_aupro_of_chance_is_half_the_limit() -> None:
    generator = np.random.default_rng(0)
    mask = np.zeros((256, 256), np.bool_)
    mask[:, :128] = True
    histogram = PixelHistogram(0.5)
    histogram.add(generator.uniform(0.01, 1, (256, 256)).astype(np.float32), mask)
    assert histogram.aupro() == pytest.approx(0.15, abs=0.01)


def test_no_masks_no_figures() -> None:
    assert PixelHistogram(1.0).pixel_auroc() is None
    assert PixelHistogram(1.0).aupro() is None


def test_a_map_is_enlarged_to_its_mask() -> None:
    histogram = PixelHistogram(1.0)
    histogram.add(np.ones((8, 8), np.float32), np.ones((32, 32), np.bool_))
    assert histogram.bad.sum() == 32 * 32
