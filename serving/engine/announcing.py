"""Tell of alerts as they are kept: those who follow events, and whoever else is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from andon.datasets.store.conditions import Teller
from andon.models.alerts.card import alert_document
from andon.models.alerts.case import Alert
from andon.serving.engine.broadcast import Broadcast

ALERTS = "alerts"
"""The topic under which alerts are told as they come."""


@dataclass(frozen=True, slots=True)
class Announcer:
    """A teller that also broadcasts."""

    teller: Teller
    broadcast: Broadcast

    def add(self, connection: Connection, alerts: Sequence[Alert], now: datetime) -> None:
        """Note what is to be told, in the transaction that keeps the alerts."""
        self.teller.add(connection, alerts, now)

    def kept(self, alerts: Sequence[Alert]) -> None:
        """Tell them."""
        self.teller.kept(alerts)
        for alert in alerts:
            self.broadcast.publish(ALERTS, alert_document(alert))
