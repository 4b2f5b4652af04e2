"""A definition in QEMU's words."""

import json
import string
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.backends.qemu.definitions import a_vm_resource
from vmpool_ext.backends.qemu.accelerator import TCG
from vmpool_ext.backends.qemu.command_line import (
    GUEST_ANNOTATION,
    Media,
    command_line,
    guest_of,
    parse_quantity,
    powerdown_timeout,
    size_of,
)
from vmpool_ext.backends.qemu.disks import Disk
from vmpool_ext.backends.qemu.guest_image import GuestImage
from vmpool_ext.backends.qemu.images import IMAGE_ANNOTATION, Base, image_of
from vmpool_ext.backends.qemu.places import Places
from vmpool_ext.domain.errors import InvalidDefinition

DEMO = Media(guest=GuestImage(Path("/cache/vmlinuz"), Path("/cache/initrd.img")))
PLACES = Places(Path("/run/vm"))
PLAIN = command_line(a_vm_resource(), PLACES, "qemu", TCG, DEMO)


def options(argv):
    """Give every option with its values, as QEMU's own parser finds them: a dash begins one, and each takes one word."""
    found, words = [], iter(argv[1:])
    for word in words:
        assert word.startswith("-")
        alone = word in ("-no-user-config", "-nodefaults")
        found.append((word, None if alone else next(words)))
    return found


def settings(value):
    """Split a value at its commas as QEMU does: two in a row are one that means itself."""
    parts = value.replace(",,", "\0").split(",")
    return [part.replace("\0", ",") for part in parts]


def value(argv, option):
    return next(value for name, value in options(argv) if name == option)


def test_the_machine_is_named_and_shut_in():
    assert settings(value(PLAIN, "-name"))[0] == "guest=demo-1"
    assert "spawn=deny" in settings(value(PLAIN, "-sandbox"))
    assert settings(value(PLAIN, "-netdev")) == ["user", "id=net0", "restrict=on"]
    assert settings(value(PLAIN, "-vnc")) == ["unix:/run/vm/vnc.sock", "password=on"]


def test_the_demo_guest_is_booted_from_its_image():
    assert value(PLAIN, "-kernel") == "/cache/vmlinuz"
    assert value(PLAIN, "-initrd") == "/cache/initrd.img"
    assert "vm.name=demo-1" in value(PLAIN, "-append").split()


def test_without_an_image_there_is_nothing_to_boot():
    argv = command_line(a_vm_resource(guest=None), PLACES, "qemu", TCG, Media())

    assert not {"-kernel", "-initrd", "-append"} & set(argv)


def test_disks_that_only_vm_operator_has_are_left_out():
    volume = {"volumeClaimTemplate": {"spec": {"resources": {"requests": {"storage": "40Gi"}}}}}
    definition = a_vm_resource(disks=[volume, {"cdrom": {"image": "/etc/shadow"}}])

    assert command_line(definition, PLACES, "qemu", TCG, DEMO) == PLAIN


def of_disk(overlay="/disks/vm.qcow2", base="/images/base", kind="qcow2"):
    return Media(disk=Disk(Path(overlay), Base(base, kind, 1, 1), "one"))


def test_the_format_of_a_disk_is_said_and_never_guessed():
    argv = command_line(a_vm_resource(guest=None), PLACES, "qemu", TCG, of_disk(kind="raw"))

    disk = json.loads(value(argv, "-blockdev"))
    assert (disk["driver"], disk["file"]["filename"]) == ("qcow2", "/disks/vm.qcow2")
    assert (disk["backing"]["driver"], disk["backing"]["file"]["filename"]) == ("raw", "/images/base")


@pytest.mark.parametrize("kind", ["raw", "qcow2"])
def test_a_base_is_only_read_and_what_it_says_of_others_is_not_followed(kind):
    argv = command_line(a_vm_resource(guest=None), PLACES, "qemu", TCG, of_disk(kind=kind))

    disk = json.loads(value(argv, "-blockdev"))
    base = disk["backing"]
    assert base["read-only"]
    assert base["file"]["read-only"]
    assert base.get("backing", "nothing to follow") == {"raw": "nothing to follow", "qcow2": None}[kind]
    assert {disk["file"]["locking"], base["file"]["locking"]} == {"on"}


