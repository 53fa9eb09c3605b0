"""Messages to people by apprise: what mail servers and robots get, and that no secret is ever said."""

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
import requests
from tests.serving.notify.receivers import MailServer, WebServer, free_port

from andon.models.alerts.case import AlertEvent
from andon.models.types.vibration import Severity
from andon.serving.notify.channels import Failed, Message, Outcome, Sent, Tone
from andon.serving.notify.people import People, PeopleSettings, hide

Messages = Callable[..., Message]


def send(url: str, message: Message) -> Outcome:
    return People(PeopleSettings("people/1", url, 10.0)).send(message)


def as_bytes(body: object) -> bytes:
    assert isinstance(body, bytes | str)
    return body.encode() if isinstance(body, str) else body


@dataclass
class Net:
    """What left for the robots' own hosts; each request is answered by ``answer``."""

    sent: list[requests.PreparedRequest] = field(default_factory=list)
    status: int = 200
    answer: Any = field(default_factory=dict)

    @property
    def documents(self) -> list[Any]:
        return [msgspec.json.decode(as_bytes(each.body)) for each in self.sent]


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Net:
    heard = Net()

    def reply(adapter: object, request: requests.PreparedRequest, **_: object) -> requests.Response:
        heard.sent.append(request)
        response = requests.Response()
        response.status_code = heard.status
        response._content = msgspec.json.encode(heard.answer)
        response.request, response.url = request, request.url or ""
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", reply)
    monkeypatch.setattr("apprise.plugins.base.NotifyBase.throttle", lambda *_, **__: None)
    return heard


def test_a_mail_says_it_all_in_the_language_that_was_asked_for(mail: MailServer, message_of: Messages) -> None:
    url = f"mailto://127.0.0.1:{mail.port}?smtp=127.0.0.1&from=andon@example.com&to=team@example.com,boss@example.com"
    assert send(url, message_of(language="zh_CN", asset="泵 <7>")) == Sent()
    assert [each["To"] for each in mail.mails] == ["team@example.com", "boss@example.com"]
    first = mail.mails[0]
    assert isinstance(first, EmailMessage)
    assert first["Subject"] == "报警 泵 <7>：轴承外圈损伤（警告）"
    body = first.get_body(preferencelist=("plain", "html"))
    assert body
    text = body.get_content()
    assert "滚动轴承" in text
    assert re.search(r"https://andon\.example/api/v1/alerts/[0-9a-f-]{36}", text)


def test_what_an_asset_is_called_becomes_no_markup(mail: MailServer, message_of: Messages) -> None:
    url = f"mailto://127.0.0.1:{mail.port}?smtp=127.0.0.1&from=andon@example.com&to=team@example.com"
    message = message_of(document={"plot": "<script>alert(1)</script>"})
    assert send(url, message) == Sent()
    (got,) = mail.mails
    assert isinstance(got, EmailMessage)
    html = got.get_body(preferencelist=("html",))
    assert html is None or "<script>" not in html.get_content()


def test_a_mail_server_that_refuses_is_a_failure_of_that_mail(mail: MailServer, message_of: Messages) -> None:
    mail.status = "554 not wanted"
    url = f"mailto://127.0.0.1:{mail.port}?smtp=127.0.0.1&from=andon@example.com&to=team@example.com"
    outcome = send(url, message_of())
    assert isinstance(outcome, Failed)
    assert "554" in outcome.reason


def test_a_mail_server_that_is_away_is_a_failure_without_its_password(message_of: Messages) -> None:
    url = f"mailto://andon:S3CRETWORD@127.0.0.1:{free_port()}?smtp=127.0.0.1&from=a@example.com&to=b@example.com"
    outcome = send(url, message_of())
    assert isinstance(outcome, Failed)
    assert "Connection refused" in outcome.reason
    assert not outcome.alone
    assert "S3CRETWORD" not in outcome.reason


def test_a_webhook_of_apprise_gets_the_words(web: WebServer, message_of: Messages) -> None:
    message = message_of()
    assert send(web.url.replace("http:", "json:") + "/path", message) == Sent()
    document = web.requests[0].document
    assert (document["title"], document["message"], document["type"]) == (message.title, message.body, "warning")
    assert message.title.startswith("ALERT P-101: ")


@pytest.mark.parametrize(
    ("of", "tone"),
    [
        ({"severity": Severity.WATCH}, Tone.NEWS),
        ({"severity": Severity.UNKNOWN}, Tone.NEWS),
        ({"severity": Severity.DANGER}, Tone.DANGER),
        ({"severity": Severity.DANGER, "event": AlertEvent.CLEARED}, Tone.GOOD),
    ],
)
def test_the_tone_is_that_of_the_alert(message_of: Messages, of: dict[str, Any], tone: Tone) -> None:
    assert message_of(**of).tone is tone


def test_redirects_are_not_followed(web: WebServer, message_of: Messages) -> None:
    web.answer = lambda request: (307, {"location": "/elsewhere"})
    outcome = send(web.url.replace("http:", "json:") + "/path", message_of())
    assert isinstance(outcome, Failed)
    assert [each.path for each in web.requests] == ["/path"]


