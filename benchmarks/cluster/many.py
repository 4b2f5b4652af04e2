"""How many writes an assignment costs: one broker, and ten that know nothing of each other."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.cluster import member
from benchmarks.cluster.bare import a_session, patches
from benchmarks.cluster.member import FIRST, RANDOM
from benchmarks.cluster.place import a_field
from benchmarks.cluster.process import a_process
from benchmarks.report import Table, holds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import ClientSession

    from benchmarks.cluster.effort import Effort
    from benchmarks.cluster.place import Field, OnDisk
    from benchmarks.cluster.process import Told

ELECTED = "elected"
"""All users come to one of them, who takes the first."""
MOST_OF_ONE = 1.05
MOST_OF_SEVERAL = 1.5


@dataclass(frozen=True, slots=True)
class Rush:
    """What it came to when all users came at once."""

    writes: float
    refused: int
    seconds: float
    unserved: int
    """Users who were told to try again."""
    doubled: int
    """Users who have more than one VM, or VMs of which somebody else was told that it is theirs."""


def tables(plane: OnDisk, effort: Effort) -> Iterable[Table]:
    """Measure with VMs that nobody was in, and with VMs each of which was used at a moment of its own."""
    rows = []
    for used in (False, True):
        rushes = asyncio.run(_measure(plane, effort, used=used))
        words = "used before" if used else "never used"
        rows += [_row(words, brokers, choice, found) for (brokers, choice), found in rushes.items()]
    header = (
        "the VMs", "brokers", "choice", "writes per assignment", "of these refused", "target", "holds", "done after, s",
        "told to try again", "two VMs, or another's",
    )  # fmt: skip
    yield Table("cluster-writes", header, rows)


def _row(words: str, brokers: int, choice: str, rushes: list[Rush]) -> tuple[str, ...]:
    writes = median(each.writes for each in rushes)
    refused = median(each.refused for each in rushes)
    target = MOST_OF_ONE if brokers == 1 else MOST_OF_SEVERAL
    seconds = median(each.seconds for each in rushes)
    unserved, doubled = (
        sum(column) for column in zip(*((each.unserved, each.doubled) for each in rushes), strict=True)
    )
    return (
        words, str(brokers), choice, f"{writes:.2f}", f"{refused:.0f}", str(target), holds(writes, target), f"{seconds:.2f}",
        str(unserved), str(doubled),
    )  # fmt: skip


async def _measure(plane: OnDisk, effort: Effort, *, used: bool) -> dict[tuple[int, str], list[Rush]]:
    name = "many-used" if used else "many-fresh"
    found: dict[tuple[int, str], list[Rush]] = {}
    async with a_field(plane, name, effort.free, used=used) as field, a_session(*plane.access) as session:
        for brokers, choices in ((1, (FIRST,)), (effort.brokers, (FIRST, ELECTED)), (effort.brokers, (RANDOM,))):
            async with AsyncExitStack() as stack:
                members = await _members(stack, field, brokers, choices[0])
                for choice in choices:
                    found[brokers, choice] = [
                        await _rush(field, session, members, effort.users, choice) for _ in range(effort.repeats)
                    ]
    return found


async def _members(stack: AsyncExitStack, field: Field, number: int, choice: str) -> list[Told]:
    place = (member.__name__, field.plane.kubeconfig(), field.name, choice)
    begun = [asyncio.create_task(stack.enter_async_context(a_process(*place))) for _ in range(number)]
    return [told for told, _ in await asyncio.gather(*begun)]


async def _rush(field: Field, session: ClientSession, members: list[Told], users: int, choice: str) -> Rush:
    """Have all users come at once, to the brokers by turns; then make all VMs free again."""
    doors = members[:1] if choice == ELECTED else members
    before, began = await patches(session), time.perf_counter()
    answers = await asyncio.gather(
        *(door.ask("start", list(range(users))[number :: len(doors)]) for number, door in enumerate(doors))
    )
    took, after = time.perf_counter() - began, await patches(session)
    told = {user: vm for answer in answers for user, vm in answer["given"].items() if vm}
    given = await field.given()
    await field.put_back(given)
    await asyncio.gather(*(each.ask("free", field.vms) for each in members))
    writes, refused = (now - then for now, then in zip(after, before, strict=True))
    return Rush(writes / len(told), refused, took, users - len(told), _doubled(told, given))


def _doubled(told: dict[str, str], given: dict[str, str]) -> int:
    """Compare what users were told with what is so."""
    several = sum(count > 1 for count in Counter(given.values()).values())
    return several + sum(given.get(vm) != user for user, vm in told.items())
