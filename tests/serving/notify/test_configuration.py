"""``notify.toml``: what it says is taken as it is meant, and every mistake is named by its key."""

import json
import re
from base64 import b64encode
from datetime import time, timedelta
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.serving.notify.receivers import certify

from andon.models.alerts.case import AlertEvent
from andon.models.messages.catalogue import LANGUAGES, catalogue
from andon.models.types.errors import OptionError
from andon.models.types.vibration import Severity
from andon.serving.notify import configuration
from andon.serving.notify.configuration import Configuration, Reading, load_configuration, read_configuration
from andon.serving.notify.mqtt import MqttSettings
from andon.serving.notify.people import PeopleSettings
from andon.serving.notify.webhook import WebhookSettings

SECRET = "whsec_" + b64encode(b"s" * 24).decode()
PEOPLE = '[channels.team]\nkind = "apprise"\nurls = ["json://127.0.0.1/a", "json://127.0.0.1/b"]\n'
BROKER = '[channels.broker]\nkind = "mqtt"\nhost = "127.0.0.1"\n'
HOOK = f'[channels.cmms]\nkind = "webhook"\nurl = "https://cmms.example/x"\nsecrets = ["{SECRET}"]\n'
ROUTE = '[[routes]]\nchannels = ["team"]\n'
QUIET = '[[routes.quiet]]\nstart = "22:00"\nend = "06:00"\nzone = "Asia/Shanghai"\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notify.toml"


def read(path: Path, text: str, **environment: str) -> Reading:
    path.write_text(text, encoding="utf-8")
    return read_configuration(path, environment)


def taken(path: Path, text: str, **environment: str) -> Configuration:
    reading = read(path, text, **environment)
    assert reading.problems == ()
    assert reading.configuration
    return reading.configuration


def example() -> str:
    written = (configuration.__doc__ or "").split("::\n", 1)[1].split("\nEvery key", 1)[0]
    return dedent(written).replace('channels = ["chief"]', 'channels = ["cmms"]')


def test_the_example_in_the_documentation_is_one(path: Path) -> None:
    variables = dict.fromkeys(re.findall(r"\$\{(\w+)\}", example()), "tok3n")
    read_ = taken(path, example(), **{**variables, "CMMS_SECRET": SECRET, "CMMS_SECRET_BEFORE": SECRET})
    assert [each.name for each in read_.channels] == ["maintenance/1", "maintenance/2", "broker", "cmms"]
    (route,) = read_.routes
    assert route.channels == ("maintenance/1", "maintenance/2")
    assert (route.language, route.severity, route.assets) == ("zh_CN", Severity.WATCH, ("P-*",))
    assert route.customers == frozenset({"ACME"})
    assert route.events == {AlertEvent.RAISED, AlertEvent.ESCALATED, AlertEvent.CLEARED}
    (quiet,) = route.quiet
    assert (quiet.start, quiet.end, quiet.zone.key) == (time(22), time(6), "Asia/Shanghai")
    assert quiet.weekdays == {0, 1, 2, 3, 4}
    assert [(each.after_s, each.channels, each.language) for each in route.levels] == [(1800.0, ("cmms",), "zh_CN")]
    assert (read_.give_up_after, read_.base_url) == (timedelta(days=3), "https://andon.example")
    assert [read_.language_of(each.name) for each in read_.channels] == ["zh_CN", "zh_CN", "en", "zh_CN"]


def test_what_is_left_out_has_a_sensible_value(path: Path) -> None:
    read_ = taken(path, 'site = "north"\n' + BROKER + HOOK + '[[routes]]\nchannels = ["broker", "broker"]\n')
    broker, hook = read_.channels
    assert isinstance(broker, MqttSettings)
    assert (broker.port, broker.version, broker.tls, broker.topic_of({"asset": "P 1"})) == (
        1883,
        "5",
        None,
        "andon/north/P_1/alerts",
    )
    assert isinstance(hook, WebhookSettings)
    assert (hook.ca, hook.timeout_s, hook.secrets) == (None, 15.0, (b"s" * 24,))
    (route,) = read_.routes
    assert route.channels == ("broker",)
    assert (route.severity, route.customers, route.quiet, route.events) == (None, None, (), frozenset(AlertEvent))


