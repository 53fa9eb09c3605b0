"""Where a link's own thread puts what the PLC says, and the station takes it from."""

from threading import Condition

from andon.models.types.line import LineInputs, LineLostError


class Inbox:
    """The newest thing that is known of the PLC: what it says, or that it is away. It starts with it being away.

    Parameters
    ----------
    lost
        What is raised while it is away.
    """

    def __init__(self, lost: LineLostError) -> None:
        self._changed = Condition()
        self._newest: LineInputs | LineLostError = lost
        self._taken: LineInputs | LineLostError | None = None

    @property
    def is_lost(self) -> bool:
        """Whether the PLC is away, as far as is known."""
        return isinstance(self._newest, LineLostError)

    def put(self, newest: LineInputs | LineLostError) -> None:
        """Say what the PLC says, or that it is away; safe from any thread."""
        with self._changed:
            self._newest = newest
            self._changed.notify_all()

    def take(self, wait_s: float) -> LineInputs:
        """Return what is newest: as soon as it differs from what was taken last, else after ``wait_s``.

        Raises
        ------
        LineLostError
            The PLC is away: as soon as that is so, and again after ``wait_s`` while it lasts.
        """
        with self._changed:
            self._changed.wait_for(self._is_new, wait_s)
            newest = self._taken = self._newest
        return _or_raise(newest)

    def check(self) -> None:
        """Raise ``LineLostError`` if the PLC is away."""
        _or_raise(self._newest)

    def _is_new(self) -> bool:
        if isinstance(self._newest, LineLostError):
            return not isinstance(self._taken, LineLostError)
        return self._newest != self._taken


def _or_raise(newest: LineInputs | LineLostError) -> LineInputs:
    """Return it or raise it, anew each time: an error that is raised again would drag along all its traces."""
    if isinstance(newest, LineLostError):
        raise LineLostError(newest.code, **newest.params)  # type: ignore[arg-type]
    return newest
