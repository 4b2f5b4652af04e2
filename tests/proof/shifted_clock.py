"""The clock of a machine, on which time passes by itself, is made to pass, or is set wrong."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from tests.builders import NOON
from vmpool_ext.broker.clock import BELIEVED_AFTER, SystemClock

AN_HOUR = timedelta(seconds=BELIEVED_AFTER)
FAR = timedelta(days=400)


@dataclass
class Span:
    """A time for which the wall clock went on as the steady one does, and whether it was right from its beginning."""

    begin: object
    right: bool
    end: object = None


class ShiftedClock(SystemClock):
    """The clock under test, with both of its sources shifted. Every wrong time is one that is shown at no other moment."""

    def __init__(self):
        self._began = time.monotonic()
        self._wall_by = self._steady_by = self._right_by = 0.0
        self._shifted = asyncio.Event()
        super().__init__(
            lambda: NOON.timestamp() + self._passed() + self._wall_by, lambda: self._passed() + self._steady_by
        )
        self.spans = [Span(self.now(), right=True)]
        self._last = self.now()

    def _passed(self):
        return time.monotonic() - self._began

    @property
    def is_right(self):
        return self._wall_by == self._right_by

    def right_now(self):
        """Tell the time as all others have it."""
        return self.now() - timedelta(seconds=self._wall_by - self._right_by)

    def advance(self, **by):
        """Have time pass; a clock that has gone on for long enough from where it was set to is right."""
        seconds = timedelta(**by).total_seconds()
        self._wall_by += seconds
        self._steady_by += seconds
        self._right_by += seconds
        if self.now() >= self.spans[-1].begin + AN_HOUR:
            self._right_by = self._wall_by
        self._tell()

    def jump(self):
        """Be set wrong, further ahead than ever."""
        self._last = max(self._last, self.now())
        self._set(self._wall_by + (self._last + FAR - self.now()).total_seconds(), right=False)

    def be_right(self):
        """Be set right again."""
        if not self.is_right:
            self._last = max(self._last, self.now())
            self._set(self._right_by, right=True)

    def was_trusted(self, moment):
        """Tell, of a time that was shown, whether it was to be believed then."""
        return any(
            span.begin <= moment <= (span.end or self.now()) and (span.right or moment >= span.begin + AN_HOUR)
            for span in self.spans
        )

    async def sleep_until(self, moment):
        end = self._steady() + (moment - self.now()).total_seconds()
        while (left := min((moment - self.now()).total_seconds(), end - self._steady())) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._shifted.wait(), min(left, 60))

    def _set(self, wall_by, *, right):
        # As whoever runs a broker does now and then: an hour that is over is known to be, and the next is counted from here.
        self.is_trusted()
        self.spans[-1].end = self.now()
        self._wall_by = wall_by
        self.spans.append(Span(self.now(), right))
        self.is_trusted()
        self._tell()

    def _tell(self):
        self._shifted.set()
        self._shifted = asyncio.Event()
