"""Whoever is told of what a box found."""

import logging
from collections.abc import Callable, Sequence

from andon.hardware.messaging.documents import Said
from andon.models.types.errors import AndonError

Listener = Callable[[Said], None]
"""Told of every part, snapshot and alert once it is kept; what it is told twice, under one identifier, is the same."""

logger = logging.getLogger(__name__)


def tell(listeners: Sequence[Listener], said: Said) -> bool:
    """Tell all of them, and say whether each has it now; one that cannot take it keeps no other from it."""
    told = [_has_it(listener, said) for listener in listeners]
    return all(told)


def _has_it(listener: Listener, said: Said) -> bool:
    try:
        listener(said)
    except AndonError as error:
        logger.warning("not told", extra={"fields": {"code": error.code, "reason": str(error)}})
        return False
    return True