def test_certificates_lie_beside_the_file(path: Path, tmp_path: Path) -> None:
    certify(tmp_path)
    tls = 'tls = true\nca = "ca.pem"\ncertificate = "server.pem"\nkey = "server.key"\n'
    read_ = taken(path, 'site = "n"\n' + BROKER + tls + HOOK + 'ca = "ca.pem"\n' + "[[routes]]\nchannels = ['cmms']\n")
    broker, hook = read_.channels
    assert isinstance(broker, MqttSettings)
    assert broker.tls
    assert broker.tls.get_ca_certs()
    assert broker.port == 8883
    assert isinstance(hook, WebhookSettings)
    assert hook.ca == tmp_path / "ca.pem"


def test_variables_are_quoted_within_an_address_and_only_there(path: Path) -> None:
    text = 'site = "n"\n' + PEOPLE.replace("json://127.0.0.1/a", "json://u:${WORD}@127.0.0.1/a").replace(
        "json://127.0.0.1/b", "${WHOLE}"
    )
    text += BROKER + 'user = "u"\npassword = "x${WORD}"\n' + HOOK.replace(SECRET, "${SIGN}") + ROUTE
    read_ = taken(path, text, WORD="p@ss/wörd", WHOLE="json://127.0.0.1/c?x=1", SIGN=SECRET)
    first, second, broker, hook = read_.channels
    assert isinstance(first, PeopleSettings)
    assert isinstance(second, PeopleSettings)
    assert isinstance(broker, MqttSettings)
    assert isinstance(hook, WebhookSettings)
    assert first.url == "json://u:p%40ss%2Fw%C3%B6rd@127.0.0.1/a"
    assert second.url == "json://127.0.0.1/c?x=1"
    assert broker.password == "xp@ss/wörd"
    assert hook.secrets == (b"s" * 24,)
    assert "wörd" not in repr(read_)
    assert "127.0.0.1/c" not in repr(read_)


