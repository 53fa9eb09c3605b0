"""The part of a record that a diagnosis is made on."""

from pathlib import Path

from andon.datasets.vibration.hints import RecordHints
from andon.datasets.vibration.records import read_blocks
from andon.models.types.vibration import Signal
from andon.models.vibration.diagnosis import MAX_DURATION_S

READ_S = MAX_DURATION_S + 1
"""A little more than is diagnosed, so that a longer record is known to be longer."""


def first_block(path: Path, hints: RecordHints) -> Signal:
    """Read as much of a record as is diagnosed, however long it is.

    Raises
    ------
    RecordError
        As ``read_record``.
    """
    return next(read_blocks(path, hints, READ_S))
