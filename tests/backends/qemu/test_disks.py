"""Real machines boot from disks of their own."""

import asyncio
import hashlib
import os
import shutil

import pytest

from tests.backends.contract import watching
from tests.backends.qemu.definitions import a_pool_resource, a_vm_resource
from tests.backends.qemu.machines import VM, an_empty_vm, failed, says, start, started, stopped
from tests.backends.qemu.tiny_guests import a_counting_image, a_pool_with, a_vm_with
from vmpool_ext.backends.qemu.images import IMAGE_ANNOTATION
from vmpool_ext.backends.resources import VM_KIND
from vmpool_ext.domain.errors import BackendUnavailable
from vmpool_ext.domain.machine import START_FAILED, MachineState


def files(home):
    return sorted(path.suffix for path in (home / "state" / "disks").iterdir())


def launcher(backend):
    return backend._fleet._launcher


async def booted(backend, seen, home, name=VM):
    """Tell how often the guest was booted on its disk, by its own count."""
    await started(backend, seen, name)
    said = await says(home, "\n", name)
    await stopped(backend, seen, name)
    return said


@pytest.mark.parametrize("kind", ["raw", "qcow2"])
async def test_what_a_guest_writes_stays_on_its_own_disk(serving, home, kind):
    image = a_counting_image(home, kind)
    image.chmod(0o400)
    before = hashlib.sha256(image.read_bytes()).digest()
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(a_vm_with(image))

        assert await booted(backend, seen, home) == "boot 1\n"
        assert await booted(backend, seen, home) == "boot 2\n"

    assert hashlib.sha256(image.read_bytes()).digest() == before


async def test_a_disk_outlives_its_server(serving, home):
    async with serving(vms_live_on=True) as backend, watching(backend) as seen:
        await backend.apply(a_vm_with(a_counting_image(home)))
        await started(backend, seen)
        assert await says(home, "\n") == "boot 1\n"

    async with serving() as backend, watching(backend) as seen:
        await stopped(backend, seen)
        assert await booted(backend, seen, home) == "boot 2\n"


