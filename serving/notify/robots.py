"""Group robots of DingTalk and WeCom, whose refusals come with HTTP 200 and are read nowhere in apprise."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import requests
from apprise import NotifyBase
from apprise.plugins.dingtalk import NotifyDingTalk
from apprise.plugins.wecombot import NotifyWeComBot

DINGTALK_URL = "https://oapi.dingtalk.com/robot/send"
WECOM_URL = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send"


class DingTalkRobot(NotifyDingTalk):  # type: ignore[no-untyped-call]
    """Sends plain text as DingTalk's documentation of custom robots says; ``errcode`` other than 0 is a refusal."""

    def send(self, body: str, title: str = "", *_: Any, **__: Any) -> bool:
        """Send a text. Returns whether the robot took it."""
        query = {"access_token": self.token}
        if self.secret:
            timestamp, signature = self.get_signature()  # type: ignore[no-untyped-call]
            # It comes quoted already, and would be quoted again.
            query |= {"timestamp": timestamp, "sign": unquote(signature)}
        text = f"{title}\n{body}" if title else body
        at = {"atMobiles": self.targets, "isAtAll": False}
        return _is_taken(self, DINGTALK_URL, query, {"msgtype": "text", "text": {"content": text}, "at": at})


class WeComRobot(NotifyWeComBot):  # type: ignore[no-untyped-call]
    """Sends plain text as WeCom's documentation of group robots says; ``errcode`` other than 0 is a refusal."""

    def send(self, body: str, title: str = "", *_: Any, **__: Any) -> bool:
        """Send a text, which begins with the title already. Returns whether the robot took it."""
        return _is_taken(self, WECOM_URL, {"key": self.key}, {"msgtype": "text", "text": {"content": body}})


def _is_taken(robot: NotifyBase, url: str, query: Mapping[str, str], payload: Mapping[str, Any]) -> bool:
    robot.throttle()  # type: ignore[no-untyped-call]
    try:
        answer = requests.post(
            url,
            params=query,
            json=payload,
            timeout=robot.request_timeout,
            verify=robot.verify_certificate,
            allow_redirects=False,
        )
        said = answer.json() if answer.status_code == requests.codes.ok else None
    except requests.RequestException as error:
        robot.logger.warning(type(error).__name__)
        return False
    if not isinstance(said, dict):
        robot.logger.warning(f"error={answer.status_code}")
        return False
    if said.get("errcode") != 0:
        robot.logger.warning(f"errcode {said.get('errcode')} {said.get('errmsg', '')}")
    return bool(said.get("errcode") == 0)
