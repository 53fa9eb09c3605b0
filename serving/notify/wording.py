"""What people are told: an alert, or a summary of those that were held back, in one language. Pure."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

from andon.datasets.store.outbox import Waiting
from andon.models.alerts.card import alert_text
from andon.models.alerts.case import SEVERITY_ORDER, AlertEvent
from andon.models.messages.catalogue import Catalogue, catalogue
from andon.models.types.identifiers import uuid7
from andon.models.types.vibration import Severity
from andon.serving.notify.channels import Message, Tone

MOST_LISTED = 40
"""Lines of a summary; more are counted."""
_MINUTE_S = 60.0


def alert_message(told: Waiting, base_url: str | None) -> Message:
    """Put one alert into words.

    Parameters
    ----------
    base_url
        Where the service is reached; None where no link is given.
    """
    text = catalogue(told.language)
    title, *lines = alert_text(told.document, text).splitlines()
    lines += [*_unacknowledged(told.document, text), *_link(told, base_url, text)]
    return Message(told.id, title, "\n".join(lines), _tone(told.document), (told.document,))


def summary_message(told: Sequence[Waiting], base_url: str | None) -> Message:
    """Put several alerts of one language into a summary, a line each; one alone is told as it is."""
    if len(told) == 1:
        return alert_message(told[0], base_url)
    text = catalogue(told[0].language)
    lines = [line for each in told[:MOST_LISTED] for line in _listed(each, base_url, text)]
    if more := len(told) - MOST_LISTED:
        lines += [text.text("notify.more", n=more)] if more > 0 else []
    return Message(
        id=summary_id([each.id for each in told]),
        title=text.text("notify.summary", n=len(told)),
        body="\n".join(lines),
        tone=max((_tone(each.document) for each in told), key=list(Tone).index),
        documents=tuple(each.document for each in told),
    )


def check_message(message_id: str, language: str) -> Message:
    """Build a message that says of itself that it is a test."""
    text = catalogue(language)
    document = {"type": "test", "asset": "test", "id": message_id}
    return Message(message_id, text.text("notify.test_title"), text.text("notify.test_body"), Tone.NEWS, (document,))


def summary_id(ids: Sequence[str]) -> str:
    """Name a summary after all that it tells: with the same alerts it is the same, with others another."""
    *_, latest = ordered = sorted(ids)
    noise = int.from_bytes(sha256("\n".join(ordered).encode()).digest()[:8], "big") >> 2
    return str(uuid7((UUID(latest).int >> 80) * 10**6, noise))


def _listed(told: Waiting, base_url: str | None, text: Catalogue) -> list[str]:
    headline = alert_text(told.document, text).splitlines()[0]
    line = text.text("notify.line", time=told.document["time"][:16].replace("T", " "), headline=headline)
    return [line, *_link(told, base_url, text)]


def _unacknowledged(document: Mapping[str, Any], text: Catalogue) -> list[str]:
    if (seconds := document.get("unacknowledged_s")) is None:
        return []
    return [text.text("notify.unacknowledged", minutes=f"{seconds / _MINUTE_S:g}")]


def _link(told: Waiting, base_url: str | None, text: Catalogue) -> list[str]:
    return [] if base_url is None else [text.text("notify.link", address=f"{base_url}/api/v1/alerts/{told.alert}")]


def _tone(document: Mapping[str, Any]) -> Tone:
    if document["event"] == AlertEvent.CLEARED:
        return Tone.GOOD
    if document["severity"] == Severity.DANGER:
        return Tone.DANGER
    warns = SEVERITY_ORDER.index(document["severity"]) >= SEVERITY_ORDER.index(Severity.WARNING)
    return Tone.WARNING if warns else Tone.NEWS
