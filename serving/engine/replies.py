"""Answer a repeated request as it was answered before."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from andon.models.types.errors import ConflictError

Reply = TypeVar("Reply")


@dataclass(frozen=True, slots=True, eq=False)
class _Entry(Generic[Reply]):
    content: bytes
    answer: asyncio.Future[Reply]


class ReplyCache(Generic[Reply]):
    """Remembers the last replies by their key. Used from one event loop.

    Parameters
    ----------
    capacity
        How many replies are kept; the one that was asked for longest ago goes first.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[str, _Entry[Reply]] = OrderedDict()

    async def reply(self, key: str, content: bytes, make: Callable[[], Awaitable[Reply]]) -> Reply:
        """Give the reply remembered for ``key``, or make it.

        Requests that come while it is being made wait for the same one. A failure is not remembered: it may be tried again.

        Parameters
        ----------
        content
            A digest of what was sent.

        Raises
        ------
        ConflictError
            ``key`` stands for other content.
        """
        entry = self._entries.get(key)
        if entry is None:
            entry = self._remember(key, _Entry(content, asyncio.ensure_future(make())))
        elif entry.content != content:
            raise ConflictError("serving.key_reused", "Idempotency-Key", found=key)
        self._entries.move_to_end(key)
        # A caller who leaves must not take the answer from those who wait for it too.
        return await asyncio.shield(entry.answer)

    def _remember(self, key: str, entry: _Entry[Reply]) -> _Entry[Reply]:
        self._entries[key] = entry
        entry.answer.add_done_callback(partial(self._forget_failure, key))
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)
        return entry

    def _forget_failure(self, key: str, answer: asyncio.Future[Reply]) -> None:
        entry = self._entries.get(key)
        failed = answer.cancelled() or answer.exception() is not None
        if failed and entry is not None and entry.answer is answer:
            del self._entries[key]
