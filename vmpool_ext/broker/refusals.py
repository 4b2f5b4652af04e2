"""Which refusals are news, and which were told a moment ago."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

NOT_AGAIN_WITHIN = timedelta(minutes=10)
"""Who is refused presses again: that is told once."""

MOST_OF_A_USER = 30
"""Told within that time: nobody fills a log, or crowds out what others are told, by asking for everything."""


class Refusals:
    """What was told lately, of each user."""

    def __init__(self) -> None:
        self._told: dict[str, dict[tuple[str, ...], datetime]] = {}

    def is_news(self, user: str, refusal: tuple[str, ...], now: datetime) -> bool:
        """Tell whether it is to be told; then it was."""
        # A clock that was set back has not made it longer ago.
        lately = {each: at for each, at in self._told.get(user, {}).items() if at <= now < at + NOT_AGAIN_WITHIN}
        self._told[user] = lately
        if refusal in lately or len(lately) == MOST_OF_A_USER:
            return False
        lately[refusal] = now
        return True
