"""What is known of a data set before its contents are read."""

from collections.abc import Mapping
from dataclasses import dataclass

from andon.models.types.vision import DataCard


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

    def card(self, *, checksum: str, split: str, counts: Mapping[str, int]) -> DataCard:
        """Return the card, once the contents have been read; ``counts`` are sorted by name."""
        return DataCard(
            name=self.name,
            source=self.source,
            licence=self.licence,
            non_commercial=self.non_commercial,
            checksum=checksum,
            grade=self.grade,
            split=split,
            counts=dict(sorted(counts.items())),
        )
