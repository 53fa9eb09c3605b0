"""What monitoring says, to people and machines."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from andon.models.alerts.budget import MONTH_S, poisson_upper_bound
from andon.models.alerts.card import alert_document, alert_text
from andon.models.alerts.case import Alert, AlertEvent
from andon.models.command.console import Console
from andon.models.monitoring.documents import window_document
from andon.models.monitoring.watch import watched_name
from andon.models.stream.engine import Event
from andon.models.stream.windows import StreamEventKind, WindowResult
from andon.models.types.errors import RecordError

if TYPE_CHECKING:
    from andon.hardware.monitoring.album import Album


@dataclass(slots=True)
class Reporter:
    """Tells people and machines what monitoring finds."""

    console: Console
    album: "Album | None" = None
    unread: int = 0
    n_windows: int = 0
    n_judged: int = 0
    n_anomalous: int = 0
    n_alerts: int = 0
    spans: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)

    def unreadable(self, path: Path, error: RecordError) -> None:
        """Report a record that is left out."""
        self.unread += 1
        self.console.complain_of(str(path), error)

    def event(self, event: Event) -> None:
        """Report whatever comes out of the stream engine."""
        if isinstance(event, WindowResult):
            self.window(watched_name(event.head.asset, event.head.sensor), window_document(event))
        elif isinstance(event, Alert):
            self.alert(event)
        elif event.kind is not StreamEventKind.GAP:  # between two records there always is one
            where = {"asset": event.asset, "sensor": event.sensor}
            self.console.emit({"type": "stream", "kind": event.kind.value, **where, **event.params})
            self.console.show_text(event.text(self.console.catalogue))

    def window(self, name: str, document: dict[str, Any]) -> None:
        """Report a ``window`` object; people see those that are anomalous counted at the end."""
        self.n_windows += 1
        self.n_judged += document["judged"]
        self.n_anomalous += bool(document["anomalous"])
        time = datetime.fromisoformat(document["time"])
        first, _ = self.spans.get(document["asset"], (time, time))
        self.spans[document["asset"]] = first, time
        self.console.emit(document)
        if self.album:
            self.album.note(name, document)

    def alert(self, alert: Alert) -> None:
        """Report an alert with its card and picture."""
        self.n_alerts += alert.event is AlertEvent.RAISED
        plot = self.album.draw_alert(alert) if self.album else None
        document = alert_document(alert, str(plot) if plot else None)
        self.console.emit(document)
        self.console.show_text(alert_text(document, self.console.catalogue))

    def finish(self) -> None:
        """Draw the trends, and sum up: how much was watched, and how many alerts that gave."""
        for path in self.album.draw_trends() if self.album else ():
            self.console.say("monitor.trend", path=str(path))
        months = sum((last - first).total_seconds() for first, last in self.spans.values()) / MONTH_S
        self.console.say(
            "monitor.summary",
            windows=self.n_windows,
            judged=self.n_judged,
            anomalous=self.n_anomalous,
            alerts=self.n_alerts,
            machines=len(self.spans),
            months=f"{months:.3g}",
        )
        if self.n_alerts == 0 and months:
            self.console.say("monitor.bound", bound=f"{poisson_upper_bound(0, months):.3g}")
