"""How features, score and preprocessing were chosen: AUROC of variants on validation data, never on a test part.

``python -m tests.bench.study`` prints the table of docs/adr/0003. Validation data: the solar cells that neither train nor
test (good ones left over; defective ones after the first 200; those of doubtful defects, p = 2/3, which no part of the
protocol uses) and generated boards of other seeds than the one that is shown elsewhere. Each figure is the mean over
three seeds of the coreset; the columns are the number of highest cells whose mean is the score. Takes about ten minutes.
``python -m tests.bench.study DIR`` does the same for the ``trainval`` part of the DeepPCB data set in DIR.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from os import cpu_count
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tests.bench.bench_vision import backbone_session

from andon.datasets.vision.elpv import fetch_elpv
from andon.datasets.vision.sources import open_dataset
from andon.models.evaluation.ranking import auroc
from andon.models.types.vision import Frame, Split
from andon.models.vision.coreset import k_centre
from andon.models.vision.decoding import read_image
from andon.models.vision.preprocessing import AS_IS, INTENSITIES, STANDARDISED, fit_to

SIDE = 256
SEEDS = (0, 1, 2)
HIGHEST = (1, 3, 5, 8, 16)
MAX_CANDIDATES = 65_536
N_TRAIN, N_TEST = 200, 200
N_BARE = 35
GROUPS = ("group00041", "group13000", "group77000", "group92000")

Maps = NDArray[np.float32]
Frames = Sequence[Frame]


@dataclass(frozen=True)
class Variant:
    """One way to describe and score an image."""

    name: str
    intensity: str = AS_IS
    average: int = 1
    cell_px: int = 16
    bank: int = 4000
    transform: Callable[[Maps, Maps], Maps] = field(default=lambda _, vectors: vectors)


@dataclass(frozen=True)
class Material:
    """Good frames to fit, good frames to validate, and bad ones by name."""

    name: str
    train: Frames
    good: Frames
    bad: Mapping[str, Frames]


def whiten(train: Maps, vectors: Maps) -> Maps:
    """Decorrelate by the covariance of the training vectors, small directions damped."""
    flat = train.reshape(-1, train.shape[-1])
    values, directions = np.linalg.eigh(np.cov(flat.T))
    scaled = directions / np.sqrt(values + 0.1 * values.mean())
    return np.asarray((vectors - flat.mean(axis=0)) @ scaled, dtype=np.float32)


BASE = Variant("16-pixel cells, no averaging, 4,000 vectors, as is")
VARIANTS = (
    BASE,
    replace(BASE, name="standardised", intensity=STANDARDISED),
    replace(BASE, name="3x3 averaging", average=3),
    replace(BASE, name="8-pixel cells", cell_px=8),
    replace(BASE, name="8-pixel cells, 3x3 averaging", cell_px=8, average=3),
    replace(BASE, name="2,000 vectors", bank=2000),
    replace(BASE, name="8,000 vectors", bank=8000),
    replace(BASE, name="whitened", transform=whiten),
)


def main(words: Sequence[str]) -> None:
    """Print a table for each material."""
    materials = (
        map(partial(bare_boards, Path(words[0])), GROUPS)
        if words
        else (*map(cells, ("mono", "poly")), *map(boards, (1, 3)))
    )
    for material in materials:
        session = backbone_session(len(material.train[0]))
        for name in material.bad:
            print(f"\n{material.name}, {name}: {len(material.good)} good, {len(material.bad[name])} bad")
            print(f"| variant | {' | '.join(map(str, HIGHEST))} |\n|---|{'---|' * len(HIGHEST)}")
            for variant in VARIANTS:
                figures = " | ".join(f"{area:.3f}" for area in measure(session, material, name, variant))
                print(f"| {variant.name} | {figures} |", flush=True)


def cells(cell_type: str) -> Material:
    """Read the solar cells that neither train nor test, and the training part."""
    root = fetch_elpv()
    rows = [line.split() for line in (root / "labels.csv").read_text(encoding="utf-8").splitlines()]
    paths = {
        share: [root / path for path, p, kind in rows if kind == cell_type and abs(float(p) - share) < 0.01]
        for share in (0, 0.67, 1)
    }
    order = np.random.default_rng(0).permutation(len(paths[0]))
    good = [paths[0][index] for index in order]
    bad = {"defective": paths[1][N_TEST:], "doubtful": paths[0.67]}
    return Material(
        f"solar cells, {cell_type}",
        [_small(read_image(path)) for path in good[:N_TRAIN]],
        [_small(read_image(path)) for path in good[N_TRAIN + N_TEST :][:N_TEST]],
        {name: [_small(read_image(path)) for path in listed] for name, listed in bad.items()},
    )


def boards(seed: int) -> Material:
    """Generate the boards of one seed."""
    dataset = open_dataset("synthetic:pcb", seed)
    test = dataset.samples(Split.TEST)
    return Material(
        f"generated boards, seed {seed}",
        [_small(sample.frame()) for sample in dataset.samples(Split.TRAIN)],
        [_small(sample.frame()) for sample in test if sample.is_good],
        {"all defects": [_small(sample.frame()) for sample in test if not sample.is_good]},
    )


def bare_boards(root: Path, group: str) -> Material:
    """Read 35 defect-free templates of a DeepPCB group to fit, and 35 more with their tested boards to validate, 640x640."""
    lines = (root / "trainval.txt").read_text(encoding="utf-8").splitlines()
    listed = [line.split()[0] for line in lines if line.startswith(f"{group}/")]
    stems = [root / name.removesuffix(".jpg") for name in listed[: 2 * N_BARE]]
    templates = [read_image(stem.with_name(f"{stem.name}_temp.jpg")) for stem in stems]
    tested = [read_image(stem.with_name(f"{stem.name}_test.jpg")) for stem in stems[N_BARE:]]
    return Material(f"bare boards, {group}", templates[:N_BARE], templates[N_BARE:], {"tested boards": tested})


def measure(
    session: onnxruntime.InferenceSession, material: Material, bad: str, variant: Variant
) -> NDArray[np.float64]:
    """AUROC for each number of highest cells, averaged over the seeds."""
    train, good, worse = (
        describe(session, frames, variant) for frames in (material.train, material.good, material.bad[bad])
    )
    good, worse, train = (variant.transform(train, each) for each in (good, worse, train))
    areas = [_areas(train, good, worse, variant.bank, seed) for seed in SEEDS]
    return np.asarray(np.mean(areas, axis=0))


def describe(session: onnxruntime.InferenceSession, frames: Frames, variant: Variant) -> Maps:
    """Feature vectors of every cell: ``[n, grid, grid, 152]``."""

    def one(frame: Frame) -> Maps:
        grid = len(frame) // variant.cell_px
        outputs = session.run(None, {"image": INTENSITIES[variant.intensity](frame)[None]})
        fine, coarse = (_averaged(output[0].transpose(1, 2, 0), variant.average) for output in outputs)
        return np.concatenate([_to_grid(fine, grid), _to_grid(coarse, grid)], axis=2)

    with ThreadPoolExecutor(cpu_count()) as pool:
        return np.stack(list(pool.map(one, frames)))


def _areas(train: Maps, good: Maps, bad: Maps, bank_size: int, seed: int) -> list[float]:
    candidates = train.reshape(-1, train.shape[-1])
    chosen = np.random.default_rng(seed).permutation(len(candidates))[:MAX_CANDIDATES]
    bank = k_centre(candidates[chosen], bank_size, seed)
    good_cells, bad_cells = (np.sort(_distances(maps, bank), axis=1) for maps in (good, bad))
    return [auroc(good_cells[:, -count:].mean(axis=1), bad_cells[:, -count:].mean(axis=1)) for count in HIGHEST]


def _distances(maps: Maps, bank: Maps) -> Maps:
    half_norms = 0.5 * np.square(bank).sum(axis=1)

    def one(vectors: Maps) -> Maps:
        nearest = bank[(vectors @ bank.T - half_norms).argmax(axis=1)]
        return np.asarray(np.linalg.norm(vectors - nearest, axis=1))

    return np.stack([one(each.reshape(-1, each.shape[-1])) for each in maps])


def _averaged(maps: Maps, side: int) -> Maps:
    layers = [cv2.blur(np.ascontiguousarray(maps[..., index]), (side, side)) for index in range(maps.shape[-1])]
    return np.stack(layers, axis=2).astype(np.float32)


def _to_grid(maps: Maps, grid: int) -> Maps:
    method = cv2.INTER_AREA if maps.shape[0] > grid else cv2.INTER_LINEAR
    layers = [
        cv2.resize(np.ascontiguousarray(maps[..., index]), (grid, grid), interpolation=method)
        for index in range(maps.shape[-1])
    ]
    return np.stack(layers, axis=2).astype(np.float32)


def _small(frame: Frame) -> Frame:
    return fit_to(frame, SIDE, SIDE)


if __name__ == "__main__":
    main(sys.argv[1:])
