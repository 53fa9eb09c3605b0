"""How careful a station is with a new version."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatePolicy:
    """When a new version takes over, when it is kept, and when it goes.

    Parameters
    ----------
    shadow_parts
        Parts that the new version judges beside the one that decides; 0 switches at once.
    allowed_differing
        Of those, how many may get another verdict.
    allowed_lenient
        Of those, how many may be OK by the new version and not by the other; None for as many as may differ.
    probation_parts, probation_s
        Parts that the new version must judge, and seconds that must pass, before it is kept.
    allowed_errors, allowed_takt_misses
        How many of those parts it may fail to judge, and judge too late.
    allowed_starts
        How often the process may start anew while a version is tried that was killed or crashed, and not stopped in order.
    kept_versions
        Versions on disk once an update has ended, at least 2: the one that runs and the one before.
    retry_s
        How long a version that was refused is left alone.
    """

    shadow_parts: Count = 200
    allowed_differing: Count = 2
    allowed_lenient: Count | None = None
    probation_parts: Count = 200
    probation_s: Seconds = 600.0
    allowed_errors: Count = 0
    allowed_takt_misses: Count = 2
    allowed_starts: Count = 3
    kept_versions: Annotated[int, Meta(ge=2)] = 3
    retry_s: Seconds = 3600.0