WRONG = [
    ("routes = []", "notify.key_missing", "notify.toml"),
    ("colour = 1\n" + PEOPLE + ROUTE, "notify.key_unknown", "notify.toml"),
    ("site = 7\n" + PEOPLE + ROUTE, "notify.value", "notify.toml: site"),
    ("= 7", "notify.no_toml", ""),
    (PEOPLE + 'colour = "red"\n' + ROUTE, "notify.key_unknown", "notify.toml: channels.team"),
    (PEOPLE.replace("apprise", "pigeon") + ROUTE, "notify.kind", "notify.toml: channels.team.kind"),
    (PEOPLE.replace('kind = "apprise"\n', "") + ROUTE, "notify.kind", "notify.toml: channels.team.kind"),
    ('[channels.team]\nkind = "apprise"\n' + ROUTE, "notify.key_missing", "notify.toml: channels.team"),
    ('[channels.team]\nkind = "apprise"\nurls = []\n' + ROUTE, "notify.value", "notify.toml: channels.team.urls"),
    (PEOPLE.replace("json://127.0.0.1/b", "x://S3CRET") + ROUTE, "notify.url", "notify.toml: channels.team.urls[1]"),
    (PEOPLE.replace("/b", "/${NONE}") + ROUTE, "notify.variable", "notify.toml: channels.team.urls[1]"),
    (PEOPLE + "timeout = 30\n" + ROUTE, "notify.duration", "notify.toml: channels.team.timeout"),
    (PEOPLE + 'timeout = "30"\n' + ROUTE, "notify.duration", "notify.toml: channels.team.timeout"),
    (PEOPLE + 'timeout = "30 minutes"\n' + ROUTE, "notify.duration", "notify.toml: channels.team.timeout"),
    (PEOPLE + 'timeout = "0 s"\n' + ROUTE, "notify.duration_range", "notify.toml: channels.team.timeout"),
    (PEOPLE + 'timeout = "1 h"\n' + ROUTE, "notify.duration_range", "notify.toml: channels.team.timeout"),
    (BROKER + "[[routes]]\nchannels = ['broker']\n", "notify.no_site", "notify.toml: channels.broker.topic"),
    *(
        (PEOPLE + BROKER + f"topic = {topic!r}\n" + ROUTE, "notify.topic", "notify.toml: channels.broker.topic")
        for topic in ("a/{line}", "a/{asset", "a/{}", "a/+/b", "a/#", "{asset.x}", "{0}")
    ),
    (PEOPLE + BROKER + "topic = ''\n" + ROUTE, "notify.value", "notify.toml: channels.broker.topic"),
    (PEOPLE + BROKER + "topic='a'\nport = 0\n" + ROUTE, "notify.value", "notify.toml: channels.broker.port"),
    (PEOPLE + BROKER + "topic='a'\nca = 'x'\n" + ROUTE, "notify.tls_off", "notify.toml: channels.broker.tls"),
    (
        PEOPLE + BROKER + "topic='a'\ntls = true\nca = 'no.pem'\n" + ROUTE,
        "notify.certificate",
        "notify.toml: channels.broker.ca",
    ),
    (PEOPLE + HOOK + "ca = 'notify.toml'\n" + ROUTE, "notify.certificate", "notify.toml: channels.cmms.ca"),
    (PEOPLE + HOOK.replace("https:", "ftp:") + ROUTE, "notify.address", "notify.toml: channels.cmms.url"),
    (PEOPLE + HOOK.replace("//cmms.example", "") + ROUTE, "notify.address", "notify.toml: channels.cmms.url"),
    (PEOPLE + HOOK.replace(".example", ".example:x") + ROUTE, "notify.address", "notify.toml: channels.cmms.url"),
    (PEOPLE + HOOK.replace("cmms.example", "a" * 70 + ".x") + ROUTE, "notify.host", "notify.toml: channels.cmms.url"),
    (PEOPLE + HOOK.replace(SECRET, "S3CRET") + ROUTE, "notify.secret", "notify.toml: channels.cmms.secrets[0]"),
    ('base_url = "andon"\n' + PEOPLE + ROUTE, "notify.address", "notify.toml: base_url"),
    ('give_up_after = "3 w"\n' + PEOPLE + ROUTE, "notify.duration", "notify.toml: give_up_after"),
    (PEOPLE + "[[routes]]\n", "notify.key_missing", "notify.toml: routes[0]"),
    (PEOPLE + "[[routes]]\nchannels = ['nobody']\n", "notify.channel", "notify.toml: routes[0].channels"),
    (PEOPLE + "[[routes]]\nchannels = []\n", "notify.value", "notify.toml: routes[0].channels"),
    (PEOPLE + ROUTE + "severity = 'bad'\n", "notify.value", "notify.toml: routes[0].severity"),
    (PEOPLE + ROUTE + "events = ['raised', 'x']\n", "notify.value", "notify.toml: routes[0].events[1]"),
    (PEOPLE + ROUTE + "language = 'de'\n", "notify.value", "notify.toml: routes[0].language"),
    (PEOPLE + ROUTE + "assets = 'P-1'\n", "notify.value", "notify.toml: routes[0].assets"),
    (PEOPLE + ROUTE + ROUTE + "x = 1\n", "notify.key_unknown", "notify.toml: routes[1]"),
    (
        PEOPLE + ROUTE + QUIET.replace("Asia/Shanghai", "Mars/Olympus"),
        "notify.zone",
        "notify.toml: routes[0].quiet[0].zone",
    ),
    (PEOPLE + ROUTE + QUIET.replace("Asia/Shanghai", "Asia"), "notify.zone", "notify.toml: routes[0].quiet[0].zone"),
    (PEOPLE + ROUTE + QUIET.replace("22:00", "24:00"), "notify.clock", "notify.toml: routes[0].quiet[0].start"),
    (PEOPLE + ROUTE + QUIET.replace('"06:00"', "06:00:00"), "notify.clock", "notify.toml: routes[0].quiet[0].end"),
    (PEOPLE + ROUTE + QUIET + "weekdays = ['mo']\n", "notify.value", "notify.toml: routes[0].quiet[0].weekdays[0]"),
    (PEOPLE + ROUTE + QUIET.replace("22:00", "06:00"), "notify.always_quiet", "notify.toml: routes[0].quiet"),
    (
        PEOPLE + ROUTE + "[[routes.escalation]]\nafter = '30 min'\nchannels = ['chief']\n",
        "notify.channel",
        "notify.toml: routes[0].escalation[0].channels",
    ),
    (
        PEOPLE + ROUTE + "[[routes.escalation]]\nafter = 30\nchannels = ['team']\n",
        "notify.duration",
        "notify.toml: routes[0].escalation[0].after",
    ),
]


