"""What people read: an alert with its link, a summary of the night, an escalation; in their language."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from andon.datasets.store.outbox import Waiting
from andon.models.alerts.card import alert_text
from andon.models.alerts.case import AlertEvent
from andon.models.messages.catalogue import catalogue
from andon.models.types.vibration import Severity
from andon.serving.notify.channels import Tone
from andon.serving.notify.wording import MOST_LISTED, alert_message, check_message, summary_id, summary_message

BASE = "https://andon.example"
Told = Callable[..., Waiting]


def test_an_alert_is_its_text_with_a_link(waiting_of: Told) -> None:
    told = waiting_of(language="zh_CN", severity=Severity.DANGER)
    message = alert_message(told, BASE)
    text = alert_text(told.document, catalogue("zh_CN"))
    assert f"{message.title}\n{message.body}" == f"{text}\n详情：{BASE}/api/v1/alerts/{told.alert}"
    assert (message.id, message.tone) == (told.id, Tone.DANGER)
    assert message.document == {**told.document, "event_id": told.id}
    assert "alerts/" not in alert_message(told, None).body


def test_an_escalation_says_for_how_long_nobody_acknowledged_it(waiting_of: Told) -> None:
    message = alert_message(waiting_of(event=AlertEvent.REMINDER, document={"unacknowledged_s": 1800.0}), None)
    assert message.title.startswith("STILL OPEN P-101")
    assert "nobody has acknowledged it for 30 minutes" in message.body


def test_a_summary_has_a_line_for_each_alert(waiting_of: Told) -> None:
    told = [
        waiting_of(asset="P-1", severity=Severity.WATCH),
        waiting_of(asset="P-2", severity=Severity.WARNING),
        waiting_of(asset="P-1", severity=Severity.WATCH, event=AlertEvent.CLEARED),
    ]
    message = summary_message(told, BASE)
    assert message.title == "3 alerts while it was quiet"
    lines = message.body.splitlines()
    assert lines[0].startswith("2026-03-04 12:00 UTC  ALERT P-1: ")
    assert lines[1] == f"details: {BASE}/api/v1/alerts/{told[0].alert}"
    assert [line[22:].split(" ")[0] for line in lines[::2]] == ["ALERT", "ALERT", "CLEARED"]
    assert message.tone is Tone.WARNING
    assert message.document["alerts"] == [dict(each.document) for each in told]


def test_one_alert_alone_is_no_summary(waiting_of: Told) -> None:
    told = waiting_of()
    assert summary_message([told], BASE) == alert_message(told, BASE)


def test_a_long_summary_counts_what_it_does_not_list(waiting_of: Told) -> None:
    for more in (0, 1, 7):
        told = [waiting_of() for _ in range(MOST_LISTED + more)]
        lines = summary_message(told, None).body.splitlines()
        assert len(lines) == MOST_LISTED + bool(more)
        assert (lines[-1] == f"and {more} more") is bool(more)


@given(st.sets(st.uuids(version=4), min_size=1).map(lambda ids: [str(each) for each in ids]), st.randoms())
def test_a_summary_is_named_after_what_it_tells(ids: list[str], random: object) -> None:
    shuffled = list(ids)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert summary_id(shuffled) == summary_id(ids)
    assert summary_id([*ids, "00000000-0000-7000-8000-000000000000"]) != summary_id(ids)


def test_a_test_says_that_it_is_one() -> None:
    for language, word in (("en", "TEST"), ("zh_CN", "测试")):
        message = check_message("7", language)
        assert word in message.title
        assert message.document == {"type": "test", "asset": "test", "id": "7", "event_id": "7"}
