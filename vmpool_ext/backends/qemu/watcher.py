"""What a watcher of the ledger has not heard yet: of everything only the latest, so that a slow one costs no memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from vmpool_ext.backends.qemu.store import Stored
from vmpool_ext.domain.errors import BackendUnavailable

ENDED = "The backend was stopped."


@dataclass(frozen=True, slots=True)
class Unwritten:
    """What happens cannot be written down: what is known may not be the latest."""

    why: str


class Watcher:
    """One watcher's."""

    def __init__(self) -> None:
        self._untold: dict[tuple[str, str] | None, Stored | Unwritten | None] = {}
        self._ended = False
        self._something = asyncio.Event()

    def tell(self, stored: Stored) -> None:
        """Tell of a change, in place of earlier ones of the same resource: later than all others."""
        key = stored.kind, stored.name
        untold = self._untold.get(key)
        # Told of in order by any loop that calls in order; what is newest does not hang on that.
        if not isinstance(untold, Stored) or untold.version < stored.version:
            self._tell(key, stored)

    def tell_whether(self, unwritten: Unwritten | None) -> None:
        """Tell that happenings wait to be written; with None, that all are, and everything is to be read anew."""
        self._tell(None, unwritten)

    def end(self) -> None:
        """Nothing comes after what has come."""
        self._ended = True
        self._something.set()

    async def next(self) -> Stored | Unwritten | None:
        """Wait for what comes next; when there is no more, `BackendUnavailable`."""
        await self._something.wait()
        if not self._untold:
            raise BackendUnavailable(ENDED)
        news = self._untold.pop(next(iter(self._untold)))
        if not self._untold and not self._ended:
            self._something.clear()
        return news

    def _tell(self, key: tuple[str, str] | None, news: Stored | Unwritten | None) -> None:
        # Put at the end, so that versions come in their order.
        self._untold.pop(key, None)
        self._untold[key] = news
        self._something.set()
