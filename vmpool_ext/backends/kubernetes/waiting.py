"""Waiting for one object to become something, without asking again and again."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from vmpool_ext.backends.kubernetes import watch
from vmpool_ext.backends.kubernetes.telling import unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmpool_ext.backends.kubernetes.watch import News, Reflector, T


async def until(reflector: Reflector[T], holds: Callable[[T], bool], within: float) -> T:
    """Give the first object told of that is as wanted; `TimeoutError` when there is none within so many seconds."""
    async with asyncio.timeout(within), aclosing(reflector.news()) as told:
        async for news in told:
            if found := next((each for each in _told_of(news) if holds(each)), None):
                return found
    raise TimeoutError


def _told_of(news: News[T]) -> tuple[T, ...]:
    match news:
        case watch.Away(why):
            raise unavailable(why)
        case watch.Everything(found):
            return found
        case watch.Changed(one):
            return (one,)
    return ()
