"""What can go wrong while the demo guest is built."""

from __future__ import annotations


class GuestBuildError(Exception):
    """The demo guest cannot be built; says what happened and what to do, to the person at the terminal."""
