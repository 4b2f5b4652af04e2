"""Which accelerator is chosen."""

import pytest

from vmpool_ext.backends.qemu.accelerator import KVM, TCG, accelerator_options


@pytest.fixture
def machine(tmp_path):
    """Make a machine of these kernel modules, with a device that opens or not."""

    def make(*modules, opens=True):
        for module in modules:
            (tmp_path / "module" / module).mkdir(parents=True)
        device = tmp_path / "kvm"
        if opens:
            device.touch()
        return {"device": device, "modules": tmp_path / "module"}

    return make


@pytest.mark.parametrize("module", ["kvm_intel", "kvm_amd"])
def test_auto_is_kvm_where_a_processor_stands_behind_the_device(machine, module):
    assert accelerator_options("auto", **machine("kvm", module)) == KVM


def test_auto_is_translation_where_kvm_opens_but_is_none_of_a_processor(machine):
    """Such a device accepts guests that then never come up."""
    assert accelerator_options("auto", **machine("kvm", "kvm_pvm")) == TCG


def test_auto_is_translation_where_the_device_may_not_be_opened(machine):
    assert accelerator_options("auto", **machine("kvm_intel", opens=False)) == TCG


def test_who_names_one_gets_it(machine):
    nothing, everything = machine(opens=False), machine("kvm_amd")

    assert accelerator_options("kvm", **nothing) == KVM
    assert accelerator_options("tcg", **everything) == TCG
