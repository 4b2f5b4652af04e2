"""What can be found of a running VM whose console is open, by whoever looks from outside: nothing that is secret."""

import re
import resource
import stat
from pathlib import Path

import pytest

from tests.security.conftest import POOL, VM

_SOCKET = re.compile(r"socket:\[(\d+)\]")


@pytest.fixture
def server(console):
    return console.server


@pytest.fixture
def machine(server):
    """The folder that Linux has on the VM's process."""
    return Path(f"/proc/{server.machine}")


def told_of(file):
    """What the kernel tells of every process that there is."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found[int(folder.name)] = (folder / file).read_bytes()
        except OSError:
            continue
    return found


def opened(process):
    return {file.readlink() for file in Path(process, "fd").iterdir()}


def status(folder, field):
    return re.search(rf"^{field}:\s*(.*)$", (folder / "status").read_text(), re.MULTILINE)[1]


def test_no_secret_is_in_the_list_of_processes(console):
    """Every account of this machine can read it."""
    listed = b"\n".join(told_of("cmdline").values())

    assert VM.encode() in listed
    assert [name for name, secret in console.every_secret().items() if secret.encode() in listed] == []


def test_no_secret_is_in_the_environment_of_any_process_but_the_servers_own(console):
    environments = told_of("environ")
    own = environments.pop(console.server.process.pid)
    assert console.server.token.encode() in own, "or this test looks at the wrong thing"

    others = b"\n".join(environments.values())

    assert [name for name, secret in console.secrets().items() if secret.encode() in others] == []


def test_a_machine_is_told_nothing_of_the_environment_but_what_programs_need(machine):
    # The last two are the shell's that it was begun by.
    variables = {line.partition(b"=")[0].decode() for line in (machine / "environ").read_bytes().split(b"\0") if line}

    assert variables <= {"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "QEMU_MODULE_DIR"} | {
        "PWD",
        "OLDPWD",
    }


def test_no_secret_is_in_the_log_however_much_it_says(console):
    log = console.server.log

    assert "[D " in log
    assert f"vms/{VM}/display" in log
    assert [name for name, secret in console.every_secret().items() if secret in log] == []


def test_no_secret_of_the_server_or_the_console_is_in_a_file(console):
    found = b"\n".join(file.read_bytes() for file in _files(console.server))

    assert VM.encode() in found
    assert [name for name, secret in console.secrets().items() if secret.encode() in found] == []


def test_what_a_guest_is_set_up_with_is_in_its_definition_and_on_its_disc_only(server):
    holding = {
        file.name.partition(".")[2] for file in _files(server) if server.guest_password.encode() in file.read_bytes()
    }

    assert holding <= {"sqlite", "sqlite-wal", "iso"}
    assert "iso" in holding


def test_no_refusal_and_no_picture_quotes_a_secret(console):
    server = console.server
    paths = (
        f"pools/{POOL}", "pools", "vms", "health", "me", f"pools/{console.ticket}", f"vms/{VM}/display?ticket={console.ticket}",
        f"vms/{VM}/display?ticket={console.password}",
    )  # fmt: skip

    told = [str(server.ask(path)) for path in paths if console.ticket not in path.partition("?")[0]]
    told += [str(server.ask("pools", Authorization=f"token {server.token}x")), str(server.ask(f"pools/{POOL}", "POST"))]

    assert all(told)
    assert [name for name, secret in console.every_secret().items() for text in told if secret in text] == []


def test_nothing_that_a_server_makes_can_be_entered_or_read_by_others(server):
    """Though whoever started it would have allowed everything."""
    folders = [server.state.parent, server.state, server.run.parent, server.run]
    made = [each for top in (server.state, server.run) for each in top.rglob("*")]

    assert {file.name.partition(".")[2] for file in made} >= {"sqlite", "lock", "sock", "qcow2", "iso", "json", "log"}
    assert [str(path) for path in (*folders, *made) if stat.S_IMODE(path.lstat().st_mode) & 0o077] == []


def test_every_thread_of_a_machine_is_in_the_sandbox(machine):
    threads = list((machine / "task").iterdir())

    assert len(threads) > 1
    assert {status(thread, "Seccomp") for thread in threads} == {"2"}, "a filter"
    assert {status(thread, "NoNewPrivs") for thread in threads} == {"1"}


def test_a_machine_has_begun_no_other_process(server):
    parents = {re.search(rb"^PPid:\s*(\d+)$", told, re.MULTILINE)[1] for told in told_of("status").values()}

    assert str(server.machine).encode() not in parents


def test_a_machine_has_only_its_own_files_open(server, machine):
    """Not the server's, and nothing that the server was begun with."""
    assert server.inherited in opened(f"/proc/{server.process.pid}"), "or this test looks at the wrong thing"

    files = {path for path in opened(machine) if path.is_absolute()}
    devices = {path for path in files if path.is_relative_to("/dev")}
    assert {path.suffix for path in files - devices} == {".log", ".qcow2", ".iso", ".raw"}
    assert all(path.is_relative_to(server.home) and path != server.log_file for path in files - devices)
    assert {path.name for path in devices} <= {"null", "urandom", "random", "kvm"}


def test_a_machine_listens_on_no_network(machine):
    own = {found[1] for path in opened(machine) if (found := _SOCKET.match(str(path)))}
    tables = [machine / "net" / name for name in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6")]
    internet = {line.split()[9] for table in tables if table.exists() for line in table.read_text().splitlines()[1:]}
    local = set((machine / "net" / "unix").read_text().split())

    assert own & local, "or this test looks at the wrong thing"
    assert own & internet == set()


def test_a_machine_works_in_its_own_folder(server, machine):
    """QEMU takes firmware from where it is before it looks where it is installed."""
    assert (machine / "cwd").readlink().parent == server.run
    assert (server.work / "bios-256k.bin").exists()


def test_a_machine_leaves_no_core_dump(server, machine):
    """It would have what the guest's screen shows in it, and the password of the display."""
    assert resource.prlimit(server.machine, resource.RLIMIT_CORE) == (0, 0)


def test_what_a_machine_makes_is_for_its_account_only(machine):
    assert status(machine, "Umask") == "0077"


def _files(server):
    return [file for top in (server.state, server.run) for file in top.rglob("*") if file.is_file()]
