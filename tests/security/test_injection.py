"""Whatever names, paths and definitions say, it arrives where it was meant, or is refused by our own error."""

import asyncio
import os
import re
import shutil
import signal
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.backends.qemu.definitions import a_vm_resource
from tests.backends.qemu.tiny_guests import with_image
from vmpool_ext.backends.manifests.reading import Manifest
from vmpool_ext.backends.manifests.violations import InvalidManifests
from vmpool_ext.backends.qemu.accelerator import TCG
from vmpool_ext.backends.qemu.checks import require_valid
from vmpool_ext.backends.qemu.command_line import Media, command_line
from vmpool_ext.backends.qemu.conversation import LOGGED_IN, Conversation, Reply
from vmpool_ext.backends.qemu.disks import Disks
from vmpool_ext.backends.qemu.guest_image import GuestImage, build_image, default_cache
from vmpool_ext.backends.qemu.images import image_of
from vmpool_ext.backends.qemu.places import Places
from vmpool_ext.backends.qemu.process import spawn
from vmpool_ext.backends.qemu.qmp import Qmp
from vmpool_ext.backends.qemu.seed import seed_files, write_seed
from vmpool_ext.backends.qemu.store import Store
from vmpool_ext.domain.errors import InvalidDefinition, NoLoginName
from vmpool_ext.domain.user import require_login_name

hostile = st.text(
    st.sampled_from(",=-:/%$(){}[];#'\"\\ \t\r\n\0\x1b\x85\u2028é🐧" + string.ascii_lowercase), max_size=30
)
names = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,60}[a-z0-9])?", fullmatch=True)

_MEANT = {
    "-name": re.compile(r"guest=[a-z0-9.-]+,debug-threads=on"),
    "-m": re.compile(r"[0-9]+M"),
    "-smp": re.compile(
        r"(cpus|maxcpus|sockets|dies|cores|threads)=[0-9]+(,(maxcpus|sockets|dies|cores|threads)=[0-9]+)*"
    ),
}

FOLDERS = [
    "a,server=off,path=,,b",
    "-incoming exec:sh",
    "$(touch x);`touch y`'\"\\",
    'json:{"a": 1}, ünï=on',
    "two\nlines\n-monitor stdio",
]


@pytest.fixture(params=FOLDERS)
def folder(home, request):
    folder = home / request.param
    folder.mkdir()
    return folder


async def test_a_real_machine_has_every_path_and_name_as_it_was_meant(home, folder):
    """QEMU itself is asked, whatever the folders are called in which its sockets, disks and guests are."""
    vm, places = a_vm_resource("lab.1-x", guest=None, maximumCpus=2, maximumRam="96Mi"), Places(folder)
    image = home / "base,file.driver=nbd.raw"
    image.write_bytes(bytes(2**20))
    disks = Disks(folder)
    disk = disks.prepare("lab.1-x", image)
    write_seed(disks.seed("lab.1-x"), {"meta-data": "", "user-data": ""})
    kernel, initrd = folder / "vmlinuz", folder / "initrd"
    demo = build_image(default_cache(), print)
    kernel.symlink_to(demo.kernel)
    initrd.symlink_to(demo.initrd)
    media = Media(GuestImage(kernel, initrd), disk, disks.seed("lab.1-x"))

    argv = command_line(vm, places, shutil.which("qemu-system-x86_64"), TCG, media)
    process = spawn([*argv, "-S"], "lab.1-x", places, home / "record")
    try:
        asked = await Qmp.connect(places.qmp, 20)
        assert (await asked.execute("query-name"))["name"] == "lab.1-x"
        for chardev, path in {"mon": places.qmp, "agent": places.agent, "serial0": places.tty}.items():
            address = await asked.execute("qom-get", path=f"/chardevs/{chardev}", property="addr")
            assert (address["type"], address["path"]) == ("unix", str(path))
        assert (await asked.execute("query-vnc"))["service"] == str(places.vnc)
        nodes = {node["node-name"]: node for node in await asked.execute("query-named-block-nodes")}
        assert nodes["disk0"]["file"] == str(disk.overlay)
        assert nodes["disk0"]["backing_file"] == str(image)
        assert (nodes["seed0"]["file"], nodes["seed0"]["ro"]) == (str(disks.seed("lab.1-x")), True)
        machine = {
            name: await asked.execute("qom-get", path="/machine", property=name) for name in ("kernel", "initrd")
        }
        assert machine == {"kernel": str(kernel), "initrd": str(initrd)}
        assert (await asked.execute("qom-get", path="/machine", property="append")).split()[-1] == "vm.name=lab.1-x"
        assert await asked.execute("query-memory-size-summary") == {"base-memory": 96 * 2**20, "plugged-memory": 0}
        assert len(await asked.execute("query-cpus-fast")) == 2
        assert {each.name for each in home.iterdir()} == {folder.name, image.name, "record"}
        await asked.close()
    finally:
        signal.pidfd_send_signal(process, signal.SIGKILL)
        os.waitid(os.P_PIDFD, process, os.WEXITED)  # noqa: ASYNC222  # at once: it was killed
        os.close(process)


