"""What is found in signals and told of machines, as entries of this place's own chain: whoever sends the chain on sends it with them."""

from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection

from andon.datasets.store.arrivals import check_record
from andon.datasets.store.conditions import SignalRecord
from andon.datasets.store.ledger import ALERT, SIGNAL, add
from andon.models.alerts.case import Alert
from andon.models.ledger.chain import Entry


class OwnChain:
    """Notes everything in the chain of this place.

    Both methods raise ``DataError`` where what is to be noted could not be taken in elsewhere, and ``LedgerError`` where a number is not finite:
    it would hold up all that follows it.

    Parameters
    ----------
    origin
        Whose chain it is.
    """

    def __init__(self, origin: str) -> None:
        self._origin = origin

    def add_signal(self, connection: Connection, record: SignalRecord) -> Entry:
        """Note a signal."""
        return self._add(connection, SIGNAL, record.ledger_record(), record.received)

    def add_alert(self, connection: Connection, alert: Alert, document: bytes, now: datetime) -> Entry:
        """Note what people are to be told."""
        return self._add(connection, ALERT, alert_record(alert, document), now)

    def _add(self, connection: Connection, kind: str, record: dict[str, Any], time: datetime) -> Entry:
        check_record(kind, record)
        return add(connection, self._origin, kind, record, time)


def alert_record(alert: Alert, document: bytes) -> dict[str, Any]:
    """What the ledger says of an alert: the whole of it, so that whoever takes it in can tell of it, and the digest of its document."""
    said = msgspec.json.decode(msgspec.json.encode(alert), type=dict[str, Any])
    return {"alert": alert.case.id, "asset": alert.case.asset, **said, "document": sha256(document).hexdigest()}
