"""Tell alerts from what was kept: noted in the transaction that keeps them, taken off once all who can take them have them."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from threading import Lock

from sqlalchemy import Connection

from andon.datasets.store.database import Database
from andon.datasets.store.outbox import Outbox, Waiting, add
from andon.hardware.edge.listeners import Listener, tell
from andon.hardware.messaging.documents import alert_told
from andon.models.alerts.card import alert_document
from andon.models.alerts.case import Alert
from andon.models.alerts.notifying import Delivery
from andon.models.types.errors import ResourceError
from andon.models.types.identifiers import new_id

CHANNEL = "edge"
AT_ONCE = 100
NO_LEASE = timedelta(0)
"""One process tells, and what it had begun before it was killed is told at its next start."""

FOR_EVER = timedelta(days=36_525)

logger = logging.getLogger(__name__)


class AlertTeller:
    """A ``Teller`` of alerts to the listeners of a box. Safe to use from several threads at once."""

    def __init__(self, database: Database, listeners: Sequence[Listener]) -> None:
        self._outbox = Outbox(database, NO_LEASE)
        self._listeners = listeners
        self._telling = Lock()

    def add(self, connection: Connection, alerts: Sequence[Alert], now: datetime) -> None:
        """Note what is to be told, in the transaction that keeps the alerts."""
        add(connection, [_delivery(alert, now) for alert in alerts], now, FOR_EVER)

    def kept(self, alerts: Sequence[Alert]) -> None:
        """Tell them."""
        self.tell_waiting()

    def tell_waiting(self) -> None:
        """Tell all that was kept and not told; what somebody cannot take now is told again later, to all, under the same identifier."""
        with self._telling:
            try:
                self._drain()
            except ResourceError as error:
                logger.warning("alerts not told", extra={"fields": {"code": error.code, "reason": str(error)}})

    def _drain(self) -> None:
        while waiting := self._outbox.due(CHANNEL, datetime.now(UTC), AT_ONCE):
            told = [each.id for each in waiting if self._tell(each)]
            self._outbox.sent(told, datetime.now(UTC))
            if len(told) < len(waiting):
                return

    def _tell(self, waiting: Waiting) -> bool:
        return tell(self._listeners, alert_told(waiting.document))


def _delivery(alert: Alert, now: datetime) -> Delivery:
    return Delivery(new_id(), CHANNEL, "", alert.case.id, now, False, alert_document(alert))
