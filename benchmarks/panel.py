"""From a change to the changed panel: a real JupyterLab in a real Chromium, and a bare socket beside it.

The server notes when it writes the change that another client asked for; the page notes when its card is another, and when
the frame begins in which that is painted. Both read the clock of this machine.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import cycle
from statistics import median
from typing import TYPE_CHECKING

from playwright.async_api import async_playwright
from websockets.asyncio.client import connect

from benchmarks.fields import pool_name
from benchmarks.report import Table, holds
from benchmarks.served import MEMORY, PATIENCE, Client, a_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from playwright.async_api import Page
    from websockets.asyncio.client import ClientConnection

    from benchmarks.served import Server

CHANGES = 40
MOST = 100.0
BETWEEN = 0.15
"""Seconds: each change meets a page that is at rest."""
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--no-first-run"]  # fmt: skip
OBSERVE = """() => {
  window.changes = [];
  const now = () => performance.timeOrigin + performance.now();
  new MutationObserver(() => {
    const changed = now();
    requestAnimationFrame(() => window.changes.push({ changed, painted: now() }));
  }).observe(document.querySelector('[data-pool]'), { attributeFilter: ['data-state'] });
}"""


@dataclass(frozen=True, slots=True)
class Seen:
    """Milliseconds from the write of a change until it was seen."""

    socket: float
    changed: float
    painted: float


def tables() -> Iterable[Table]:
    """Change a VM again and again from elsewhere, and see when it shows."""
    with a_server("jupyterlab", MEMORY, vms=3, pools=1) as server:
        seen = asyncio.run(_measure(server))
    yield Table(
        "panel",
        ("from the write of a change", "median, ms", "longest, ms", "changes", "target, ms", "holds"),
        [
            _row("to the picture at a bare socket", [each.socket for each in seen]),
            _row("to the changed panel", [each.changed for each in seen]),
            _row("to the frame that paints it", [each.painted for each in seen]),
        ],
    )


def _row(words: str, found: list[float]) -> tuple[str, ...]:
    middle = median(found)
    return words, f"{middle:.1f}", f"{max(found):.1f}", str(len(found)), f"{MOST:.0f}", holds(max(found), MOST)


async def _measure(server: Server) -> list[Seen]:
    client = await Client.connected(server)
    async with _page(server) as page, _socket(server) as arrivals:
        await page.evaluate(OBSERVE)
        seen = []
        for number, action in zip(range(CHANGES), cycle(("start", "release")), strict=False):
            await asyncio.sleep(BETWEEN)
            before, arrivals[:] = len(server.writes), []
            await client.ask("POST", f"pools/{pool_name(0)}/{action}")
            await page.wait_for_function("known => window.changes.length > known", arg=number)
            written = server.writes[before] / 1e6
            change = await page.evaluate("window.changes.at(-1)")
            seen.append(Seen(arrivals[0] - written, change["changed"] - written, change["painted"] - written))
    client.close()
    return seen


@asynccontextmanager
async def _page(server: Server) -> AsyncIterator[Page]:
    """Open JupyterLab, and the panel in it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(PATIENCE * 1000)
        await page.goto(f"http://127.0.0.1:{server.port}/lab?token={server.token}")
        await page.locator("#jupyterlab-splash").wait_for(state="detached")
        await page.locator("[data-id=vmpool-panel]").click()
        await page.locator(f"[data-pool={pool_name(0)}]").wait_for()
        yield page
        await browser.close()


@asynccontextmanager
async def _socket(server: Server) -> AsyncIterator[list[float]]:
    """Listen without a page; note in milliseconds when each picture came."""
    arrivals: list[float] = []
    authorized = {"Authorization": f"token {server.token}"}
    async with connect(f"ws://127.0.0.1:{server.port}/vmpool/api/v1/updates", additional_headers=authorized) as socket:
        listening = asyncio.create_task(_listen(socket, arrivals))
        yield arrivals
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening


async def _listen(socket: ClientConnection, arrivals: list[float]) -> None:
    async for picture in socket:
        arrivals.append(time.time_ns() / 1e6)
        json.loads(picture)
