"""How long work tells that it goes on."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with a stage's message code, how much of it is done, and how much there is."""


def silent(stage: str, done: int, total: int) -> None:
    """Tell nobody."""
