"""The socket of the server that holds a store: who gets in, and what no command can do to the server."""

import asyncio
import os
import socket
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.backends.contract import PATIENCE, watching
from tests.backends.qemu.definitions import a_pool_resource
from vmpool_ext.backends.qemu import control
from vmpool_ext.backends.qemu.administration import to_apply, to_get
from vmpool_ext.backends.qemu.control import LONGEST_LINE, Control
from vmpool_ext.domain.errors import BackendUnavailable, InvalidDefinition, VmPoolError


@asynccontextmanager
async def listening(folder, answer, **more):
    served = Control(answer, **more)
    await served.open(folder)
    try:
        yield served
    finally:
        await served.close()


async def echo(request):
    yield request
    yield request


def refusing(error):
    async def refuse(_):
        yield 1
        raise error

    return refuse


async def ask(folder, request):
    return [item async for item in control.ask(await control.connect(folder), request)]


@asynccontextmanager
async def connected(folder):
    reader, writer = await control.connect(folder)
    try:
        async with asyncio.timeout(PATIENCE):
            yield reader, writer
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def say(folder, data):
    """Send it as it is; give the first line that comes back, if any."""
    async with connected(folder) as (reader, writer):
        writer.write(data)
        try:
            return await reader.readline()
        except ConnectionResetError:
            return b""


async def test_a_request_is_answered_item_by_item(tmp_path):
    async with listening(tmp_path, echo):
        assert await ask(tmp_path, {"a": "é"}) == [{"a": "é"}, {"a": "é"}]


async def test_a_refusal_comes_with_its_code_and_its_words(tmp_path):
    async with listening(tmp_path, refusing(InvalidDefinition("No."))):
        with pytest.raises(VmPoolError, match=r"^No\.$") as refusal:
            await ask(tmp_path, {})
        assert refusal.value.code == "invalid-definition"


async def test_a_path_of_any_length_will_do(tmp_path):
    deep = tmp_path.joinpath(*["x" * 60] * 4)
    deep.mkdir(parents=True)

    async with listening(deep, echo):
        assert await ask(deep, 1) == [1, 1]


async def test_only_its_owner_can_open_it_and_it_goes_with_the_server(tmp_path):
    async with listening(tmp_path, echo):
        [file] = tmp_path.iterdir()
        assert file.is_socket()
        assert file.stat().st_mode & 0o777 == 0o600

    assert not list(tmp_path.iterdir())
    with pytest.raises(OSError, match="No such file"):
        await ask(tmp_path, 1)


async def test_what_a_killed_server_left_is_replaced(tmp_path):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "control.sock"))

    async with listening(tmp_path, echo):
        assert await ask(tmp_path, 1) == [1, 1]


async def test_another_accounts_processes_are_not_heard(tmp_path):
    """As the kernel names them: here it is the server that waits for another account's."""
    async with listening(tmp_path, echo, account=os.geteuid() + 1):
        assert await say(tmp_path, b"1\n") == b""


async def test_where_no_socket_can_be_the_server_serves_all_the_same(tmp_path, logged):
    (tmp_path / "control.sock").mkdir()
    (tmp_path / "control.sock" / "file").touch()

    async with listening(tmp_path, echo):
        await logged("cannot reach this server")


@pytest.mark.parametrize("line", [b"\xff\n", b"{\n", b"\n", b"[" * 100_000 + b"\n"])
async def test_what_is_not_json_is_told_so(tmp_path, line):
    async with listening(tmp_path, echo):
        assert b"not JSON" in await say(tmp_path, line)


async def test_too_much_at_once_is_refused_on_both_sides(tmp_path):
    async with listening(tmp_path, echo):
        assert b"more than 16 MiB" in await say(tmp_path, b"1" * (LONGEST_LINE + 2))
        with pytest.raises(InvalidDefinition, match="more than 16 MiB"):
            await ask(tmp_path, "x" * LONGEST_LINE)