@pytest.mark.parametrize(("text", "code", "subject"), WRONG)
def test_a_mistake_is_named_by_its_key(path: Path, text: str, code: str, subject: str) -> None:
    reading = read(path, text)
    assert reading.configuration is None
    assert [problem.code for problem in reading.problems] == [code]
    (problem,) = reading.problems
    assert problem.params["subject"] == (subject or str(path))
    for language in LANGUAGES:
        said = catalogue(language).error(problem)
        assert said.startswith(subject or str(path))
        assert "S3CRET" not in said
    with pytest.raises(OptionError) as refused:
        load_configuration(path, {})
    assert refused.value.code == code


def test_every_mistake_is_found_at_once(path: Path) -> None:
    text = PEOPLE.replace("json://127.0.0.1/a", "x://") + BROKER + "port = 'x'\n" + HOOK.replace(SECRET, "x")
    text += ROUTE + "[[routes]]\nchannels = ['nobody']\n" + "[[routes]]\nlanguage = 'x'\nchannels = ['cmms']\n"
    codes = [problem.code for problem in read(path, text).problems]
    assert codes == ["notify.url", "notify.value", "notify.secret", "notify.channel", "notify.value"]


def test_a_file_that_is_not_there_is_named(path: Path) -> None:
    (problem,) = read_configuration(path, {}).problems
    assert (problem.code, problem.params["subject"]) == ("notify.unreadable", str(path))


def test_a_file_in_another_encoding_is_named(path: Path) -> None:
    path.write_bytes("site = '北'".encode("gbk"))
    assert [each.code for each in read_configuration(path, {}).problems] == ["notify.no_toml"]


WORDS = st.sampled_from(
    ["mqtt", "apprise", "webhook", "x", "${X}", "${", "30 s", "22:00", "json://h", "{asset}", "https://["]
)
KEYS = ["kind", "urls", "host", "port", "url", "secrets", "topic", "timeout", "tls", "ca", "channels", "x"]
VALUES = st.recursive(
    st.booleans() | st.integers(-9, 70000) | st.floats(allow_nan=False) | st.text(max_size=4) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=8,
)
CHANNEL = st.dictionaries(st.sampled_from(KEYS), VALUES) | st.fixed_dictionaries(
    {"kind": st.sampled_from(["mqtt", "apprise", "webhook"])},
    optional={"urls": st.lists(WORDS, max_size=2), "host": WORDS, "topic": WORDS, "url": WORDS, "timeout": WORDS},
)
ROUTES = st.lists(
    st.fixed_dictionaries(
        {"channels": st.just(["x"])},
        optional={
            "quiet": st.lists(st.dictionaries(st.sampled_from(["start", "end", "zone", "weekdays"]), VALUES)) | VALUES,
            "escalation": st.lists(st.dictionaries(st.sampled_from(["after", "channels"]), VALUES)) | VALUES,
            "assets": VALUES,
        },
    ),
    max_size=2,
)
FILES = st.fixed_dictionaries(
    {"channels": st.dictionaries(st.sampled_from(["x", "a b", ""]), CHANNEL, max_size=2) | VALUES, "routes": ROUTES},
    optional={"site": VALUES, "base_url": WORDS, "give_up_after": VALUES},
)


def as_toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {as_toml(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "?")


@given(FILES)
def test_no_file_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, document: dict[str, object]) -> None:
    path = tmp_path_factory.mktemp("any") / "notify.toml"
    lines = [f"{name} = {as_toml(value)}" for name, value in document.items()]
    path.write_text("\n".join(lines), encoding="utf-8", errors="replace")
    reading = read_configuration(path, {})
    assert (reading.configuration is None) is bool(reading.problems)
    assert "notify.no_toml" not in [each.code for each in reading.problems]
