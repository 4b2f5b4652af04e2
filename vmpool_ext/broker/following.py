"""Keeps the inventory current: follows the backend's events, and begins again when they end."""

from __future__ import annotations

import logging
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING

from vmpool_ext.domain.errors import BackendUnavailable

if TYPE_CHECKING:
    from vmpool_ext.broker.inventory import Inventory
    from vmpool_ext.broker.ports import Backend, Clock

log = logging.getLogger(__name__)

FIRST_PAUSE = timedelta(seconds=0.5)
LONGEST_PAUSE = timedelta(seconds=30)


class Following:
    """Watches one backend for ever."""

    def __init__(self, backend: Backend, inventory: Inventory, clock: Clock) -> None:
        self._backend = backend
        self._inventory = inventory
        self._clock = clock

    async def run(self) -> None:
        """Watch; after a loss pause, longer each time that nothing came, and watch again."""
        pause = FIRST_PAUSE
        while True:
            pause = FIRST_PAUSE if await self._watch_once() else min(2 * pause, LONGEST_PAUSE)
            await self._clock.sleep_until(self._clock.now() + pause)

    async def _watch_once(self) -> bool:
        """Draw events until they end; tell whether any came."""
        revision = self._inventory.revision
        try:
            async with aclosing(self._backend.watch()) as events:
                async for event in events:
                    self._inventory.take_in(event)
        except BackendUnavailable as error:
            log.warning("the backend is lost: %s", error)
            self._inventory.lose(error.code, str(error))
        except Exception:
            log.exception("following the backend failed")
            self._inventory.lose("internal", "The pools cannot be read; the server's log says why.")
        return self._inventory.revision > revision
