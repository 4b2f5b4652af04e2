"""Waiting for one of several things, whichever is first."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from datetime import datetime

    from vmpool_ext.broker.ports import Clock


async def change_or_moment(change: asyncio.Event, clock: Clock, moment: datetime) -> None:
    """Return at a change, or when the passing of time is one."""
    await first_of(change.wait(), clock.sleep_until(moment))


async def first_of(*awaited: Coroutine[object, object, object]) -> None:
    """Return when one of them does, and let the others be."""
    waits = [asyncio.create_task(each) for each in awaited]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