async def test_whoever_says_nothing_is_not_waited_for(tmp_path):
    async with listening(tmp_path, echo, patience=0.05):
        assert await say(tmp_path, b"{") == b""


async def test_whoever_does_not_listen_is_not_waited_for(tmp_path):
    ended = asyncio.Event()

    async def much(_):
        try:
            while True:
                yield "x" * 100_000
        finally:
            ended.set()

    async with listening(tmp_path, much, patience=0.05), connected(tmp_path) as (_, writer):
        writer.write(b"1\n")
        writer.transport.pause_reading()
        await ended.wait()


async def test_what_nobody_waits_for_any_more_is_given_up(tmp_path):
    begun, ended = asyncio.Event(), asyncio.Event()

    async def wait(_):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        yield

    async with listening(tmp_path, wait):
        async with connected(tmp_path) as (_, writer):
            writer.write(b"1\n")
            await begun.wait()
        await asyncio.wait_for(ended.wait(), PATIENCE)


async def test_there_is_a_limit_to_how_many_are_served_at_once(tmp_path):
    async with listening(tmp_path, echo), AsyncExitStack() as others:
        for _ in range(32):
            await others.enter_async_context(connected(tmp_path))

        assert await say(tmp_path, b"1\n") == b""


async def test_an_error_of_ours_ends_one_command_and_nothing_else(tmp_path, logged):
    async with listening(tmp_path, refusing(ZeroDivisionError("secret"))):
        for _ in range(2):
            with pytest.raises(VmPoolError, match="its log has more") as refusal:
                await ask(tmp_path, 1)
            assert "secret" not in str(refusal.value)
            await logged("a command failed")


async def test_a_server_that_ends_ends_what_is_waited_for(tmp_path):
    before = asyncio.all_tasks()
    begun = asyncio.Event()

    async def wait(_):
        begun.set()
        await asyncio.Event().wait()
        yield

    async with listening(tmp_path, wait):
        waiting = asyncio.create_task(ask(tmp_path, 1))
        await begun.wait()

    with pytest.raises(BackendUnavailable, match="ended before it had answered"):
        await asyncio.wait_for(waiting, PATIENCE)
    assert asyncio.all_tasks() == before


async def test_a_server_that_is_only_just_beginning_is_waited_for(make_backend, home):
    """It holds the store before it listens."""
    server, command = make_backend(), make_backend()
    await server.start()
    await server._control.close()
    await_listening = partial(server._control.open, Path(server.state_dir))
    asking, _ = await asyncio.gather(_all(command.administer(to_apply([a_pool_resource()]))), await_listening())

    assert len(asking) == 1
    await server.stop()


async def test_a_holder_that_cannot_be_reached_is_named(make_backend, monkeypatch):
    monkeypatch.setattr("vmpool_ext.backends.qemu.reaching._PATIENCE", 0.2)
    server = make_backend()
    await server.start()
    await server._control.close()

    with pytest.raises(BackendUnavailable, match=f"process {os.getpid()}"):
        await _all(make_backend().administer(to_get()))
    await server.stop()


async def test_many_commands_at_once_are_all_done(serving, make_backend):
    async with serving() as server, watching(server) as seen:
        pools = [a_pool_resource(f"pool-{number}") for number in range(20)]

        await asyncio.gather(*(_all(make_backend().administer(to_apply([pool]))) for pool in pools))

        told = {(await seen.next()).pool.name for _ in pools}
        assert told == {pool["metadata"]["name"] for pool in pools}


async def test_commands_without_a_server_wait_for_one_another(make_backend):
    pools = [a_pool_resource(f"pool-{number}") for number in range(5)]

    await asyncio.gather(*(_all(make_backend().administer(to_apply([pool]))) for pool in pools))

    assert len(await _all(make_backend().administer(to_get()))) == 5


async def _all(answers):
    return [answer async for answer in answers]
