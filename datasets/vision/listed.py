"""A set of labelled images whose samples are listed by split."""

from andon.datasets.cards.listed import Listed
from andon.models.types.vision import ImageSample

ListedDataset = Listed[ImageSample]
"""A ``Dataset`` made of its provenance, its samples by split, and a sentence that says how they were split."""
