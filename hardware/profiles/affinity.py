"""Keep a thread on the cores that are meant for it, and let those go first that cannot wait."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from threading import get_native_id

from andon.models.types.errors import OptionError

NICENESS = 10
"""How far a thread stands back that can wait, of 19."""


@contextmanager
def bound_to(cores: Collection[int]) -> Iterator[None]:
    """Keep the calling thread, and those that it starts meanwhile, on ``cores``; on all that it has where there are none.

    Raises
    ------
    OptionError
        The machine has no such core, or does not let this process use it.
    """
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    _bind(cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def keep_to(cores: Collection[int]) -> None:
    """Keep the calling thread on ``cores`` for good; on all that it has where there are none. Raises as ``bound_to`` does."""
    if cores:
        _bind(cores)


def stand_back(cores: Collection[int]) -> None:
    """Keep the calling thread on ``cores`` for good, and let whatever else runs there go first. Raises as ``bound_to`` does."""
    keep_to(cores)
    os.setpriority(os.PRIO_PROCESS, get_native_id(), NICENESS)


def _bind(cores: Collection[int]) -> None:
    """Bind and read back: the system silently leaves out a core that it does not have while another one is there."""
    wanted = set(cores)
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, wanted)
    except (OSError, OverflowError) as error:
        raise _no_core(wanted) from error
    if os.sched_getaffinity(0) != wanted:
        os.sched_setaffinity(0, before)
        raise _no_core(wanted)


def _no_core(wanted: Collection[int]) -> OptionError:
    return OptionError("profile.cores", "cores", found=str(sorted(wanted)), last=(os.cpu_count() or 1) - 1)