def test_a_disk_gives_back_what_the_guest_does_not_need():
    argv = command_line(a_vm_resource(guest=None), PLACES, "qemu", TCG, of_disk())

    disk = json.loads(value(argv, "-blockdev"))
    assert (disk["discard"], disk["detect-zeroes"]) == ("unmap", "unmap")
    assert ("-device", "virtio-blk-pci,drive=disk0,bootindex=1") in options(argv)


def test_a_seed_is_a_disc_that_cannot_be_written():
    argv = command_line(a_vm_resource(guest=None), PLACES, "qemu", TCG, Media(seed=Path("/disks/vm.iso")))

    seed = json.loads(value(argv, "-blockdev"))
    assert (seed["driver"], seed["read-only"], seed["file"]["read-only"]) == ("raw", True, True)
    assert ("-device", "ide-cd,bus=ide.0,drive=seed0") in options(argv)


def test_a_shared_home_keeps_the_owners_that_guests_see_apart_from_those_of_the_host():
    argv = command_line(a_vm_resource(), PLACES, "qemu", TCG, replace(DEMO, home=Path("/homes/a,path=/etc")))

    assert settings(value(argv, "-fsdev"))[:4] == [
        "local",
        "id=home",
        "path=/homes/a,path=/etc",
        "security_model=mapped-xattr",
    ]
    assert ("-device", "virtio-9p-pci,fsdev=home,mount_tag=home") in options(argv)
    assert "-fsdev" not in dict(options(PLAIN))


@pytest.mark.parametrize(
    ("vm", "cpus", "mebibytes"),
    [
        ({}, "cpus=1,maxcpus=1", 954),
        ({"maximumCpus": 4, "maximumRam": "4Gi"}, "cpus=4,maxcpus=4", 4096),
        ({"maximumCpus": 4, "currentCpus": 2, "maximumRam": "4Gi", "currentRam": "1GiB"}, "cpus=2,maxcpus=4", 1024),
        ({"maximumCpus": 2, "currentCpus": 8}, "cpus=2,maxcpus=2", 954),
        (
            {"cpuTopology": {"sockets": 2, "diesPerSocket": 0, "coresPerDie": 2, "threadsPerCore": 0}},
            "cpus=4,maxcpus=4,sockets=2,dies=1,cores=2,threads=1",
            954,
        ),
    ],
)
def test_a_vm_gets_what_its_definition_says(vm, cpus, mebibytes):
    size = size_of({"spec": {"vm": vm}})

    assert (size.cpus, size.mebibytes) == (cpus, mebibytes)


@pytest.mark.parametrize(
    "vm",
    [
        {"maximumCpus": "2,maxcpus=300"},
        {"maximumCpus": -1},
        {"maximumCpus": True},
        {"maximumCpus": 256},
        {"cpuTopology": {"sockets": 100, "coresPerDie": 100}},
        {"maximumRam": "1G,prealloc=on"},
        {"maximumRam": "much"},
        {"maximumRam": "99999T"},
        {"currentRam": ["1G"]},
    ],
)
def test_what_is_no_amount_is_refused(vm):
    with pytest.raises(InvalidDefinition):
        size_of({"spec": {"vm": vm}})


@pytest.mark.parametrize("text", ["128Mi", "128MiB", " 134217728 ", "134217.728k", "131072KiB"])
def test_the_same_amount_in_other_words(text):
    assert parse_quantity(text) == 2**27


@pytest.mark.parametrize(("given_", "seconds"), [(5, 5), (0, 0), (None, 900), ("5", 900), (-1, 900), (True, 900)])
def test_a_guest_is_given_the_time_that_its_definition_says(given_, seconds):
    assert powerdown_timeout({"spec": {"vm": {"powerdownTimeout": given_}}}) == seconds


