"""What is known of a data set before its contents are read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a data set comes from and what may be done with it.

    ``source`` holds the address and the publications to cite. ``grade`` is ``public``, ``internal``, ``important`` or
    ``core``.
    """

    name: str
    source: str
    licence: str
    non_commercial: bool
    grade: str
