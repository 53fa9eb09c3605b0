"""From a configuration to what sends."""

from collections.abc import Callable
from datetime import datetime, timedelta

from andon.datasets.store.database import Database
from andon.datasets.store.outbox import Outbox
from andon.serving.notify.channels import Bounded, Channel
from andon.serving.notify.configuration import Configuration, Settings
from andon.serving.notify.mqtt import Broker, MqttSettings
from andon.serving.notify.people import People, PeopleSettings
from andon.serving.notify.sender import Notifier, Pace, Plan, utc_now
from andon.serving.notify.webhook import Webhook

SPARE_S = 30.0
"""Beyond the longest timeout, for the database."""
USUAL_PACE = Pace()


def open_notifier(configuration: Configuration, database: Database, pace: Pace = USUAL_PACE) -> Notifier:
    """Make what sends as a configuration says; ``sending`` starts it."""
    plan = Plan(
        routes=configuration.routes,
        channels={each.name: open_channel(each, utc_now) for each in configuration.channels},
        give_up_after=configuration.give_up_after,
        base_url=configuration.base_url,
    )
    longest_s = max((each.timeout_s for each in configuration.channels), default=0.0)
    return Notifier(database, Outbox(database, timedelta(seconds=longest_s + SPARE_S)), plan, pace)


def open_channel(settings: Settings, clock: Callable[[], datetime]) -> Channel:
    """Make a channel whose attempts end in time."""
    return Bounded(_opened(settings, clock), settings.timeout_s)


def _opened(settings: Settings, clock: Callable[[], datetime]) -> Channel:
    if isinstance(settings, PeopleSettings):
        return People(settings)
    if isinstance(settings, MqttSettings):
        return Broker(settings)
    return Webhook(settings, clock)
