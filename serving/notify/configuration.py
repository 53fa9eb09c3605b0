"""``notify.toml``: channels, and routes that lead to them.

::

    site = "north"                              # stands in MQTT topics
    base_url = "https://andon.example"          # links lead there; none without it
    give_up_after = "3 d"

    [channels.maintenance]
    kind = "apprise"
    urls = ["mailtos://andon:${MAIL_PASSWORD}@example.com?to=team@example.com", "dingtalk://${DING_SECRET}@${DING_TOKEN}/"]
    timeout = "30 s"

    [channels.broker]
    kind = "mqtt"
    host = "broker.example"
    topic = "andon/{site}/{asset}/alerts"
    tls = true                                  # with ca, certificate and key where they are not the system's
    user = "andon"
    password = "${MQTT_PASSWORD}"

    [channels.cmms]
    kind = "webhook"
    url = "https://cmms.example/hooks/andon"
    secrets = ["${CMMS_SECRET}", "${CMMS_SECRET_BEFORE}"]

    [[routes]]
    channels = ["maintenance"]
    language = "zh_CN"
    severity = "watch"                          # the least that is told; all of it without this
    assets = ["P-*"]
    customers = ["ACME"]
    events = ["raised", "escalated", "cleared"]

    [[routes.quiet]]
    start = "22:00"
    end = "06:00"
    weekdays = ["mon", "tue", "wed", "thu", "fri"]
    zone = "Asia/Shanghai"

    [[routes.escalation]]
    after = "30 min"
    channels = ["chief"]

Every key may be left out that is not needed. ``${NAME}`` stands for a variable of the environment; within an address its value is quoted as
addresses ask, alone it is taken as it is.
"""

import re
import ssl
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo, available_timezones

import msgspec
from msgspec import Meta

from andon.models.alerts.case import AlertEvent
from andon.models.alerts.notifying import ALL_EVENTS, Level, QuietHours, Route, is_always_quiet
from andon.models.types.errors import OptionError
from andon.models.types.vibration import Severity
from andon.serving.notify.mqtt import PORT, TLS_PORT, TOPIC, MqttSettings
from andon.serving.notify.people import People, PeopleSettings
from andon.serving.notify.signing import secret_bytes
from andon.serving.notify.webhook import WebhookSettings

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
UNITS_S = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
LONGEST_TIMEOUT_S = 300.0
LONGEST_S = 366 * 86_400.0
_DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*([a-z]+)")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_AT = re.compile(r" - at `(?:key in )?\$?(.*)`$")
_SOME_MONDAY = datetime(2026, 3, 2, tzinfo=UTC)

Settings = PeopleSettings | MqttSettings | WebhookSettings
Some = Annotated[list[str], Meta(min_length=1)]
Filled = Annotated[str, Meta(min_length=1)]
Struct = TypeVar("Struct", bound=msgspec.Struct)
Given = TypeVar("Given")


@dataclass(frozen=True, slots=True)
class Configuration:
    """What ``notify.toml`` says.

    Parameters
    ----------
    channels
        One for each address: ``maintenance/1`` and ``maintenance/2`` where a channel has several. Routes name these.
    languages
        By channel: the first that a route speaks on it.
    """

    routes: tuple[Route, ...]
    channels: tuple[Settings, ...]
    give_up_after: timedelta
    base_url: str | None

    def language_of(self, channel: str) -> str:
        """Which language a channel is spoken to in; English where no route leads to it."""
        spoken = [(route.channels, route.language) for route in self.routes]
        spoken += [(level.channels, level.language) for route in self.routes for level in route.levels]
        return next((language for channels, language in spoken if channel in channels), "en")


@dataclass(frozen=True, slots=True)
class Reading:
    """A configuration, and all that is wrong with it; where something is, there is no configuration."""

    configuration: Configuration | None
    problems: tuple[OptionError, ...]


class _File(msgspec.Struct, kw_only=True):
    site: str = ""
    base_url: str | None = None
    give_up_after: Any = "3 d"
    channels: dict[str, dict[str, Any]]
    routes: list[dict[str, Any]]


class _People(msgspec.Struct, kw_only=True):
    kind: Literal["apprise"]
    urls: Some
    timeout: Any = "30 s"


