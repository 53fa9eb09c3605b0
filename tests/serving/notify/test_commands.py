"""``andon notify check`` and ``test``."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Outcome
from tests.serving.notify.receivers import Broker, MailServer, WebServer, free_port, subscriber
from tests.serving.notify.test_configuration import PEOPLE, ROUTE, SECRET

from andon.models.command.console import Console
from andon.models.command.main import BAD_INPUT, DONE, FAILED
from andon.models.command.options import Parser
from andon.models.messages.catalogue import Catalogue, catalogue
from andon.serving.notify.commands import notify

ADDRESS = "notify.toml: channels.team.urls[0]"
Notify = Callable[..., Outcome]


@pytest.fixture
def run() -> Notify:
    """Run ``andon notify ...`` in a language."""

    def run_(*words: object, language: str = "en") -> Outcome:
        texts = catalogue(language)
        helps = ("notify", "notify_check", "notify_check_example", "notify_test", "notify_test_example", "notify_file")
        texts = Catalogue(language, {**dict.fromkeys((f"help.{each}" for each in helps), "help"), **texts.texts})
        parser = Parser(prog="andon notify")
        notify(parser, texts)
        arguments = parser.parse_args([str(word) for word in words])
        out, err = io.StringIO(), io.StringIO()
        code = arguments.run(arguments, Console(texts, arguments.json, out, err))
        return Outcome(code, out.getvalue(), err.getvalue())

    return run_


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notify.toml"


def test_a_good_file_is_said_to_be_one(run: Notify, path: Path) -> None:
    path.write_text(PEOPLE + ROUTE)
    said = run("check", path)
    assert (said.code, said.err) == (DONE, "")
    assert said.out == f"{path}: can be used; 1 routes, channels: team/1, team/2\n"
    assert run("check", path, "--json").documents == [{"channels": ["team/1", "team/2"], "routes": 1}]


def test_every_error_is_said(run: Notify, path: Path) -> None:
    path.write_text(PEOPLE.replace("json://127.0.0.1/a", "x://S3CRET") + ROUTE + "[[routes]]\nchannels = ['chief']\n")
    said = run("check", path)
    assert said.code == BAD_INPUT
    assert said.err.splitlines() == [
        f"andon: {ADDRESS}: found an address of 'x' that apprise cannot use; expected one as apprise's documentation describes it",
        "andon: notify.toml: routes[1].channels: found the channel 'chief'; expected one of team",
    ]
    assert said.out == f"{path}: 2 errors\n"
    assert len(run("check", path, "--json").documents) == 2
    assert "应为下列之一：team" in run("check", path, language="zh_CN").err


def test_a_test_message_goes_to_each_channel_and_each_is_reported(
    run: Notify, path: Path, web: WebServer, mosquitto: Broker, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "SIGN", SECRET)
    path.write_text(
        f"""
        site = "north"
        [channels.mail]
        kind = "apprise"
        urls = [
            "mailto://127.0.0.1:{mail.port}?smtp=127.0.0.1&from=a@example.com&to=b@example.com",
            "mailto://andon:S3CRET@127.0.0.1:{free_port()}?smtp=127.0.0.1&from=a@example.com&to=b@example.com",
        ]
        [channels.broker]
        kind = "mqtt"
        host = "127.0.0.1"
        port = {mosquitto.port}
        [channels.cmms]
        kind = "webhook"
        url = "{web.url}"
        secrets = ["${{SIGN}}"]
        [channels.away]
        kind = "webhook"
        url = "http://127.0.0.1:{free_port()}/S3CRET"
        secrets = ["${{SIGN}}"]
        [[routes]]
        channels = ["mail"]
        language = "zh_CN"
        """
    )
    with subscriber(mosquitto.port) as heard:
        said = run("test", path, "--json")
        assert heard.messages.get(timeout=30)[1]["type"] == "test"
    assert said.code == FAILED
    results = {each["channel"]: (each["sent"], each["reason"]) for each in said.documents}
    assert {name: sent for name, (sent, _) in results.items()} == {
        "mail/1": True,
        "mail/2": False,
        "broker": True,
        "cmms": True,
        "away": False,
    }
    assert results["away"][1] == "Connection refused"
    assert "S3CRET" not in said.out + said.err
    assert mail.mails[0]["Subject"] == "【测试】Andon 通知"
    assert web.requests[0].document["type"] == "test"
    assert "away: not sent: Connection refused" in run("test", path).out
    path.write_text(f"routes = []\n[channels.cmms]\nkind='webhook'\nurl='{web.url}'\nsecrets=['{SECRET}']\n")
    assert run("test", path).code == DONE
