"""What a schema lets pass and no VM could be made of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.backends.qemu.definitions import a_pool_resource, a_vm_resource
from tests.backends.test_resources import json as jsons
from tests.strategies import retention_texts
from vmpool_ext.app.demo import demo_definitions
from vmpool_ext.backends.manifests.reading import Manifest
from vmpool_ext.backends.manifests.violations import InvalidManifests
from vmpool_ext.backends.qemu.checks import require_valid
from vmpool_ext.backends.resources import pool_from_resource


def wrong(*resources):
    """Tell field and words of all that is wrong."""
    try:
        require_valid([Manifest(f"file{number}", each) for number, each in enumerate(resources)])
    except InvalidManifests as error:
        return [(violation.field, violation.message) for violation in error.violations]
    return []


def annotated(resource, **annotations):
    metadata = {
        **resource["metadata"],
        "annotations": {f"vmpool-ext.jupyter.org/{key}": value for key, value in annotations.items()},
    }
    return {**resource, "metadata": metadata}


def test_what_is_right_is_not_complained_of():
    assert wrong(a_pool_resource("other"), a_vm_resource("other"), *demo_definitions()) == []


@pytest.mark.parametrize(
    ("resource", "field", "words"),
    [
        (a_pool_resource("Win 11"), "metadata.name", "cannot be a name"),
        (a_pool_resource(retention="P"), "spec.retention", 'The retention "P"'),
        (a_pool_resource(retention="2026-02-30T00:00:00Z"), "spec.retention", "2026-02-30"),
        (a_pool_resource(permissions=[{"user": "ann lee"}]), "spec.permissions[0].user", "cannot be used"),
        (a_pool_resource(permissions=[{"user": ""}]), "spec.permissions[0]", "exactly one of user and role"),
        (a_vm_resource(pools=("a b",)), "spec.pools[0]", "cannot be a name"),
        (a_vm_resource(maximumRam="much"), "spec.vm.maximumRam", "not an amount"),
        (a_vm_resource(currentRam="-1G"), "spec.vm.currentRam", "not an amount"),
        (a_vm_resource(maximumCpus=900), "spec.vm", "from 0 to 255"),
        (a_vm_resource(guest="windows"), "metadata.annotations['vmpool-ext.jupyter.org/guest']", "no guest"),
        (annotated(a_pool_resource(), home="../x"), "metadata.annotations['vmpool-ext.jupyter.org/home']", "not a path"),
        (annotated(a_vm_resource(), home="/a"), "metadata.annotations['vmpool-ext.jupyter.org/home']", "not a path"),
        (annotated(a_vm_resource(), gest="demo"), "metadata.annotations['vmpool-ext.jupyter.org/gest']", "no annotation"),
        (annotated(a_pool_resource(), guest="demo"), "metadata.annotations['vmpool-ext.jupyter.org/guest']", "no annotation"),
        ({"kind": "Pod"}, "kind", "only VmPool and VirtualMachine"),
        ({"kind": []}, "kind", "only VmPool and VirtualMachine"),
        ("text", "kind", "only VmPool and VirtualMachine"),
    ],
)  # fmt: skip
def test_what_could_not_be_used_is_told_by_its_field(resource, field, words):
    [(told, message)] = wrong(resource)

    assert told == field
    assert words in message


def test_other_peoples_annotations_are_theirs():
    vm = a_vm_resource()
    vm["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] = "20"

    assert wrong(vm) == []


def test_what_is_defined_twice_is_refused_and_the_first_one_named():
    [(field, message)] = wrong(a_vm_resource("a"), a_vm_resource("b"), a_vm_resource("a"))

    assert field == "metadata.name"
    assert "file0:1" in message


def test_all_is_told_of_all_resources():
    assert len(wrong(a_pool_resource(retention="P", permissions=[{"user": "a b"}]), {"kind": "Pod"})) == 3


@given(retention_texts)
def test_a_retention_that_is_not_refused_makes_a_pool_that_can_be_served(text):
    pool = a_pool_resource(retention=text)

    assert wrong(pool) or not pool_from_resource(pool, 1).misconfigured


@given(st.sampled_from([a_pool_resource(), a_vm_resource()]), jsons, jsons)
def test_whatever_it_says_it_is_valid_or_refused(resource, spec, metadata):
    wrong({**resource, "spec": spec})
    wrong({**resource, "metadata": metadata})
    wrong(metadata)
