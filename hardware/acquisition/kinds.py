"""Kinds of sources as a configuration names them: what is said of one, and what is made of that."""

from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Protocol

from andon.hardware.acquisition.standing import Report
from andon.models.types.vibration import RowSource, SignalSource

Source = SignalSource | RowSource


@dataclass(frozen=True, slots=True)
class Place:
    """Where a source runs.

    Parameters
    ----------
    box, name
        Of the box, and of the source on it.
    folder
        What paths are seen from.
    home
        Where the source may keep what it remembers.
    report
        Told of what it cannot use or reach.
    stop
        Ends it once it is set.
    """

    box: str
    name: str
    folder: Path
    home: Path
    report: Report
    stop: Event


class SourcePlan(Protocol):
    """What a configuration says of a source: a frozen dataclass whose fields are the keys of its table."""

    def source(self, place: Place) -> Source:
        """Make the source, without opening it.

        Raises
        ------
        AndonError
            Something said of it cannot be.
        """
