"""A service that only sends, for a test to kill: ``python -m ... DATABASE CONFIG.toml``."""

import asyncio
import logging
import sys
from datetime import timedelta
from pathlib import Path

from andon.datasets.store.database import open_database
from andon.datasets.store.outbox import Outbox
from andon.serving.notify.configuration import load_configuration
from andon.serving.notify.opening import open_channel
from andon.serving.notify.retrying import Backoff
from andon.serving.notify.sender import Notifier, Pace, Plan, sending, utc_now

QUICK = Pace(Backoff(0.05, 0.2), Backoff(0.05, 0.2), poll_s=0.1, watch_s=0.1)


async def main(address: str, file: str) -> None:
    configuration = load_configuration(Path(file), {})
    database = open_database(address)
    channels = {each.name: open_channel(each, utc_now) for each in configuration.channels}
    plan = Plan(configuration.routes, channels, configuration.give_up_after)
    async with sending(Notifier(database, Outbox(database, timedelta(seconds=1)), plan, QUICK)):
        print("sending", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asyncio.run(main(*sys.argv[1:]))
