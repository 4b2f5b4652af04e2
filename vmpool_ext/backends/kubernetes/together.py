"""Asking for several things at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

T = TypeVar("T")


async def together(asked: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Give what each gives; where one fails, its error, once the others have been given up.

    `asyncio.gather` alone would leave them going: they outlive whoever asked, and their connections the client. `asyncio.TaskGroup`
    loses a cancellation that comes while it gives them up (Python 3.11 and 3.12): whoever stops a broker would wait for ever.
    """
    tasks = [asyncio.create_task(each) for each in asked]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