def test_a_guest_that_is_not_known_is_refused_by_name():
    with pytest.raises(InvalidDefinition, match="windows"):
        guest_of(a_vm_resource(guest="windows"))
    assert guest_of(a_vm_resource()) == "demo"
    assert guest_of({"metadata": {"name": "vm1"}}) is None


# P9: whatever a definition says stays inside the one option that it is for.

hostile = st.text(alphabet=",=-:/ \n\"'" + string.ascii_lowercase, max_size=20)
scalars = hostile | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False)
vms = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("maximumCpus", "currentCpus", "maximumRam", "currentRam", "powerdownTimeout"), scalars),
        "maximumRam": scalars | st.from_regex(r"[0-9]{1,4}(Mi|G)", fullmatch=True),
        "cpuTopology": st.dictionaries(st.sampled_from(["sockets", "diesPerSocket", "coresPerDie"]), scalars),
        "display": st.dictionaries(hostile, scalars, max_size=2),
    },
)


@given(name=hostile | st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,20}[a-z0-9])?", fullmatch=True), vm=vms)
def test_whatever_a_definition_says_the_options_are_the_same(name, vm):
    definition = a_vm_resource(name)
    definition["spec"]["vm"] = vm
    try:
        argv = command_line(definition, PLACES, "qemu", TCG, DEMO)
    except InvalidDefinition:
        return

    for (option, given_), (plain_option, plain) in zip(options(argv), options(PLAIN), strict=True):
        assert option == plain_option
        if option in ("-name", "-append"):
            assert given_ == plain.replace("demo-1", name)
        elif option == "-smp":
            assert all(part.partition("=")[2].isdigit() for part in settings(given_))
        elif option == "-m":
            assert given_.removesuffix("M").isdigit()
        else:
            assert given_ == plain


@given(folder=st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_whatever_a_folder_is_called_its_sockets_are_in_it(folder):
    places = Places(Path("/", folder.replace("/", "_")))

    argv = command_line(a_vm_resource(), places, "qemu", TCG, DEMO)

    paths = [part for _, given_ in options(argv) if given_ for part in settings(given_) if ".sock" in part]
    assert paths == [f"path={places.qmp}", f"path={places.agent}", f"path={places.tty}", f"unix:{places.vnc}"]


def test_a_guest_annotation_is_no_option():
    definition = a_vm_resource()
    definition["metadata"]["annotations"][GUEST_ANNOTATION] = "-incoming exec:sh"

    with pytest.raises(InvalidDefinition):
        guest_of(definition)


paths = st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1).map(
    "/{}".format
)


@given(overlay=paths, base=paths, seed=paths)
def test_whatever_files_are_called_they_are_only_files(overlay, base, seed):
    disk = of_disk(overlay, base).disk

    argv = command_line(a_vm_resource(guest=None), PLACES, "qemu", TCG, Media(disk=disk, seed=Path(seed)))

    plain = command_line(a_vm_resource(guest=None), PLACES, "qemu", TCG, Media(disk=of_disk().disk, seed=Path("/seed")))
    assert [option for option, _ in options(argv)] == [option for option, _ in options(plain)]
    first, second = (json.loads(given_) for option, given_ in options(argv) if option == "-blockdev")
    named = [first["file"]["filename"], first["backing"]["file"]["filename"], second["file"]["filename"]]
    assert named == [str(Path(overlay)), base, str(Path(seed))]
    assert all(given_.startswith("{") for option, given_ in options(argv) if option == "-blockdev")


@given(image=hostile | scalars | st.lists(hostile, max_size=2))
def test_an_image_is_an_absolute_path_or_refused(image):
    definition = a_vm_resource()
    definition["metadata"]["annotations"][IMAGE_ANNOTATION] = image
    try:
        path = image_of(definition, [])
    except InvalidDefinition:
        return

    assert path is None if image is None else path.is_absolute()
