"""Keys and users as people and programs see them: without anything secret."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from andon.datasets.store.accounts import Key, User
from andon.models.types.moments import as_text


def key_document(key: Key) -> dict[str, Any]:
    """Show a key."""
    times = {"created": key.created, "expires": key.expires, "revoked": key.revoked, "last_used": key.last_used}
    return {"id": key.id, "name": key.name, "role": key.role, "customer": key.customer, **_texts(times)}


def user_document(user: User) -> dict[str, Any]:
    """Show a user."""
    comes_by = "password" if user.subject is None else "single sign-on"
    times = {"created": user.created, "disabled": user.disabled}
    return {"name": user.name, "role": user.role, "customer": user.customer, "comes_by": comes_by, **_texts(times)}


def _texts(times: Mapping[str, datetime | None]) -> dict[str, str | None]:
    return {name: None if time is None else as_text(time) for name, time in times.items()}
