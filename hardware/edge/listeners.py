"""Whoever is told of what a box found."""

import logging
from collections.abc import Callable, Sequence

from andon.hardware.messaging.documents import Said
from andon.models.types.errors import AndonError, InputError

Listener = Callable[[Said], None]
"""Told of every part, snapshot and alert once it is kept; what it is told twice, under one identifier, is the same."""

logger = logging.getLogger(__name__)


def tell(listeners: Sequence[Listener], said: Said) -> bool:
    """Tell all of them, and say whether that is done; one that cannot take it keeps no other from it.

    It is not done where a disk or a device failed. What a listener refuses for what it says, as for a name that it has no place for, it would
    refuse for ever, and is not told it again.
    """
    told = [_is_settled(listener, said) for listener in listeners]
    return all(told)


def _is_settled(listener: Listener, said: Said) -> bool:
    try:
        listener(said)
    except AndonError as error:
        logger.warning("not told", extra={"fields": {"code": error.code, "reason": str(error)}})
        return isinstance(error, InputError)
    return True
