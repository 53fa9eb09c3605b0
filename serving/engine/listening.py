"""Looks for sensors from which nothing comes any more, as long as the service runs."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from andon.datasets.condition.silence import look_for_silence
from andon.datasets.store.conditions import Conditions
from andon.models.alerts.case import AlertPolicy
from andon.models.types.errors import ResourceError

logger = logging.getLogger(__name__)


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
