"""``jupyter vmpool``."""

import subprocess
import sys

import pytest

from vmpool_ext.app.demo import USER, DemoApp, demo_definitions
from vmpool_ext.backends.resources import pool_from_resource, vm_from_resource
from vmpool_ext.domain.permission import EVERY_PERMISSION, permissions_for
from vmpool_ext.domain.user import User


def vmpool(*arguments, **environment):
    return subprocess.run(  # noqa: S603  # our own command
        [sys.executable, "-m", "vmpool_ext.app", *arguments],
        capture_output=True, text=True, check=False, env=environment or None, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_it_says_what_it_can_do(arguments):
    shown = vmpool(*arguments)

    assert shown.returncode == 0
    assert "demo" in shown.stdout


def of_the_demo(kind, read):
    return [read(each, 1) for each in demo_definitions() if each["kind"] == kind]


def test_the_demo_pools_are_such_as_can_be_served():
    for pool in of_the_demo("VmPool", pool_from_resource):
        assert pool.misconfigured is None
        assert permissions_for(User(USER), pool.grants) == EVERY_PERMISSION
        assert permissions_for(User("somebody"), pool.grants) == frozenset()


def test_the_demo_shows_pools_that_log_in_and_pools_that_do_not():
    assert {pool.login_on_assignment for pool in of_the_demo("VmPool", pool_from_resource)} == {False, True}


def test_each_demo_pool_has_vms_that_stand_in_for_one_another():
    vms = of_the_demo("VirtualMachine", vm_from_resource)

    for pool in of_the_demo("VmPool", pool_from_resource):
        assert len([vm for vm in vms if vm.pools == {pool.name}]) >= 2
    assert not any(vm.grants for vm in vms)


def test_where_the_guest_cannot_be_built_it_says_why_and_ends(tmp_path):
    """No apt-get on the path."""
    ended = vmpool("demo", PATH=str(tmp_path), HOME=str(tmp_path))

    assert ended.returncode != 0
    assert "apt-get" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_what_follows_the_dashes_is_jupyterlabs():
    app = DemoApp()
    app.initialize(["--", "--no-browser", "--port=9999"])

    arguments = app._lab_arguments()

    assert {"--no-browser", "--port=9999", f"--VmPoolExtension.user={USER}"} <= set(arguments)
    assert "--QemuBackend.stop_vms_on_exit=True" in arguments
