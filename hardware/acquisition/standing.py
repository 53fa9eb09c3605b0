"""What is wrong with a sensor, a topic or a device, said once for as long as it lasts."""

from collections import OrderedDict
from collections.abc import Callable

from andon.models.types.errors import AndonError

Report = Callable[[AndonError], None]
"""Told of what a source cannot use or reach; the source goes on."""

_SUBJECTS = 10_000
"""Subjects remembered: whoever invents topics does not fill the memory."""


class StandingFaults:
    """Reports what is wrong with a subject when it begins, and again when it is another thing or was well in between; for any thread.

    Parameters
    ----------
    report
        Told of each.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._codes: OrderedDict[str, str] = OrderedDict()

    def note(self, error: AndonError) -> None:
        """Something is wrong with the error's subject."""
        # In an order that holds where another thread clears the subject between any two of these lines.
        before = self._codes.pop(error.subject, None)
        self._codes[error.subject] = error.code
        if len(self._codes) > _SUBJECTS:
            self._codes.popitem(last=False)
        if before != error.code:
            self._report(error)

    def clear(self, *subjects: str) -> None:
        """The subjects are well."""
        for subject in subjects:
            self._codes.pop(subject, None)

    def clear_all(self) -> None:
        """Everything is well."""
        self._codes.clear()
