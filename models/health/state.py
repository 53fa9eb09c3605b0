"""What is remembered of a machine from row to row, as a value that is stored and read back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from andon.models.health.baseline import Baseline
from andon.models.health.mahalanobis import Floats
from andon.models.health.operating import Operating
from andon.models.types.errors import AssetError


@dataclass(frozen=True, slots=True, eq=False)
class Watch:
    """What is remembered of one operating state.

    Parameters
    ----------
    smoothed
        ``[d]``, moving average of the transformed features.
    level
        ``[d]``, what the next row is compared with.
    origin
        ``[d]``, the level as it was learned, or last accepted by a person.
    cusum
        What the standardised score exceeded its reference by, summed up, in multiples of the decision.
    alpha
        The level at which the conformal threshold is taken.
    recent
        ``[m]``, scores outside alarms of the CUSUM, the latest last.
    """

    smoothed: Floats
    level: Floats
    origin: Floats
    cusum: float
    alpha: float
    recent: Floats


@dataclass(frozen=True, slots=True, eq=False)
class HealthState:
    """What is remembered of one machine.

    Parameters
    ----------
    operating
        How it ran at the last row.
    learning
        Operating states that are still being learned: their rows so far, ``[n, d]``.
    learned
        Baselines learned since the model was fitted, by operating state.
    watches
        What is remembered of the operating states that are judged.
    """

    asset: str
    operating: Operating = field(default_factory=Operating)
    learning: Mapping[str, Floats] = field(default_factory=dict)
    learned: Mapping[str, Baseline] = field(default_factory=dict)
    watches: Mapping[str, Watch] = field(default_factory=dict)


def dump_state(state: HealthState) -> dict[str, Any]:
    """Bring a state to plain values, which JSON holds without loss."""
    plain: dict[str, Any] = msgspec.to_builtins(state, enc_hook=lambda array: array.tolist())
    return plain


def load_state(plain: Mapping[str, Any]) -> HealthState:
    """Read a state back from plain values.

    Raises
    ------
    AssetError
        They are not those of a state.
    """
    try:
        return msgspec.convert(plain, HealthState, dec_hook=lambda _, values: np.array(values, dtype=np.float64))
    except (msgspec.ValidationError, ValueError, TypeError) as error:
        raise AssetError("health.state_damaged", str(plain.get("asset", "")), reason=str(error)) from error
