"""Split samples by the physical unit they show."""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray


def split_by_unit(units: Sequence[str], fraction: float, seed: int) -> NDArray[np.bool_]:
    """Choose a share of the units; every sample of a unit goes where its unit goes.

    Units are ranked by a hash of the seed and their name, so the outcome depends on neither their order nor how many
    samples each has, and a unit that is added later moves few others.

    Parameters
    ----------
    units
        The unit of each sample.
    fraction
        Share of the units to choose, ``0 < fraction < 1``; rounded to whole units, and at least one.
    seed
        Another seed gives another choice.

    Returns
    -------
    NDArray[np.bool_]
        Whether each sample's unit was chosen, shape ``[len(units)]``.

    Raises
    ------
    ValueError
        If ``fraction`` is not between 0 and 1.

    Examples
    --------
    >>> split_by_unit(["a", "b", "a", "c", "d"], 0.75, seed=0).tolist()
    [True, False, True, True, True]
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction is {fraction}; expected a number between 0 and 1")
    ranked = sorted(set(units), key=lambda unit: _rank(unit, seed))
    chosen = set(ranked[: _share(len(ranked), fraction)])
    return np.array([unit in chosen for unit in units], dtype=np.bool_)


def _rank(unit: str, seed: int) -> bytes:
    return sha256(f"{seed}:{unit}".encode()).digest()


def _share(count: int, fraction: float) -> int:
    return max(1, int(count * fraction + 0.5))