async def test_vms_of_one_pool_do_not_see_what_the_others_write(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(a_pool_with(a_counting_image(home)))
        await backend.apply(a_vm_resource("one", guest=None, powerdownTimeout=0))
        await backend.apply(a_vm_resource("two", guest=None, powerdownTimeout=0))

        said = [await booted(backend, seen, home, name) for name in ("one", "two", "one", "one", "two")]

        assert said == ["boot 1\n", "boot 1\n", "boot 2\n", "boot 3\n", "boot 2\n"]


async def test_a_vms_own_image_goes_before_that_of_its_pool(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(a_pool_with(home / "gone.raw"))
        await backend.apply(a_vm_with(a_counting_image(home)))

        assert await booted(backend, seen, home) == "boot 1\n"


async def test_a_reset_does_not_touch_the_disk(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(a_vm_with(a_counting_image(home)))
        await started(backend, seen)
        await says(home, "boot 1\n")

        await backend.reset(await seen.vm(VM))

        assert await says(home, "boot 2\n") == "boot 1\nboot 2\n"


async def test_a_discarded_disk_is_made_anew_by_the_next_start(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(a_vm_with(a_counting_image(home)))
        await booted(backend, seen, home)
        assert await launcher(backend).has_overlay(VM)

        await launcher(backend).discard(VM)

        assert not await launcher(backend).has_overlay(VM)
        assert await booted(backend, seen, home) == "boot 1\n"


async def test_a_disk_in_use_is_not_discarded(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(a_vm_with(a_counting_image(home)))
        await started(backend, seen)
        await says(home, "boot 1\n")

        with pytest.raises(BackendUnavailable, match="stop the VM first"):
            await launcher(backend).discard(VM)

        await stopped(backend, seen)
        assert await booted(backend, seen, home) == "boot 2\n"


async def test_there_is_nothing_to_discard_of_a_vm_that_was_never_started(serving, home):
    async with serving() as backend:
        await backend.apply(an_empty_vm())

        await launcher(backend).discard(VM)

        assert not await launcher(backend).has_overlay(VM)


async def test_an_image_that_was_changed_is_told_before_it_spoils_the_disk(serving, home):
    image = a_counting_image(home)
    shutil.copy2(image, home / "kept.raw")
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(a_vm_with(image))
        await booted(backend, seen, home)
        os.utime(image, ns=(0, 0))

        await start(backend, seen)

        vm = await failed(seen)
        assert vm.running.reason == START_FAILED
        assert f"The image {image} was changed" in vm.running.message
        assert "put it back as it was" in vm.running.message
        shutil.copy2(home / "kept.raw", image)
        assert await booted(backend, seen, home) == "boot 2\n"


async def test_a_new_image_is_for_the_next_disk(serving, home):
    """Whoever has a VM of the pool does not lose it because the pool has got a new image."""
    old, new = a_counting_image(home), a_counting_image(home, name="new", booted=5)
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(a_vm_with(old))
        await booted(backend, seen, home)
        await backend.apply(a_vm_with(new))

        assert await booted(backend, seen, home) == "boot 2\n"
        await launcher(backend).discard(VM)
        assert await booted(backend, seen, home) == "boot 6\n"


async def test_an_image_that_is_gone_is_told(serving, home):
    old, new = a_counting_image(home), a_counting_image(home, name="new")
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(a_vm_with(old))
        await booted(backend, seen, home)
        await backend.apply(a_vm_with(new))
        old.unlink()

        await start(backend, seen)

        assert f"The image {old} cannot be read: No such file" in (await failed(seen)).running.message


async def test_pools_that_do_not_agree_on_an_image_are_told(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(a_pool_with("/images/one.qcow2", "one"))
        await backend.apply(a_pool_with("/images/two.qcow2", "two"))
        await backend.apply(a_pool_resource("three"))
        await backend.apply(a_vm_resource(VM, guest=None, pools=("one", "two", "three", "four")))

        await start(backend, seen)

        vm = await failed(seen)
        assert vm.running.reason == START_FAILED
        assert f"different images: name one in the VM's own annotation {IMAGE_ANNOTATION}" in vm.running.message


async def test_without_qemus_tools_it_is_said_how_to_get_them(serving, home, monkeypatch):
    qemu = shutil.which("qemu-system-x86_64")
    monkeypatch.setenv("PATH", "/nowhere")
    async with serving(qemu=qemu) as backend, watching(backend) as seen:
        await backend.apply(a_vm_with(a_counting_image(home)))

        await start(backend, seen)

        assert "apt install qemu-utils" in (await failed(seen)).running.message


async def test_a_disk_that_nobody_knows_the_image_of_is_kept(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(a_vm_with(a_counting_image(home)))
        await booted(backend, seen, home)
        [record] = (home / "state" / "disks").glob("*.json")
        kept = record.read_bytes()
        record.write_bytes(b"{}")

        await start(backend, seen)

        assert f"{record} cannot be read" in (await failed(seen)).running.message
        record.write_bytes(kept)
        assert await booted(backend, seen, home) == "boot 2\n"


async def test_a_disk_is_for_its_owner_only(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(a_vm_with(a_counting_image(home)))
        await booted(backend, seen, home)

        folder = home / "state" / "disks"
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {file.suffix: file.stat().st_mode & 0o777 for file in folder.iterdir()} == {
            ".qcow2": 0o600,
            ".json": 0o600,
        }


async def test_a_vm_takes_its_disk_with_it_when_it_goes(serving, home):
    async with serving() as backend, watching(backend) as seen:
        definition = a_vm_with(a_counting_image(home))
        definition["spec"]["cloudInit"] = {}
        await backend.apply(definition)
        await started(backend, seen)
        assert files(home) == [".iso", ".json", ".qcow2"]

        await backend.delete(VM_KIND, VM)

        await seen.until(lambda seen: VM not in seen.vms)
        assert files(home) == []
        await backend.apply(a_vm_with(home / "base.raw"))
        assert await booted(backend, seen, home) == "boot 1\n"


async def test_a_path_with_signs_that_mean_something_to_qemu_is_a_path(serving, home):
    folder = home / 'a,b=c "d" {} ü %s;'
    await asyncio.to_thread(folder.mkdir)
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(a_vm_with(a_counting_image(folder)))

        assert await booted(backend, seen, home) == "boot 1\n"


async def test_a_demo_guest_may_have_a_disk_too(serving, home):
    async with serving() as backend, watching(backend) as seen:
        definition = a_vm_resource(VM)
        definition["metadata"]["annotations"][IMAGE_ANNOTATION] = str(a_counting_image(home))
        await backend.apply(definition)
        await start(backend, seen)

        vm = await seen.vm(VM, lambda vm: vm.booted)

        assert vm.state is MachineState.RUNNING
        assert await launcher(backend).has_overlay(VM)
