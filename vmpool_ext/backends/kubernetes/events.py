"""Tells in the cluster what was decided, as events about the VM or the pool: `kubectl describe vm` shows them.

Nobody waits for it, and it keeps nobody waiting: one is written after the other, a few in a second, and only while nothing
else is asked. So in a rush, or while there is nobody to ask, they stand in line; of a line that is too long the oldest are lost.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections import deque
from datetime import UTC
from typing import TYPE_CHECKING, Any

from vmpool_ext.backends.kubernetes.backoff import Backoff
from vmpool_ext.backends.kubernetes.errors import ApiError, Busy, Conflict, Lost, NotAllowed, NotFound, WrongCredentials
from vmpool_ext.backends.kubernetes.place import GROUP_VERSION
from vmpool_ext.backends.resources import POOL_KIND, VM_KIND
from vmpool_ext.domain.decision import Outcome
from vmpool_ext.domain.machine import VirtualMachine

if TYPE_CHECKING:
    from vmpool_ext.backends.kubernetes.permissions import Permissions
    from vmpool_ext.backends.kubernetes.place import Place
    from vmpool_ext.domain.decision import Decision

log = logging.getLogger(__name__)

LONGEST_LINE = 1000
PAUSE = 0.1
"""Seconds between two: ten in a second at most."""
OFTEN = 3
"""Tries of one event, after which something is wrong."""
NOT_TAKEN_PAUSE = 60.0
"""Seconds until another is tried where they are not taken: they may be allowed meanwhile."""

CONTROLLER = "vmpool-ext.jupyter.org/broker"
LONGEST_NOTE = 1024
"""Bytes that the API takes, as of the lengths below."""
_LONGEST_INSTANCE = 128
_LONGEST_NAME = 253


class Events:
    """Those of one namespace."""

    def __init__(self, place: Place, permissions: Permissions) -> None:
        self._place = place
        self._permissions = permissions
        self._line: deque[Decision] = deque()
        self._dropped = 0
        self._said_not_there = False
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    def tell(self, decision: Decision) -> None:
        """Have it written, some time."""
        if self._closed:
            return
        if len(self._line) == LONGEST_LINE:
            if not self._dropped:
                log.warning("more is decided than can be told in the cluster's events: the log has all of it")
            self._line.popleft()
            self._dropped += 1
        self._line.append(decision)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_all(), name="vmpool events")

    async def close(self) -> None:
        """Write no more; what stands in line is lost."""
        self._closed = True
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._dropped += len(self._line)
        self._line.clear()
        self._say_dropped()

    # Inside.

    async def _write_all(self) -> None:
        while self._line:
            decision = self._line.popleft()
            try:
                pause = await self._written(event_of(decision, self._place.namespace))
            except Exception:
                # Whatever it is, the next may be well; and nobody else would hear of it.
                log.exception("an event could not be written")
                pause = PAUSE
            await asyncio.sleep(pause)
        self._say_dropped()

    async def _written(self, event: dict[str, Any]) -> float:
        """Write it; tell how long to wait before the next one."""
        backoff, tries = Backoff(), 0
        while True:
            tries += 1
            await self._until_idle()
            try:
                await self._place.client.post(self._place.events, event)
            except Conflict:
                # By a try that was not answered.
                return PAUSE
            except (Busy, Lost, WrongCredentials) as error:
                # All others stand behind it: that is to be heard of, but not again and again.
                log.log(logging.WARNING if tries == OFTEN else logging.DEBUG, "an event is written later: %s", error)
                await asyncio.sleep(max(error.retry_after, backoff.next()))
            except (NotAllowed, NotFound) as error:
                self._say_not_taken(error)
                return NOT_TAKEN_PAUSE
            except ApiError as error:
                log.warning("an event is not taken: %s", error)
                return PAUSE
            else:
                return PAUSE

    async def _until_idle(self) -> None:
        while not self._place.client.is_idle:  # noqa: ASYNC110  # nobody who is asking should have to wake us
            await asyncio.sleep(PAUSE)

    def _say_not_taken(self, error: ApiError) -> None:
        self._dropped += 1
        if isinstance(error, NotAllowed):
            self._permissions.warn_of_events()
        elif not self._said_not_there:
            self._said_not_there = True
            log.warning("nothing is told in the cluster's events: %s", error)

    def _say_dropped(self) -> None:
        if self._dropped:
            log.info("%d events were not written: the log has what they would have told", self._dropped)
        self._dropped = 0


def event_of(decision: Decision, namespace: str) -> dict[str, Any]:
    """Write it as the API takes it; the name is new, so that what is written twice is there once."""
    about = decision.about
    kind = VM_KIND if isinstance(about, VirtualMachine) else POOL_KIND
    mark = f".{secrets.token_hex(8)}"
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": about.name[: _LONGEST_NAME - len(mark)].rstrip("-.") + mark, "namespace": namespace},
        "type": "Warning" if decision.outcome is Outcome.REFUSED else "Normal",
        "reason": decision.outcome.value,
        "action": decision.action,
        "note": decision.words.encode()[:LONGEST_NOTE].decode(errors="ignore"),
        "eventTime": decision.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": CONTROLLER,
        "reportingInstance": socket.gethostname()[:_LONGEST_INSTANCE] or "unknown",
        "regarding": {
            "apiVersion": GROUP_VERSION,
            "kind": kind,
            "namespace": namespace,
            "name": about.name,
            "uid": about.uid,
        },
    }
