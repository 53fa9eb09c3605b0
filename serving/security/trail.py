"""The audit trail: every change and every refused attempt."""

import logging

from anyio.to_thread import run_sync

from andon.datasets.store.accounts import Accounts, AuditEntry
from andon.models.types.errors import ResourceError
from andon.serving.security.buckets import Buckets
from andon.serving.security.options import Clock, RateLimits

logger = logging.getLogger(__name__)

_LONGEST = 256


class Trail:
    """Writes down who did what. Used from one event loop."""

    def __init__(self, accounts: Accounts, limits: RateLimits, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock
        self._refusals = Buckets(limits.refusals, limits.remembered)

    async def changed(self, actor: str, action: str, subject: str, outcome: str, address: str) -> None:
        """Write down what was done."""
        entry = AuditEntry(self._clock.now(), *(_line(each) for each in (actor, action, subject, outcome, address)))
        try:
            await run_sync(self._accounts.audit, entry)
        except ResourceError as error:  # what was done is done: the log keeps it where the database cannot
            fields = {"actor": entry.actor, "action": entry.action, "subject": entry.subject, "outcome": entry.outcome}
            logger.error("not in the audit trail: %s", error, extra={"fields": fields})

    async def failed(self, actor: str, action: str, subject: str, outcome: str, address: str) -> None:
        """Write down an attempt that came to nothing; of many from one address as many as its rate allows."""
        if not self._refusals.take(address, self._clock.monotonic_s()):
            await self.changed(actor, action, subject, outcome, address)


def _line(text: str) -> str:
    """One line of bounded length: a caller chose parts of it."""
    return "".join(each if each.isprintable() else "?" for each in text[:_LONGEST])
