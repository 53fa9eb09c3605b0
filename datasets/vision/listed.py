"""A data set whose samples are listed by split."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from andon.datasets.cards.digests import digest_of
from andon.datasets.cards.provenance import Provenance
from andon.models.types.vision import DataCard, ImageSample, Split


@dataclass(frozen=True)
class ListedDataset:
    """A ``Dataset`` made of its provenance, its samples by split, and a sentence that says how they were split."""

    provenance: Provenance
    split: str
    by_split: Mapping[Split, Sequence[ImageSample]]

    def samples(self, split: Split) -> Sequence[ImageSample]:
        """List the samples of one split, in a fixed order; empty where the set has none."""
        return self.by_split.get(split, ())

    @cached_property
    def card(self) -> DataCard:
        """Source, licence, checksum and grade; reads every sample once.

        ``counts`` has a key ``"<split>/<label>"`` for each label of each split.
        """
        known = self.provenance
        return DataCard(
            name=known.name,
            source=known.source,
            licence=known.licence,
            non_commercial=known.non_commercial,
            checksum=digest_of(sample for samples in self.by_split.values() for sample in samples),
            grade=known.grade,
            split=self.split,
            counts=self._counts(),
        )

    def _counts(self) -> dict[str, int]:
        labels = (f"{split}/{sample.label}" for split, samples in self.by_split.items() for sample in samples)
        return dict(sorted(Counter(labels).items()))
