"""Resources as an administrator writes them."""

from vmpool_ext.backends.qemu.command_line import GUEST_ANNOTATION

GROUP = "vmoperator.jdrupes.org/v1"


def a_pool_resource(name="demo", **spec):
    everything = [{"user": "ann", "may": ["*"]}]
    return {
        "apiVersion": GROUP,
        "kind": "VmPool",
        "metadata": {"name": name},
        "spec": {"permissions": everything, **spec},
    }


def a_vm_resource(name="demo-1", *, guest="demo", pools=("demo",), **vm):
    """The demo guest; or, with none, a machine that has nothing to boot and waits."""
    annotations = {GUEST_ANNOTATION: guest} if guest else {}
    hardware = {"maximumCpus": 1, "maximumRam": "128Mi", "powerdownTimeout": 60}
    return {
        "apiVersion": GROUP,
        "kind": "VirtualMachine",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"pools": list(pools), "vm": {**hardware, **vm}},
    }
