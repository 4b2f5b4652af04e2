"""Waiting for what a guest does by itself."""

import time


def within(seconds, holds):
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.05)
