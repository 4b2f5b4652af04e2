"""Waiting for a change or for the clock, whichever is first."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from vmpool_ext.broker.ports import Clock


async def change_or_moment(change: asyncio.Event, clock: Clock, moment: datetime) -> None:
    """Return at a change, or when the passing of time is one."""
    waits = {
        asyncio.create_task(change.wait(), name="change"),
        asyncio.create_task(clock.sleep_until(moment), name="moment"),
    }
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
