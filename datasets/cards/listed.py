"""A data set whose samples are listed by split."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from andon.datasets.cards.digests import digest_of
from andon.datasets.cards.provenance import Provenance
from andon.models.types.vibration import RecordSample
from andon.models.types.vision import DataCard, ImageSample, Split

SampleT = TypeVar("SampleT", ImageSample, RecordSample)


@dataclass(frozen=True)
class Listed(Generic[SampleT]):
    """A data set made of its provenance, its samples by split, and a sentence that says how they were split."""

    provenance: Provenance
    split: str
    by_split: Mapping[Split, Sequence[SampleT]]

    def samples(self, split: Split) -> Sequence[SampleT]:
        """List the samples of one split, in a fixed order; empty where the set has none."""
        return self.by_split.get(split, ())

    @cached_property
    def card(self) -> DataCard:
        """Source, licence, checksum and grade; reads every sample once.

        ``counts`` has a key ``"<split>/<label>"`` for each label of each split; ``"<split>/"`` where nobody knows the label.
        """
        samples = (sample for samples in self.by_split.values() for sample in samples)
        return self.provenance.card(checksum=digest_of(samples), split=self.split, counts=self._counts())

    def _counts(self) -> Counter[str]:
        labels = (f"{split}/{sample.label}" for split, samples in self.by_split.items() for sample in samples)
        return Counter(labels)