@given(text=hostile | st.text() | st.from_regex(r"[a-z_][a-z0-9_.-]{0,33}", fullmatch=True))
def test_no_name_gets_more_than_one_line_and_one_word_to_an_agent(text):
    """Whoever reads it, by whatever they take for the end of a line."""
    try:
        name = require_login_name(text)
    except NoLoginName:
        return

    said = asyncio.run(_said_to_an_agent(f"login {name}"))

    assert said.endswith(b"\n")
    assert said.decode().splitlines() == [f"login {text}"]
    assert said.split() == [b"login", text.encode()]


async def _said_to_an_agent(command):
    line, conversation = bytearray(), Conversation()

    class Line:
        write = staticmethod(line.extend)

    conversation.begin(Line)
    asking = asyncio.create_task(conversation.ask(command, LOGGED_IN, 60))
    await asyncio.sleep(0)
    conversation.hear(Reply(LOGGED_IN, "201 done"))
    await asking
    return bytes(line)


scalars = hostile | st.integers(-1, 300) | st.booleans() | st.floats(allow_nan=False)
PARTS = ["sockets", "diesPerSocket", "coresPerDie", "threadsPerCore"]
fitting = {
    "maximumCpus": st.integers(1, 255),
    "currentCpus": st.integers(0, 255),
    "maximumRam": st.sampled_from(["128Mi", "1G", "134217728", " 0.5 GiB", "12k"]),
    "currentRam": st.sampled_from(["64Mi", "0.5Gi"]),
    "powerdownTimeout": st.integers(0, 300),
    "cpuTopology": st.dictionaries(st.sampled_from(PARTS), st.integers(0, 3)),
}
printable = hostile.filter(str.isprintable).map("/{}".format)


@st.composite
def definitions(draw, spoilt):
    """One that fits, with hostile words where those may be; and with something that may not fit in the spoilt parts."""

    def drawn(part, fits):
        return draw(scalars | hostile if part in spoilt else fits)

    # Exactly one of these two is wanted.
    left_out = draw(st.sampled_from(["maximumCpus", "cpuTopology"]))
    hardware = {name: drawn(name, fits) for name, fits in fitting.items() if name != left_out}
    resource = a_vm_resource(drawn("name", names), guest=None, pools=[drawn("pool", names)])
    resource["spec"] |= {"vm": hardware, "cloudInit": {"userData": draw(st.dictionaries(hostile, scalars, max_size=3))}}
    annotations = {**with_image(resource, "")["metadata"]["annotations"], f"example.org/{draw(hostile)}": draw(hostile)}
    resource["metadata"]["annotations"] = annotations
    return with_image(resource, drawn("image", printable))


@given(definitions(spoilt=()))
def test_a_definition_that_fits_is_let_in_whatever_words_it_has(resource):
    assert _made_a_machine_of(resource)


@given(st.sampled_from([*fitting, "name", "pool", "image"]).flatmap(lambda part: definitions(spoilt=(part,))))
def test_what_is_let_in_can_be_made_a_machine_of(resource):
    """The checks before are as strict as those after: what is not refused at once is not refused at the start either."""
    _made_a_machine_of(resource)


def _made_a_machine_of(resource):
    try:
        [given_] = require_valid([Manifest("file", resource)])
    except InvalidManifests:
        return False
    assert image_of(given_, ()).is_absolute()
    assert set(seed_files(given_, "")) == {"meta-data", "user-data"}
    words = command_line(given_, Places(Path("/run/vm")), "/qemu", TCG, Media())
    plain = command_line(a_vm_resource(guest=None), Places(Path("/run/vm")), "/qemu", TCG, Media())
    changed = {
        option: word for option, word, before in zip(plain, words[1:], plain[1:], strict=False) if word != before
    }
    assert len(words) == len(plain)
    assert set(changed) <= {"-name", "-m", "-smp"}
    assert all(_MEANT[option].fullmatch(word) for option, word in changed.items())
    return True


@given(name=names)
def test_whatever_a_vm_is_called_its_files_are_in_their_folder(name):
    disks = Disks(Path("/disks"))

    assert disks.seed(name).parent == Path("/disks")
    assert disks.seed(name).name.replace(".", "").isalnum()
    assert not disks.has_overlay(name)


@given(name=hostile | st.just("'; DROP TABLE resources; --"))
def test_whatever_a_resource_is_called_it_is_only_a_name_to_the_store(tmp_path_factory, name):
    store = Store(tmp_path_factory.mktemp("store") / "store.sqlite")
    store.write("VmPool", "lab", lambda _: {"here": True})
    try:
        store.write("VmPool", name, lambda _: {"mine": True})
    except InvalidDefinition:
        assert store.get("VmPool", name) is None

    assert store.get("VmPool", "lab").resource in ({"here": True}, {"mine": True})
    assert {stored.name for stored in store.everything().resources} <= {"lab", name}
    store.close()
