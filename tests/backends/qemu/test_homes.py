"""Shared homes: which one a VM has, and what its folder must be able to keep."""

import errno
import os
import stat

import pytest

from tests.backends.contract import watching
from tests.backends.qemu.definitions import a_pool_resource, a_vm_resource
from tests.backends.qemu.machines import VM, an_empty_vm, failed, process_of, start, started, words_of
from vmpool_ext.backends.qemu.homes import HOME_ANNOTATION, home_of, prepare_home
from vmpool_ext.domain.errors import BackendUnavailable, InvalidDefinition


def at_home(resource, name):
    resource["metadata"].setdefault("annotations", {})[HOME_ANNOTATION] = name
    return resource


def test_a_vm_has_its_own_home_before_that_of_its_pools():
    pools = [at_home(a_pool_resource("a"), "one"), at_home(a_pool_resource("b"), "one"), a_pool_resource("c")]

    assert home_of(a_vm_resource(), pools) == "one"
    assert home_of(at_home(a_vm_resource(), "two"), pools) == "two"
    assert home_of(a_vm_resource(), [a_pool_resource("c")]) is None


def test_pools_with_different_homes_leave_it_to_the_vm():
    pools = [at_home(a_pool_resource("a"), "one"), at_home(a_pool_resource("b"), "two")]

    with pytest.raises(
        InvalidDefinition, match=f"different homes: name one in the VM's own annotation {HOME_ANNOTATION}"
    ):
        home_of(a_vm_resource(), pools)


@pytest.mark.parametrize("name", ["/etc", "..", "a/b", "a,readonly=off", "", "-x", 7, ["a"]])
def test_a_home_is_a_name_and_no_path(name):
    with pytest.raises(InvalidDefinition, match="not a path"):
        home_of(at_home(a_vm_resource(), name), [])


def test_a_home_is_made_for_its_owner_only(tmp_path):
    folder = prepare_home(tmp_path / "homes", "demo")

    assert prepare_home(tmp_path / "homes", "demo") == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [name for name in os.listxattr(folder) if name.startswith("user.")] == []


def test_where_owners_cannot_be_kept_it_says_what_to_set(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "setxattr", refuse)

    with pytest.raises(BackendUnavailable, match=r"Set QemuBackend.homes_dir to a folder .* extended attributes"):
        prepare_home(tmp_path, "demo")


async def test_vms_of_a_pool_with_a_home_are_given_its_folder(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(at_home(a_pool_resource(), "lab"))
        await backend.apply(an_empty_vm())
        await started(backend, seen)

        assert f"path={home}/state/homes/lab," in words_of(process_of(home))
        assert (home / "state" / "homes" / "lab").is_dir()


async def test_a_home_that_cannot_be_had_fails_the_start_with_the_reason(serving, home):
    (home / "file").touch()
    async with serving(homes_dir=str(home / "file")) as backend, watching(backend) as seen:
        await backend.apply(at_home(a_pool_resource(), "lab"))
        await backend.apply(an_empty_vm())
        await start(backend, seen, VM)

        vm = await failed(seen)
        assert "The shared home" in vm.running.message
