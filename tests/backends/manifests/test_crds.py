"""The two CustomResourceDefinitions: what an API server is told, and what files are judged by."""

import json

import pytest

from vmpool_ext.backends.manifests import crds, schema
from vmpool_ext.backends.resources import with_status_defaults

POOL, VM = crds.definitions()


def a_pool(**spec):
    return {
        "apiVersion": crds.GROUP_VERSION,
        "kind": "VmPool",
        "metadata": {"name": "a"},
        "spec": {"permissions": [], **spec},
    }


def a_vm(vm=None, **spec):
    vm = {"maximumCpus": 1} if vm is None else vm
    return {
        "apiVersion": crds.GROUP_VERSION, "kind": "VirtualMachine", "metadata": {"name": "a"}, "spec": {"vm": vm, **spec},
    }  # fmt: skip


def wrong(resource):
    return dict(schema.wrong_fields(resource))


def walk(part, path=()):
    yield path, part
    for key, inner in part.get("properties", {}).items():
        yield from walk(inner, (*path, key))
    if "items" in part:
        yield from walk(part["items"], (*path, "[]"))


@pytest.mark.parametrize("definition", [POOL, VM], ids=["pool", "vm"])
def test_the_definitions_are_structural_as_an_api_server_wants_it(definition):
    names = definition["spec"]["names"]

    assert definition["metadata"]["name"] == f"{names['plural']}.{definition['spec']['group']}"
    for path, part in walk(crds.schema_of(definition)):
        assert part.get("type"), path
        for branch in part.get("oneOf", ()):
            assert set(branch["required"]) <= set(part["properties"]), path
    json.dumps(definition)


def test_only_vms_have_a_status_of_their_own():
    assert VM["spec"]["versions"][0]["subresources"] == {"status": {}}
    assert "subresources" not in POOL["spec"]["versions"][0]


def test_a_new_vms_status_is_what_the_definition_says():
    """The two are written apart: one for API servers, one for this machine."""
    status = crds.schema_of(VM)["properties"]["status"]
    defaults = {name: part["default"] for name, part in status["properties"].items() if "default" in part}

    assert with_status_defaults({}) == defaults


@pytest.mark.parametrize(
    "text",
    ["PT1h", "PT0.5s", "PT1H30m", "P1D", "P1Y2M3W4DT5h", "P1M", "P", "PT", "P1DT", "2024-02-30T00:00:00Z",
     "2024-02-28T00:00:00.123456789+19:00", "2024-02-28T00:00:00-0130", "2024-02-28T00:00:00+01"],
)  # fmt: skip
def test_a_retention_that_vm_operator_takes_is_taken(text):
    assert wrong(a_pool(retention=text)) == {}


@pytest.mark.parametrize(
    "text",
    [
        "p1d",
        "P1d",
        "PT1,5S",
        "-PT1h",
        "2024-02-28T00:00Z",
        "2024-02-28T00:00:00",
        "2024-02-28t00:00:00Z",
        "1h",
        "",
        "P1H",
    ],
)
def test_a_retention_that_vm_operator_refuses_is_refused(text):
    assert list(wrong(a_pool(retention=text))) == [("spec", "retention")]


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        (a_pool(retention=4), ("spec", "retention")),
        (a_pool(loginOnAssignment="yes"), ("spec", "loginOnAssignment")),
        (a_pool(permissions={}), ("spec", "permissions")),
        (a_pool(permissions=None), ("spec",)),
        (a_pool(permissions=["ann"]), ("spec", "permissions", 0)),
        (a_pool(permissions=[{}]), ("spec", "permissions", 0)),
        (a_pool(permissions=[{"user": "a", "role": "b"}]), ("spec", "permissions", 0)),
        (a_pool(permissions=[{"user": "a", "may": ["takeConsole"]}]), ("spec", "permissions", 0, "may", 0)),
        (a_pool(permissions=[{"user": "a", "might": []}]), ("spec", "permissions", 0, "might")),
        (a_pool(status={}) | {"status": {}}, ("spec", "status")),
        (a_vm({}), ("spec", "vm")),
        (a_vm({"maximumCpus": 1, "cpuTopology": {}}), ("spec", "vm")),
        (a_vm({"maximumCpus": True}), ("spec", "vm", "maximumCpus")),
        (a_vm({"maximumCpus": 1, "state": "On"}), ("spec", "vm", "state")),
        (a_vm({"maximumCpus": 1, "maximumRam": 8}), ("spec", "vm", "maximumRam")),
        (a_vm({"maximumCpus": 1, "display": {"spice": {"prot": 1}}}), ("spec", "vm", "display", "spice", "prot")),
        (a_vm(pools="a"), ("spec", "pools")),
        (a_vm() | {"spec": {}}, ("spec",)),
        (a_vm() | {"apiVersion": "v1"}, ("apiVersion",)),
        (a_vm() | {"metadata": {}}, ("metadata",)),
        (a_vm() | {"metadata": {"name": "a", "annotations": {"b": 1}}}, ("metadata", "annotations", "b")),
        (a_vm() | {"data": {}}, ("data",)),
    ],
)
def test_what_does_not_fit_is_told_by_its_field(resource, path):
    assert list(wrong(resource)) == [path]


def test_a_slip_of_the_pen_is_met_with_the_right_word():
    assert "did you mean retention?" in wrong(a_pool(retenton="PT1h"))["spec", "retenton"]


def test_what_only_vm_operator_reads_is_left_to_it():
    more = {"image": {"source": "x"}, "cloudInit": {"metaData": {}}, "resources": {"requests": {"cpu": 1}}}
    hardware = {"maximumCpus": 1, "networks": [{"user": {}}], "disks": [{"cdrom": {"image": ""}, "bootindex": 0}]}

    assert wrong(a_vm(hardware, **more, loadBalancerService={}, nodeName="n", nodeSelector={"a": "b"})) == {}


def test_what_an_api_server_gave_can_be_given_back():
    metadata = {"name": "a", "uid": "u", "resourceVersion": "5", "generation": 2, "managedFields": [{}],
                "creationTimestamp": "2026-01-15T12:00:00Z", "finalizers": ["x"], "namespace": "vmop"}  # fmt: skip

    assert wrong(a_vm() | {"metadata": metadata, "status": {"anything": 1}}) == {}


def test_defaults_are_filled_in_wherever_their_parent_is():
    pool = schema.with_defaults(a_pool(permissions=[{"user": "a"}, {"role": "b", "may": None}], retention=None))
    vm = schema.with_defaults(a_vm({"cpuTopology": {"sockets": 2}, "display": {"spice": {}}}))

    assert pool["spec"] == {
        "retention": "PT1h",
        "loginOnAssignment": False,
        "permissions": [{"user": "a", "may": ["accessConsole"]}, {"role": "b", "may": ["accessConsole"]}],
    }
    assert vm["spec"]["vm"]["cpuTopology"] == {"sockets": 2, "diesPerSocket": 0, "coresPerDie": 0, "threadsPerCore": 0}
    assert vm["spec"]["vm"]["display"] == {
        "outputs": 1,
        "spice": {"port": 5900, "generateSecret": True, "usbRedirects": 2},
    }
    assert vm["spec"]["vm"]["maximumRam"] == "1G"


def test_filling_in_twice_is_as_once():
    once = schema.with_defaults(a_vm())

    assert schema.with_defaults(once) == once
