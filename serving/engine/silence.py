"""Look for sensors from which nothing comes any more, and for reminders that are due."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from andon.datasets.store.conditions import Conditions
from andon.models.alerts.case import Alert, AlertPolicy
from andon.models.alerts.rules import decide_silence
from andon.models.types.errors import ResourceError
from andon.models.types.identifiers import new_id

logger = logging.getLogger(__name__)

GAPS = 3
"""How many of its usual gaps a sensor may be quiet: one snapshot may be lost, and the next late."""


def look_for_silence(conditions: Conditions, policy: AlertPolicy, now: datetime) -> list[Alert]:
    """Decide on all machines with a sensor that has been quiet for longer than it ever is.

    Raises
    ------
    ResourceError
        The database cannot be reached.
    """
    limit, given = timedelta(seconds=policy.silence_s), list[Alert]()
    for asset, gaps in conditions.rhythms(now - limit).items():
        patience = {sensor: max(limit, GAPS * gap) for sensor, gap in gaps.items()}
        with conditions.deciding(asset) as decision:
            state, alerts = decide_silence(policy, decision.rules(), now, new_id, patience)
            decision.keep_rules(state)
            decision.keep_alerts(alerts, now)
        given += alerts
    return given


@asynccontextmanager
async def listening(conditions: Conditions, policy: AlertPolicy, seconds: float) -> AsyncIterator[None]:
    """Look for silence every ``seconds`` while the block runs."""
    task = asyncio.create_task(_listen(conditions, policy, seconds))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _listen(conditions: Conditions, policy: AlertPolicy, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(look_for_silence, conditions, policy, datetime.now(UTC))
        except ResourceError as error:
            logger.warning("silence not looked for", extra={"fields": {"code": error.code, "reason": str(error)}})
