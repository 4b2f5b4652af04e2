"""A broker in a process of its own that says how much memory it takes: ``python -m benchmarks.footprint DIRECTORY``."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import sys
from pathlib import Path

from benchmarks.fields import CLOCK, Unfollowed, following


async def _hold(directory: str) -> dict[str, int]:
    backend = Unfollowed(CLOCK)
    backend.state_dir = directory
    await backend.start()
    async with following(backend):
        gc.collect()
        said = _kilobytes()
    await backend.stop()
    return said


def _kilobytes() -> dict[str, int]:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    named = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+)", status, re.MULTILINE))
    return {"now": int(named["VmRSS"]), "most": int(named["VmHWM"])}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_hold(sys.argv[1]))))
