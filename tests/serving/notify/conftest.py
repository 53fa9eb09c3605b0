"""Receivers that many tests of notifications send to, and alerts to send."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.serving.notify.receivers import (
    Broker,
    MailServer,
    WebServer,
    broker,
    mail_server,
    web_server,
)

from andon.datasets.store.outbox import Waiting
from andon.models.alerts.card import alert_document
from andon.models.alerts.case import Alert, AlertEvent, AlertKind, Case, Finding
from andon.models.types.identifiers import new_id
from andon.models.types.vibration import Fault, Severity
from andon.serving.notify.channels import Message
from andon.serving.notify.wording import alert_message

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Receivers are on this machine, whatever proxy stands between it and others."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Broker]:
    with broker(tmp_path / "mosquitto") as server:
        yield server


@pytest.fixture
def mail() -> Iterator[MailServer]:
    pytest.importorskip("aiosmtpd", reason="aiosmtpd is not installed (pip install aiosmtpd)")
    with mail_server() as server:
        yield server


@pytest.fixture
def alert_of() -> Callable[..., Alert]:
    """``alert_of(asset="P-101", severity=..., event=..., case=...)``."""

    def make(
        asset: str = "P-101",
        severity: Severity = Severity.WARNING,
        event: AlertEvent = AlertEvent.RAISED,
        case: str | None = None,
    ) -> Alert:
        finding = Finding(AlertKind.FAULT, "DE", Fault.OUTER_RACE, severity, NOW)
        return Alert(event, NOW, Case(case or new_id(), asset, (finding,), NOW, NOW, NOW, NOW, 3))

    return make


@pytest.fixture
def waiting_of(alert_of: Callable[..., Alert]) -> Callable[..., Waiting]:
    """The same, as it is taken out of the outbox: ``waiting_of(language="en", document={...}, ...)``."""

    def make(language: str = "en", document: dict[str, Any] | None = None, **of: Any) -> Waiting:
        alert = alert_of(**of)
        said = {**alert_document(alert), **(document or {})}
        return Waiting(new_id(), "channel", alert.case.id, language, said, NOW, 0, 0)

    return make


@pytest.fixture
def message_of(waiting_of: Callable[..., Waiting]) -> Callable[..., Message]:
    """The same in words."""
    return lambda **of: alert_message(waiting_of(**of), "https://andon.example")