class _Mqtt(msgspec.Struct, kw_only=True):
    kind: Literal["mqtt"]
    host: Filled
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    topic: Filled = TOPIC
    version: Literal["3.1.1", "5"] = "5"
    tls: bool = False
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    user: str | None = None
    password: str | None = None
    timeout: Any = "15 s"


class _Webhook(msgspec.Struct, kw_only=True):
    kind: Literal["webhook"]
    url: str
    secrets: Some
    ca: str | None = None
    timeout: Any = "15 s"


class _Quiet(msgspec.Struct, kw_only=True):
    start: Any
    end: Any
    zone: str
    weekdays: Annotated[list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]], Meta(min_length=1)] | None = (
        None
    )


class _Escalation(msgspec.Struct, kw_only=True):
    after: Any
    channels: Some
    language: Literal["en", "zh_CN"] | None = None


class _Route(msgspec.Struct, kw_only=True):
    channels: Some
    language: Literal["en", "zh_CN"] = "en"
    severity: Severity | None = None
    assets: Some = msgspec.field(default_factory=lambda: ["*"])
    customers: Some | None = None
    events: Annotated[list[AlertEvent], Meta(min_length=1)] | None = None
    quiet: list[dict[str, Any]] = []
    escalation: list[dict[str, Any]] = []


_KINDS: Mapping[str, type[msgspec.Struct]] = {"apprise": _People, "mqtt": _Mqtt, "webhook": _Webhook}


def load_configuration(path: Path, environment: Mapping[str, str]) -> Configuration:
    """Read a configuration.

    Raises
    ------
    OptionError
        The first thing that is wrong with it.
    """
    reading = read_configuration(path, environment)
    if reading.configuration is None:
        raise reading.problems[0]
    return reading.configuration


def read_configuration(path: Path, environment: Mapping[str, str]) -> Reading:
    """Read a configuration, and find all that is wrong with it at once."""
    reader = _Reader(path, environment)
    configuration = reader.read()
    return Reading(None if reader.problems else configuration, tuple(reader.problems))


