"""Look for sensors from which nothing comes any more, and for reminders that are due."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from andon.datasets.store.conditions import Conditions
from andon.models.alerts.case import Alert, AlertPolicy
from andon.models.alerts.rules import decide_silence
from andon.models.types.errors import ResourceError
from andon.models.types.identifiers import new_id

logger = logging.getLogger(__name__)

GAPS = 3
"""How many of its usual gaps a sensor may be quiet: one snapshot may be lost, and the next late."""

Tell = Callable[[Alert], None]


def look_for_silence(conditions: Conditions, policy: AlertPolicy, now: datetime) -> list[Alert]:
    """Decide on all machines that have been quiet for longer than they ever are.

    Raises
    ------
    ResourceError
        The database cannot be reached.
    """
    given = list[Alert]()
    for asset, gap in conditions.rhythms(now - timedelta(seconds=policy.silence_s)).items():
        patient = replace(policy, silence_s=max(policy.silence_s, GAPS * gap.total_seconds()))
        with conditions.deciding(asset) as decision:
            state, alerts = decide_silence(patient, decision.rules(), now, new_id)
            decision.keep_rules(state)
            decision.keep_alerts(alerts, now)
        given += alerts
    return given


@asynccontextmanager
async def listening(conditions: Conditions, policy: AlertPolicy, seconds: float, tell: Tell) -> AsyncIterator[None]:
    """Look for silence every ``seconds`` while the block runs."""
    task = asyncio.create_task(_listen(conditions, policy, seconds, tell))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _listen(conditions: Conditions, policy: AlertPolicy, seconds: float, tell: Tell) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            for alert in await asyncio.to_thread(look_for_silence, conditions, policy, datetime.now(UTC)):
                tell(alert)
        except ResourceError as error:
            logger.warning("silence not looked for", extra={"fields": {"code": error.code, "reason": str(error)}})