def test_dingtalk_gets_a_signed_text(net: Net, message_of: Messages) -> None:
    net.answer = {"errcode": 0, "errmsg": "ok"}
    message = message_of(language="zh_CN")
    assert send("dingtalk://SECabc@token123/13800138000", message) == Sent()
    (request,), (document,) = net.sent, net.documents
    address = urlsplit(request.url or "")
    assert (address.hostname, address.path) == ("oapi.dingtalk.com", "/robot/send")
    query = {name: values[0] for name, values in parse_qs(str(address.query)).items()}
    assert query["access_token"] == "token123"
    assert query["sign"] == _dingtalk_sign("SECabc", query["timestamp"])
    assert document["text"]["content"] == f"{message.title}\n{message.body}"
    assert document["at"]["atMobiles"] == ["13800138000"]


def _dingtalk_sign(secret: str, timestamp: str) -> str:
    import hmac
    from base64 import b64encode

    return b64encode(hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), sha256).digest()).decode()


def test_wecom_gets_texts_that_it_takes(net: Net, message_of: Messages) -> None:
    net.answer = {"errcode": 0, "errmsg": "ok"}
    message = message_of(language="zh_CN", document={"plot": "龘" * 900})
    assert send("wecombot://key-123", message) == Sent()
    assert {urlsplit(each.url or "").hostname for each in net.sent} == {"qyapi.weixin.qq.com"}
    contents = [each["text"]["content"] for each in net.documents]
    assert len(contents) > 1
    assert all(len(each.encode()) <= 2048 for each in contents)
    assert message.title in contents[0]
    assert "".join(contents).count("龘") == 900


def test_feishu_gets_a_text(net: Net, message_of: Messages) -> None:
    net.answer = {"code": 0, "msg": "success"}
    message = message_of(language="zh_CN")
    assert send("feishu://token-123", message) == Sent()
    assert (net.sent[0].url or "").startswith("https://open.feishu.cn/open-apis/bot/v2/hook/token-123")
    text = net.documents[0]["content"]["text"]
    assert message.title in text
    assert message.body in text.replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("dingtalk://token123/", {"errcode": 310000, "errmsg": "keywords not in content"}),
        ("wecombot://token123", {"errcode": 93000, "errmsg": "invalid webhook url token123"}),
        ("feishu://token123", {"code": 19024, "msg": "Key Words Not Found"}),
        ("dingtalk://token123/", []),
        ("wecombot://token123", {}),
    ],
)
def test_a_robot_that_refuses_with_200_is_a_failure(net: Net, message_of: Messages, url: str, answer: Any) -> None:
    net.answer = answer
    outcome = send(url, message_of())
    assert isinstance(outcome, Failed)
    assert "token123" not in outcome.reason
    if isinstance(answer, dict) and answer:
        assert outcome.alone
        assert str(next(iter(answer.values()))) in outcome.reason


@pytest.mark.parametrize("url", ["dingtalk://token123/", "wecombot://token123", "feishu://token123"])
@pytest.mark.parametrize(("status", "alone"), [(404, True), (429, False), (502, False)])
def test_a_robot_that_cannot_answer_is_a_failure(
    net: Net, message_of: Messages, url: str, status: int, alone: bool
) -> None:
    net.status = status
    outcome = send(url, message_of())
    assert isinstance(outcome, Failed)
    assert str(status) in outcome.reason
    assert outcome.alone is alone


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """All that any log passes on, down to the smallest detail."""
    lines: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    root, handler = logging.getLogger(), Keeping()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    yield lines
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize(
    "url",
    [
        "dingtalk://S3CRETWORD@S3CRETTOKEN/",
        "wecombot://S3CRETTOKEN",
        "feishu://S3CRETTOKEN",
        "json://user:S3CRETWORD@127.0.0.1:{port}/S3CRETTOKEN?+X-Token=S3CRETKEY",
        "mailto://andon:S3CRETWORD@127.0.0.1:{port}?smtp=127.0.0.1&from=a@example.com&to=b@example.com",
        "lark://S3CRETTOKEN",
    ],
)
def test_no_secret_is_logged_or_given_as_a_reason(
    message_of: Messages, url: str, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_adapter: object, request: requests.PreparedRequest, **_: object) -> requests.Response:
        raise requests.ConnectionError(f"could not reach {request.url}")

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", refuse)
    settings = PeopleSettings("people/1", url.format(port=free_port()), 5.0)
    outcome = People(settings).send(message_of())
    assert isinstance(outcome, Failed)
    for said in (outcome.reason, repr(settings), *logged):
        assert "S3CRET" not in said


@pytest.mark.parametrize("url", ["", "nope://S3CRET", "mailto://", "dingtalk://", "dingtalk://S3CRET*/", "S3CRET"])
def test_an_address_that_apprise_cannot_use_is_refused_quietly(url: str, logged: list[str]) -> None:
    with pytest.raises(ValueError) as refused:
        People(PeopleSettings("people/1", url, 5.0))
    assert "S3CRET" not in "".join([str(refused.value), *logged])


def test_longer_secrets_are_hidden_before_those_they_hold() -> None:
    assert hide({"abc", "abcdef", "zz"}, "x abcdef abc") == "x *** ***"