class _Reader:
    """Reads one file, and collects what is wrong instead of stopping at it."""

    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        self._path = path
        self._environment = environment
        self.problems: list[OptionError] = []

    def read(self) -> Configuration | None:
        said = self._collected(lambda: self._struct("", self._document(), _File))
        return None if said is None else self._collected(lambda: self._configuration(said))

    def _configuration(self, said: _File) -> Configuration:
        channels = self._channels(said)
        names = {name: tuple(each.name for each in settings) for name, settings in channels.items()}
        routes = [
            self._collected(partial(self._route, f"routes[{index}]", each, names))
            for index, each in enumerate(said.routes)
        ]
        return Configuration(
            routes=tuple(route for route in routes if route),
            channels=tuple(each for settings in channels.values() for each in settings),
            give_up_after=timedelta(seconds=self._seconds("give_up_after", said.give_up_after, LONGEST_S)),
            base_url=said.base_url and self._web_address("base_url", said.base_url).rstrip("/"),
        )

    def _collected(self, read: Callable[[], Given]) -> Given | None:
        """Read something; where it is wrong, note that and return None."""
        try:
            return read()
        except OptionError as error:
            self.problems.append(error)
            return None

    def _document(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self._path.read_text(encoding="utf-8"))
        except OSError as error:
            raise OptionError("notify.unreadable", str(self._path), reason=error.strerror or str(error)) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise OptionError("notify.no_toml", str(self._path), reason=str(error)) from error

    def _wrong(self, code: str, key: str, **found: str | float) -> OptionError:
        return OptionError(code, f"{self._path.name}: {key}" if key else self._path.name, **found)

    def _struct(self, key: str, said: Mapping[str, Any], struct: type[Struct]) -> Struct:
        """Convert a table; an unknown, missing or wrong key is named."""
        known = struct.__struct_fields__
        for name in said:
            if name not in known:
                raise self._wrong("notify.key_unknown", key, found=name, known=", ".join(known))
        needed = [each.name for each in msgspec.structs.fields(struct) if each.required]
        for name in needed:
            if name not in said:
                raise self._wrong("notify.key_missing", key, missing=name)
        try:
            return msgspec.convert(said, struct)
        except msgspec.ValidationError as error:
            where = _AT.search(str(error))
            inner = where.group(1) if where else ""
            raise self._wrong(
                "notify.value", f"{key}{inner}".lstrip("."), reason=_AT.sub("", str(error)).replace("`", "")
            ) from error

    def _channels(self, said: _File) -> dict[str, tuple[Settings, ...]]:
        # One that is wrong is known by its name nevertheless, so that routes to it are not blamed as well.
        return {
            name: self._collected(partial(self._channel, name, table, said.site)) or ()
            for name, table in said.channels.items()
        }

    def _channel(self, name: str, table: Mapping[str, Any], site: str) -> tuple[Settings, ...]:
        key = f"channels.{name}"
        kind = str(table.get("kind"))
        if kind not in _KINDS:
            raise self._wrong("notify.kind", f"{key}.kind", found=kind, known=", ".join(_KINDS))
        settings = self._struct(key, table, _KINDS[kind])
        if isinstance(settings, _People):
            return tuple(self._people(key, name, index, settings) for index in range(len(settings.urls)))
        if isinstance(settings, _Mqtt):
            return (self._mqtt(key, name, site, settings),)
        if isinstance(settings, _Webhook):
            return (self._webhook(key, name, settings),)
        return ()

    def _people(self, key: str, name: str, index: int, said: _People) -> PeopleSettings:
        where = f"{key}.urls[{index}]"
        url = self._filled_in(where, said.urls[index], partial(quote, safe=""))
        settings = PeopleSettings(f"{name}/{index + 1}", url, self._timeout(key, said.timeout))
        try:
            People(settings)
        except ValueError as error:
            scheme = url.partition("://")[0] if "://" in url else "-"
            raise self._wrong("notify.url", where, found=scheme) from error
        return settings

    def _mqtt(self, key: str, name: str, site: str, said: _Mqtt) -> MqttSettings:
        if not said.tls and any((said.ca, said.certificate, said.key)):
            raise self._wrong("notify.tls_off", f"{key}.tls")
        self._check_topic(f"{key}.topic", said.topic, site)
        return MqttSettings(
            name=name,
            host=self._host(f"{key}.host", said.host),
            port=said.port or (TLS_PORT if said.tls else PORT),
            site=site,
            topic=said.topic,
            version=said.version,
            tls=self._tls(key, said) if said.tls else None,
            user=None if said.user is None else self._filled_in(f"{key}.user", said.user, str),
            password=None if said.password is None else self._filled_in(f"{key}.password", said.password, str),
            timeout_s=self._timeout(key, said.timeout),
        )

    def _check_topic(self, key: str, topic: str, site: str) -> None:
        try:
            named = {name for _, name, _, _ in Formatter().parse(topic) if name is not None}
            topic.format(site="", asset="")
        except (ValueError, KeyError, IndexError, AttributeError) as error:
            raise self._wrong("notify.topic", key, found=topic) from error
        if not named <= {"site", "asset"} or set("+#\0") & set(topic):
            raise self._wrong("notify.topic", key, found=topic)
        if "site" in named and not site:
            raise self._wrong("notify.no_site", key, found=topic)

    def _tls(self, key: str, said: _Mqtt) -> ssl.SSLContext:
        ca, certificate, own_key = (self._file(each) for each in (said.ca, said.certificate, said.key))
        with self._reading_certificates(f"{key}.ca", ca):
            context = ssl.create_default_context(cafile=ca)
        if certificate:
            with self._reading_certificates(f"{key}.certificate", certificate):
                context.load_cert_chain(certificate, own_key)
        return context

    @contextmanager
    def _reading_certificates(self, key: str, path: Path | None) -> Iterator[None]:
        try:
            yield
        except (OSError, ssl.SSLError) as error:
            raise self._wrong(
                "notify.certificate", key, found=str(path), reason=error.strerror or str(error)
            ) from error

    def _webhook(self, key: str, name: str, said: _Webhook) -> WebhookSettings:
        ca = self._file(said.ca)
        with self._reading_certificates(f"{key}.ca", ca):
            ssl.create_default_context(cafile=ca)
        url = self._filled_in(f"{key}.url", said.url, partial(quote, safe=""))
        return WebhookSettings(
            name=name,
            url=self._web_address(f"{key}.url", url),
            secrets=tuple(self._secret(f"{key}.secrets[{index}]", each) for index, each in enumerate(said.secrets)),
            ca=ca,
            timeout_s=self._timeout(key, said.timeout),
        )

    def _secret(self, key: str, said: str) -> bytes:
        secret = secret_bytes(self._filled_in(key, said, str))
        if secret is None:
            raise self._wrong("notify.secret", key)
        return secret

    def _web_address(self, key: str, address: str) -> str:
        try:
            parts = urlsplit(address)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
            self._host(key, parts.hostname or "")
        except ValueError as error:
            raise self._wrong("notify.address", key, found="-") from error
        if not usable:
            raise self._wrong("notify.address", key, found=parts.scheme or "-")
        return address

    def _host(self, key: str, host: str) -> str:
        try:
            host.encode("idna")
        except UnicodeError as error:
            raise self._wrong("notify.host", key, reason=str(error)) from error
        return host

    def _file(self, name: str | None) -> Path | None:
        """Files are looked for beside the configuration."""
        return None if name is None else self._path.parent / name

    def _filled_in(self, key: str, text: str, quoted: Callable[[str], str]) -> str:
        """Put variables of the environment in; one that is all there is stays as it is."""
        whole = _VARIABLE.fullmatch(text)

        def value(found: re.Match[str]) -> str:
            if (given := self._environment.get(found.group(1))) is None:
                raise self._wrong("notify.variable", key, name=found.group(1))
            return given if whole else quoted(given)

        return _VARIABLE.sub(value, text)

    def _timeout(self, key: str, said: Any) -> float:
        return self._seconds(f"{key}.timeout", said, LONGEST_TIMEOUT_S)

    def _seconds(self, key: str, said: Any, most_s: float) -> float:
        parts = _DURATION.fullmatch(said) if isinstance(said, str) else None
        if parts is None or parts.group(2) not in UNITS_S:
            raise self._wrong("notify.duration", key, found=str(said), units=", ".join(UNITS_S))
        seconds = float(parts.group(1)) * UNITS_S[parts.group(2)]
        if not 0 < seconds <= most_s:
            raise self._wrong("notify.duration_range", key, found=str(said), most=f"{most_s:g}")
        return seconds

    def _route(self, key: str, table: Mapping[str, Any], names: Mapping[str, tuple[str, ...]]) -> Route:
        said = self._struct(key, table, _Route)
        return Route(
            channels=self._named(f"{key}.channels", said.channels, names),
            language=said.language,
            severity=said.severity,
            assets=tuple(said.assets),
            customers=None if said.customers is None else frozenset(said.customers),
            events=ALL_EVENTS if said.events is None else frozenset(said.events),
            quiet=self._all_quiet(f"{key}.quiet", said.quiet),
            levels=tuple(
                self._level(f"{key}.escalation[{index}]", each, said.language, names)
                for index, each in enumerate(said.escalation)
            ),
        )

    def _named(self, key: str, said: Sequence[str], names: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        for name in said:
            if name not in names:
                raise self._wrong("notify.channel", key, found=name, known=", ".join(names) or "-")
        return tuple(dict.fromkeys(each for name in said for each in names[name]))

    def _level(self, key: str, table: Mapping[str, Any], language: str, names: Mapping[str, tuple[str, ...]]) -> Level:
        said = self._struct(key, table, _Escalation)
        return Level(
            after_s=self._seconds(f"{key}.after", said.after, LONGEST_S),
            channels=self._named(f"{key}.channels", said.channels, names),
            language=said.language or language,
        )

    def _all_quiet(self, key: str, tables: Sequence[Mapping[str, Any]]) -> tuple[QuietHours, ...]:
        quiet = tuple(self._quiet(f"{key}[{index}]", each) for index, each in enumerate(tables))
        if is_always_quiet(quiet, _SOME_MONDAY):
            raise self._wrong("notify.always_quiet", key)
        return quiet

    def _quiet(self, key: str, table: Mapping[str, Any]) -> QuietHours:
        said = self._struct(key, table, _Quiet)
        if said.zone not in available_timezones():
            raise self._wrong("notify.zone", f"{key}.zone", found=said.zone)
        return QuietHours(
            start=self._clock(f"{key}.start", said.start),
            end=self._clock(f"{key}.end", said.end),
            zone=ZoneInfo(said.zone),
            weekdays=frozenset(map(DAYS.index, said.weekdays or DAYS)),
        )

    def _clock(self, key: str, said: Any) -> time:
        parts = _CLOCK.fullmatch(said) if isinstance(said, str) else None
        if parts is None:
            raise self._wrong("notify.clock", key, found=str(said))
        return time(int(parts.group(1)), int(parts.group(2)))
