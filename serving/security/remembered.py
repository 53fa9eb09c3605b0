"""What was looked up a moment ago."""

from collections import OrderedDict
from typing import Generic, TypeVar

Name = TypeVar("Name")
Value = TypeVar("Value")


class Remembered(Generic[Name, Value]):
    """Values that hold for a few seconds. Used from one thread; a clock is passed in.

    Parameters
    ----------
    seconds
        How long each holds.
    capacity
        How many there are at most; beyond that the earliest goes.
    """

    def __init__(self, seconds: float, capacity: int) -> None:
        self._seconds = seconds
        self._capacity = capacity
        self._values: OrderedDict[Name, tuple[float, Value]] = OrderedDict()

    def get(self, name: Name, now_s: float) -> Value | None:
        """Return what is remembered, as long as it holds."""
        found = self._values.get(name)
        return found[1] if found and now_s < found[0] else None

    def take(self, name: Name, now_s: float) -> Value | None:
        """Return what is remembered, and forget it."""
        value = self.get(name, now_s)
        self._values.pop(name, None)
        return value

    def put(self, name: Name, value: Value, now_s: float) -> None:
        """Remember a value from now on."""
        self._values.pop(name, None)
        if len(self._values) == self._capacity:
            self._values.popitem(last=False)
        self._values[name] = (now_s + self._seconds, value)

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()
