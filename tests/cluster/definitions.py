"""Pools and VMs as VM-Operator's users write them."""

from tests.cluster.requests import GROUP


def a_pool(name="demo", *, annotations=None, **spec):
    everything = [{"user": "ann", "may": ["*"]}]
    return {
        "apiVersion": GROUP,
        "kind": "VmPool",
        "metadata": {"name": name, "annotations": annotations or {}},
        "spec": {"permissions": everything, **spec},
    }


def a_vm(name="demo-1", *, pools=("demo",), port=5900, spice=None, permissions=(), **vm):
    display = {"spice": {"port": port, **(spice or {})}}
    hardware = {"maximumCpus": 2, "maximumRam": "2G", "networks": [], "disks": [], "display": display}
    return {
        "apiVersion": GROUP,
        "kind": "VirtualMachine",
        "metadata": {"name": name},
        "spec": {"pools": list(pools), "permissions": list(permissions), "vm": {**hardware, **vm}},
    }
