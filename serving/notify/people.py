"""Messages to people by apprise: mail, DingTalk, WeCom, Feishu and all others that it knows."""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from apprise import Apprise, AppriseAsset, NotifyBase, NotifyFormat, NotifyType, OverflowMode
from apprise.exception import AppriseImproperlyConfigured
from apprise.plugins import url_to_dict

from andon.serving.notify.channels import Failed, Message, Outcome, Sent, Tone
from andon.serving.notify.robots import DingTalkRobot, WeComRobot

NO_REASON = "not delivered"
LONGEST_REASON = 300
SHORTEST_SECRET = 3
HIDDEN = "***"
_TYPES = {
    Tone.NEWS: NotifyType.INFO,
    Tone.GOOD: NotifyType.SUCCESS,
    Tone.WARNING: NotifyType.WARNING,
    Tone.DANGER: NotifyType.FAILURE,
}
_READING_THEIR_ANSWERS: Mapping[str, type[NotifyBase]] = {"dingtalk": DingTalkRobot, "wecombot": WeComRobot}
_LIMITED_IN_BYTES = frozenset({"dingtalk", "wecombot", "feishu", "lark"})
"""Services whose limit apprise counts in characters, though theirs is in bytes of UTF-8."""
_REFUSED = re.compile(r"error=4(?!29)\d\d|was refused|rejected|errcode")
"""How apprise says that a receiver answered and did not take a message."""
_SILENT = logging.NullHandler()


@dataclass(frozen=True, slots=True)
class PeopleSettings:
    """One address of apprise, which holds secrets and so is never shown."""

    name: str
    url: str = field(repr=False)
    timeout_s: float


class People:
    """Sends the words of messages to one address of apprise.

    Raises
    ------
    ValueError
        Apprise cannot use the address.
    """

    in_order = False

    def __init__(self, settings: PeopleSettings) -> None:
        self._service, said = _service(settings)
        self._secrets = frozenset(_secrets(said))
        self._limit = self._service.body_maxlen
        self._is_limited_in_bytes = said["schema"] in _LIMITED_IN_BYTES
        self._apprise = Apprise(self._service, asset=self._service.asset)

    def send(self, message: Message) -> Outcome:
        """Send a message; a long one in several parts where the service takes only short ones."""
        if self._is_limited_in_bytes:
            self._service.body_maxlen = self._limit // _widest(message.title + message.body)
        result = self._apprise.notify(
            body=message.body,
            title=message.title,
            notify_type=_TYPES[message.tone],
            body_format=NotifyFormat.TEXT,
            log_level=logging.DEBUG,
        )
        if result:
            return Sent()
        reason = _reason(entry.message for each in result for entry in each.logs())
        return Failed(hide(self._secrets, reason), alone=bool(_REFUSED.search(reason)))


def hide(secrets: Iterable[str], text: str) -> str:
    """Blot secrets out of a text.

    >>> hide(["abc", "abcdef"], "no abcdef today")
    'no *** today'
    """
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def _service(settings: PeopleSettings) -> tuple[NotifyBase, Mapping[str, Any]]:
    _hush()
    said = url_to_dict(settings.url)  # type: ignore[no-untyped-call]
    if not said:
        raise ValueError(settings.name)
    service = _instance(said)
    if service is None:
        raise ValueError(settings.name)
    service.socket_connect_timeout = service.socket_read_timeout = settings.timeout_s
    if said["schema"].startswith("mailto"):
        # Otherwise apprise leaves seconds between two mails.
        service.request_rate_per_sec = 0
    service.overflow_mode = OverflowMode.SPLIT
    return service, said


def _instance(said: dict[str, Any]) -> NotifyBase | None:
    own = _READING_THEIR_ANSWERS.get(said["schema"])
    if own is None:
        return Apprise.instantiate(said, asset=_asset())
    try:
        return own(**said, asset=_asset())
    except AppriseImproperlyConfigured:
        # Its text holds the secret that is wrong.
        return None


def _asset() -> AppriseAsset:
    """How apprise works here: one attempt, in the thread that asks for it, without following redirects."""
    return AppriseAsset(
        app_id="Andon",
        app_desc="Andon",
        app_url="",
        http_redirects=False,
        async_mode=False,
        service_timeout=0,
        default_service_retry=0,
    )


def _hush() -> None:
    """Keep apprise's log from being passed on: addresses with their secrets stand in it. Reasons are taken from it here."""
    log = logging.getLogger("apprise")
    log.propagate = False
    log.setLevel(logging.DEBUG)
    log.addHandler(_SILENT)


def _secrets(said: Mapping[str, Any]) -> Iterator[str]:
    """Find what must not be shown: of a mail address its password, of others everything, as the whole is a key."""
    values = [said.get("password")]
    if not said["schema"].startswith("mailto"):
        parts = (said.get("fullpath") or "").split("/")
        values += [said.get("host"), said.get("user"), *parts]
        values += [value for name, given in said.items() if name.startswith("qsd") for value in given.values()]
    for value in values:
        if isinstance(value, str) and len(value) >= SHORTEST_SECRET:
            yield from {value, unquote(value)}


def _widest(text: str) -> int:
    """How many bytes a letter of it takes at the most."""
    return max((len(letter.encode()) for letter in set(text)), default=1)


def _reason(messages: Iterable[str]) -> str:
    """Choose what says why from apprise's log: what failed, and the error that the socket gave."""
    telling = [each for each in messages if _tells(each) and "Payload" not in each]
    return "; ".join(telling)[:LONGEST_REASON] or NO_REASON


def _tells(message: str) -> bool:
    return any(word in message for word in ("rror", "ailed", "refused", "rejected", "errcode", "Exception", "imeout"))
