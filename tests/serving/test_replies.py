import asyncio
from collections.abc import Awaitable, Callable

import pytest

from andon.models.types.errors import ConflictError
from andon.serving.engine.replies import ReplyCache


class Counter:
    """Makes 1, 2, 3, ... once it is let go."""

    def __init__(self, fails: int = 0) -> None:
        self.made = 0
        self.go = asyncio.Event()
        self._fails = fails

    async def make(self) -> int:
        self.made += 1
        number = self.made
        await self.go.wait()
        if number <= self._fails:
            raise ValueError(number)
        return number


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await scenario()

    asyncio.run(main())


def test_the_same_key_and_content_get_the_same_reply() -> None:
    async def scenario() -> None:
        cache, counter = ReplyCache[int](4), Counter()
        counter.go.set()
        assert [await cache.reply("k", b"x", counter.make) for _ in range(3)] == [1, 1, 1]
        assert await cache.reply("other", b"x", counter.make) == 2

    run(scenario)


def test_requests_at_the_same_time_share_one_run() -> None:
    async def scenario() -> None:
        cache, counter = ReplyCache[int](4), Counter()
        waiting = [asyncio.create_task(cache.reply("k", b"x", counter.make)) for _ in range(5)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        counter.go.set()
        assert await asyncio.gather(*waiting[1:]) == [1, 1, 1, 1]
        assert counter.made == 1

    run(scenario)


def test_a_key_stands_for_one_content() -> None:
    async def scenario() -> None:
        cache, counter = ReplyCache[int](4), Counter()
        counter.go.set()
        await cache.reply("k", b"x", counter.make)
        with pytest.raises(ConflictError):
            await cache.reply("k", b"y", counter.make)

    run(scenario)


def test_a_failure_may_be_tried_again() -> None:
    async def scenario() -> None:
        cache, counter = ReplyCache[int](4), Counter(fails=1)
        counter.go.set()
        with pytest.raises(ValueError, match="1"):
            await cache.reply("k", b"x", counter.make)
        assert await cache.reply("k", b"y", counter.make) == 2

    run(scenario)


def test_the_one_asked_for_longest_ago_is_forgotten() -> None:
    async def scenario() -> None:
        cache, counter = ReplyCache[int](2), Counter()
        counter.go.set()
        for key in ("a", "b", "a", "c"):
            await cache.reply(key, b"x", counter.make)
        assert await cache.reply("a", b"x", counter.make) == 1
        assert await cache.reply("b", b"x", counter.make) == 4

    run(scenario)
