"""Choose the few feature vectors that cover all others: the memory bank."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

PROJECTION_DIMENSIONS = 48
BATCH = 16
SHORTLIST = 8 * BATCH


def k_centre(candidates: Vectors, count: int, seed: int, progress: Callable[[int], None] = lambda _: None) -> Vectors:
    """Choose ``count`` of ``candidates`` by greedy k-centre in a random projection.

    Each pass takes up to sixteen centres at once: the farthest of all, then the farthest from it among a short list, and
    so on. The first passes take fewer, since a short list covers few of the large gaps that there are then. One matrix product then gives every candidate's distance to them, so memory traffic falls sixteenfold
    against one centre a pass and no full distance matrix exists.

    Parameters
    ----------
    candidates
        float32 ``[n, d]``.
    count
        How many to choose; all are returned where there are no more than that.
    progress
        Called with the number chosen after each pass.

    Returns
    -------
    Vectors
        float32 ``[min(count, n), d]``, in the order chosen.

    Notes
    -----
    Gonzalez, Theoretical Computer Science 38 (1985) 293-306; its use for memory banks and the projection are of Roth et al.,
    "Towards Total Recall in Industrial Anomaly Detection", CVPR 2022.
    """
    if len(candidates) <= count:
        return candidates
    points = candidates @ _projection(candidates.shape[1], seed)
    half_norms = 0.5 * np.einsum("ij,ij->i", points, points)
    # |p - c|^2 / 2 = |p|^2 / 2 - p.c + |c|^2 / 2 as one inner product of (p, |p|^2 / 2, 1) and (-c, 1, |c|^2 / 2).
    columns = np.ascontiguousarray(np.column_stack([points, half_norms, np.ones_like(half_norms)]).T)
    chosen = [int(np.argmax(half_norms))]
    latest = chosen
    nearest = np.full(len(points), np.inf, np.float32)
    while len(chosen) < count:
        rows = np.column_stack([-points[latest], np.ones(len(latest), np.float32), half_norms[latest]])
        np.minimum(nearest, (rows @ columns).min(axis=0), out=nearest)
        latest = _farthest(points, nearest, min(BATCH, 1 + len(chosen) // BATCH, count - len(chosen)))
        chosen.extend(latest)
        progress(len(chosen))
    return candidates[chosen]


def _projection(dimensions: int, seed: int) -> Vectors:
    """Random projection that keeps distances (Johnson and Lindenstrauss, 1984)."""
    size = (dimensions, min(PROJECTION_DIMENSIONS, dimensions))
    projection: Vectors = np.random.default_rng(seed).standard_normal(size, np.float32) / np.float32(np.sqrt(size[1]))
    return projection


def _farthest(points: Vectors, nearest: Vectors, count: int) -> list[int]:
    """Greedy k-centre among the candidates that are farthest from all centres so far."""
    shortlist = np.argpartition(nearest, -min(SHORTLIST, len(nearest)))[-SHORTLIST:]
    distances = nearest[shortlist].copy()
    listed = points[shortlist]
    chosen = []
    for _ in range(count):
        index = int(np.argmax(distances))
        chosen.append(int(shortlist[index]))
        np.minimum(distances, 0.5 * np.square(listed - listed[index]).sum(axis=1), out=distances)
    return chosen
