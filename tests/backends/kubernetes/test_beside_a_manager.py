"""Beside VM-Operator's manager, which writes whole statuses from what it read before, without a condition."""

import asyncio

from tests.backends.kubernetes.test_brokers import brokers, define, pressed, students


async def seen(broker, user, holds):
    """Wait for a picture in which it is so."""
    async with asyncio.timeout(20):
        async for picture in broker.watch(user):
            if holds(picture):
                return picture
    raise AssertionError


async def test_an_assignment_that_a_whole_status_of_before_overwrites_is_told_to_its_user(control_plane, namespace):
    await define(namespace, 1)
    [ann] = students(1)
    async with brokers(control_plane, namespace, 1) as [broker]:
        before = (await namespace.get("vms", "vm00"))["status"]
        assert await pressed(broker, ann) == "vm00"

        await namespace.replace_status("vm00", before)

        picture = await seen(broker, ann, lambda picture: picture.notices)
        assert picture.pools[0].vm is None
        assert '"vm00"' in picture.notices[0].message
        assert await pressed(broker, ann) == "vm00"


async def test_a_vm_that_the_manager_gives_to_another_meanwhile_is_not_given_to_ours(control_plane, namespace):
    await define(namespace, 1)
    [ann] = students(1)
    async with brokers(control_plane, namespace, 1) as [broker]:
        status = (await namespace.get("vms", "vm00"))["status"]
        theirs = {**status, "assignment": {"pool": "demo", "user": "bob", "lastUsed": "2099-01-15T12:30:00Z"}}
        await namespace.replace_status("vm00", theirs)
        await seen(broker, ann, lambda picture: picture.pools[0].free == 0)

        await pressed(broker, ann)

        assert (await namespace.get("vms", "vm00"))["status"]["assignment"]["user"] == "bob"
