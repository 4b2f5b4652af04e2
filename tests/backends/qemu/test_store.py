"""Resources in SQLite, and who holds them."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import aclosing

import pytest

from tests.backends.qemu.machines import locked
from vmpool_ext.backends.qemu.holder import IN_USE
from vmpool_ext.backends.qemu.ledger import Ledger
from vmpool_ext.backends.qemu.store import Everything, Store, Stored, check_name
from vmpool_ext.backends.qemu.watcher import Watcher
from vmpool_ext.domain.errors import AssignmentConflict, BackendUnavailable, InvalidDefinition

VM = "VirtualMachine"


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store.sqlite")
    yield store
    store.close()


@pytest.fixture
async def ledger(tmp_path):
    ledger = Ledger(tmp_path / "state", "a test")
    await ledger.open()
    yield ledger
    await ledger.close()


def to(**resource):
    return lambda _: resource


# The store.


def test_a_new_store_is_empty(store):
    assert store.everything() == Everything((), 0)
    assert store.get(VM, "vm1") is None


def test_every_write_takes_the_next_version(store):
    one = store.write(VM, "vm1", to(a=1))
    two = store.write("VmPool", "win11", to(b=2))
    three = store.write(VM, "vm1", to(a=3))

    assert [one.version, two.version, three.version] == [1, 2, 3]
    assert store.get(VM, "vm1") == three
    assert store.everything() == Everything((three, two), 3)


def test_what_changes_nothing_takes_no_version(store):
    one = store.write(VM, "vm1", to(a=1))

    assert store.write(VM, "vm1", to(a=1)) == one
    assert store.everything().version == one.version


def test_a_deletion_takes_a_version_too(store):
    store.write(VM, "vm1", to(a=1))

    gone = store.delete(VM, "vm1")

    assert (gone.version, gone.resource) == (2, None)
    assert store.delete(VM, "vm1") is None
    assert store.everything() == Everything((), 2)


def test_only_who_has_read_the_latest_writes(store):
    read = store.write(VM, "vm1", to(a=1))
    written = store.write(VM, "vm1", to(a=2), if_version=read.version)

    with pytest.raises(AssignmentConflict):
        store.write(VM, "vm1", to(a=3), if_version=read.version)
    assert store.get(VM, "vm1") == written


def test_who_has_read_what_is_gone_does_not_bring_it_back(store):
    read = store.write(VM, "vm1", to(a=1))
    store.delete(VM, "vm1")

    with pytest.raises(AssignmentConflict):
        store.write(VM, "vm1", to(a=2), if_version=read.version)
    assert store.get(VM, "vm1") is None


def test_a_change_that_fails_leaves_everything_as_it_was(store):
    read = store.write(VM, "vm1", to(a=1))

    with pytest.raises(ZeroDivisionError):
        store.write(VM, "vm1", lambda _: 1 / 0)

    assert store.everything() == Everything((read,), 1)
    assert store.write(VM, "vm1", to(a=2)).version == 2


def test_what_was_written_is_there_after_opening_again(tmp_path):
    first = Store(tmp_path / "store.sqlite")
    written = first.write(VM, "vm1", to(a="ä,'\""))
    first.close()

    second = Store(tmp_path / "store.sqlite")

    assert second.everything() == Everything((written,), 1)
    second.close()


@pytest.mark.parametrize("name", ["a", "win11.lab-2", "0", "a" * 253])
def test_names_that_kubernetes_would_take_are_taken(name):
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", "a-", ".a", "A", "a_b", "a/b", "a b", "a\n", "ä", "a" * 254, None, 5])
def test_other_names_are_refused_before_anything_is_written(store, name):
    with pytest.raises(InvalidDefinition):
        store.write(VM, name, to(a=1))
    assert store.everything().version == 0


def test_a_store_that_another_program_has_locked_says_so_and_can_be_read(store, tmp_path):
    with locked(tmp_path / "store.sqlite"):
        with pytest.raises(
            BackendUnavailable, match=r"store\.sqlite .*Another program, such as a backup, has it locked"
        ):
            store.write(VM, "vm1", to(a=1))
        again = Store(tmp_path / "store.sqlite")
        assert again.everything() == store.everything() == Everything((), 0)
        again.close()

    assert store.write(VM, "vm1", to(a=1)).version == 1


def test_a_full_disk_is_unavailable_and_says_so(store):
    # As many pages as there are, and no more: what a full disk looks like to SQLite.
    pages = store._database.execute("PRAGMA page_count").fetchone()[0]
    store._database.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(BackendUnavailable, match=r"full\. Free space on"):
        store.write(VM, "vm1", to(a="x" * 100_000))

    assert store.everything() == Everything((), 0)
    assert store.write(VM, "vm1", to(a=1)).version == 1


def test_a_file_that_is_no_store_is_unavailable(tmp_path):
    (tmp_path / "store.sqlite").write_text("Dear diary, " * 100)

    with pytest.raises(BackendUnavailable, match="not a database"):
        Store(tmp_path / "store.sqlite")


def test_the_store_of_a_newer_version_is_left_alone(tmp_path):
    database = sqlite3.connect(tmp_path / "store.sqlite")
    database.execute("PRAGMA user_version = 99")
    database.close()

    with pytest.raises(BackendUnavailable, match="newer version"):
        Store(tmp_path / "store.sqlite")


# The ledger.


async def test_writes_at_the_same_moment_are_told_in_their_order(ledger):
    async with aclosing(ledger.watch()) as one, aclosing(ledger.watch()) as two:
        for watch in (one, two):
            assert await anext(watch) == Everything((), 0)

        await asyncio.gather(*(ledger.put(VM, f"vm{n}", to(n=n)) for n in range(20)))

        for watch in (one, two):
            assert [(await anext(watch)).version for _ in range(20)] == list(range(1, 21))


async def test_what_was_written_while_a_watch_began_is_told_once(ledger):
    writing = [asyncio.ensure_future(ledger.put(VM, f"vm{n}", to(n=n))) for n in range(20)]
    async with aclosing(ledger.watch()) as changes:
        everything = await anext(changes)
        told = {stored.name for stored in everything.resources}
        while len(told) < 20:
            stored = await anext(changes)
            assert stored.name not in told
            told.add(stored.name)
    await asyncio.gather(*writing)


async def test_nothing_is_told_that_was_not_changed(ledger):
    await ledger.put(VM, "vm1", to(a=1))
    async with aclosing(ledger.watch()) as changes:
        await anext(changes)
        await ledger.edit(VM, "vm1", to(a=1))
        await ledger.delete(VM, "vm2")
        last = await ledger.put(VM, "vm1", to(a=2))

        assert await anext(changes) == last


async def test_who_does_not_look_hears_the_latest_of_each_in_the_order_of_versions(ledger):
    async with aclosing(ledger.watch()) as changes:
        await anext(changes)
        for n in range(100):
            await ledger.put(VM, f"vm{n % 3}", to(n=n))
        await ledger.delete(VM, "vm2")

        assert [(await anext(changes)).version for _ in range(3)] == [98, 100, 101]
        last = await ledger.put(VM, "vm2", to(a=1))
        assert await anext(changes) == last


async def test_a_watch_does_not_hold_on_to_what_it_gave_first(ledger):
    async with aclosing(ledger.watch()) as changes:
        everything = await anext(changes)
        await ledger.put(VM, "vm1", to(a=1))
        await anext(changes)

        assert sys.getrefcount(everything) == 2, "held by this test, and by the question"


async def test_what_is_not_there_cannot_be_edited(ledger):
    with pytest.raises(AssignmentConflict):
        await ledger.edit(VM, "vm1", to(a=1))


async def test_a_closed_ledger_ends_its_watches_and_takes_nothing(ledger):
    async with aclosing(ledger.watch()) as changes:
        await anext(changes)
        await ledger.close()

        with pytest.raises(BackendUnavailable):
            await anext(changes)
    with pytest.raises(BackendUnavailable):
        await ledger.put(VM, "vm1", to(a=1))
    await ledger.close()


async def test_a_directory_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "state").write_text("in the way")
    ledger = Ledger(tmp_path / "state", "a test")

    with pytest.raises(BackendUnavailable, match="state"):
        await ledger.open()
    await ledger.close()


# Who holds it.


async def test_the_second_is_told_who_is_first(ledger, tmp_path):
    second = Ledger(tmp_path / "state", "another test")

    with pytest.raises(BackendUnavailable, match=rf"process {os.getpid()} on .* \(a test\)") as refusal:
        await second.open()

    assert refusal.value.code == IN_USE
    await ledger.close()
    await second.open()
    await second.put(VM, "vm1", to(a=1))
    await second.close()


async def test_a_holder_that_was_killed_holds_nothing(tmp_path):
    hold = (
        "import sys, time; from pathlib import Path; from vmpool_ext.backends.qemu.holder import Holder\n"
        "Holder(Path(sys.argv[1]), 'a short life').take(); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(  # noqa: ASYNC220, S603  # our own words
        [sys.executable, "-c", hold, str(tmp_path / "store.lock")], stdout=subprocess.PIPE
    ) as holder:
        await asyncio.to_thread(holder.stdout.readline)
        ledger = Ledger(tmp_path, "a test")
        with pytest.raises(BackendUnavailable, match=f"process {holder.pid} .*a short life"):
            await ledger.open()

        holder.kill()
        await asyncio.to_thread(holder.wait)

        await ledger.open()
        await ledger.close()


async def test_an_older_change_never_takes_the_place_of_a_newer_one():
    watcher = Watcher()
    newer, older = (Stored(VM, "vm1", version, {}) for version in (2, 1))

    watcher.tell(newer)
    watcher.tell(older)

    assert await watcher.next() == newer
