#!/usr/bin/python3 -IS
"""The agent in a guest of a VM pool: logs in whom the host names, and out again with all that they have left running.

It speaks VM-Operator's protocol over a virtio port. docs/guest.md says what a guest needs and what the replies mean.
For Python 3.9 and later with only what Debian's python3-minimal holds; few imports, for the processor may be an emulated one.
"""

from __future__ import annotations

import grp
import os
import pwd
import select
import stat
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

CHANNEL = "/dev/virtio-ports/org.jdrupes.vmop_agent.0"
HOMES = "/home"
CLAIMS = f"{HOMES}/.vmpool-agent"
"""Who has which number: a file for each number, with a second name for its user (ADR 0010)."""
SEAT = "/etc/vmpool-agent/seat"
"""If it is there it opens (``seat USER``) and closes (``seat``) sessions, whatever else the guest has."""
DISPLAY_MANAGER = "/etc/systemd/system/display-manager.service"
SESSION = "/run/vmpool-agent/session"
AUTOLOGIN, GDM = "/run/vmpool-agent/autologin.conf", "[daemon]\nAutomaticLoginEnable=true\nAutomaticLogin={}\n"
LIGHTDM, SDDM = "[Seat:*]\nautologin-user={}\nautologin-user-timeout=0\n", "[Autologin]\nUser={}\nRelogin=false\n"
GETTY = "[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin {} - $TERM\n"
AUTOLOGINS = {
    "gdm.service": ("/run/gdm/custom.conf", GDM, ""),
    "gdm3.service": ("/run/gdm3/custom.conf", GDM, ""),
    "lightdm.service": (AUTOLOGIN, LIGHTDM, "/etc/lightdm/lightdm.conf.d/zz-vmpool-agent.conf"),
    "sddm.service": (AUTOLOGIN, SDDM, "/etc/sddm.conf.d/zz-vmpool-agent.conf"),
    "getty@tty1.service": ("/run/systemd/system/getty@tty1.service.d/vmpool-agent.conf", GETTY, ""),
}
"""What logs a user in when these start: a file, in /run so as not to outlive a crash, its text, and a link to it if need be."""
FIRST_NUMBER, LAST_NUMBER = 1100, 59999  # of those that the agent gives; VM-Operator's begins there too
LONGEST_COMMAND, LONGEST_REPLY = 1024, 180
SESSION_WITHIN, ENDED_WITHIN, PROGRAM_WITHIN, LOOK_EVERY = 30, 5, 20, 0.1  # seconds; a host waits for 60


class Refused(Exception):
    """A command is not done: its code, 4xx where something in the guest is to be mended or 5xx where it never can be, and why."""


def is_name(text: str) -> bool:
    """Tell whether a user may be called so: ``[a-z_][a-z0-9_.-]{0,31}``, and not root."""
    first = "abcdefghijklmnopqrstuvwxyz_"
    return text != "root" and 0 < len(text) <= 32 and text[0] in first and set(text) <= {*first, *"0123456789.-"}


def is_person(number: int) -> bool:
    """Tell whether a number may be a person's: not the system's, nor one of those that systemd lends to services."""
    return 1000 <= number < 60514 or 65536 <= number < 2**32 - 2


def why_no_number(home: os.stat_result) -> str:
    """Tell why a home does not say its user's number, by its owning group; nothing if it does."""
    if not stat.S_ISDIR(home.st_mode):
        return "is not a directory"
    if home.st_gid < FIRST_NUMBER or not is_person(home.st_gid):
        return f"has the group {home.st_gid}, which is no user's number: those begin at {FIRST_NUMBER}"
    if home.st_uid not in (0, home.st_gid):  # who could have handed it to any group that they are in
        return f"belongs to {home.st_uid}, which is neither root nor the number of its group, {home.st_gid}"
    return ""


def read(path: str) -> str:
    """Give a small file's text; nothing where there is no file, or no process any more."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def write(path: str, text: str) -> None:
    """Write a file, whole or not at all."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(file.name, path)


def run(*command: str) -> None:
    """Run a program to its end; `Refused` with its last words if it fails. What it leaves running may go on writing."""
    words = os.memfd_create("words")
    actions = [(os.POSIX_SPAWN_DUP2, words, 1), (os.POSIX_SPAWN_DUP2, words, 2)]
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    limited = ("timeout", str(PROGRAM_WITHIN), *command)
    status = os.waitpid(os.posix_spawnp("timeout", limited, environment, file_actions=actions), 0)[1]
    said = os.pread(words, 2000, 0).decode("utf-8", "replace").split("\n")
    os.close(words)
    if status:
        raise Refused(451, next(filter(None, reversed(said)), f"{command[0]} has failed."))


def entries(path: str, name: str = "") -> list[list[str]]:
    """Give the entries of ``/etc/passwd`` or a file like it, or those of one name; each a list of fields."""
    lines = (line.split(":") for line in read(path).splitlines())
    return [fields for fields in lines if len(fields) > 2 and name in ("", fields[0])]


def look_up(find: Callable[[Any], Any], who: object) -> Any:
    """Look an account or group up wherever this guest does: in its files, LDAP, sssd."""
    try:
        return find(who)
    except KeyError:
        return None


def holders(number: int) -> set[str]:
    """Name the account and the group that have a number in this guest."""
    return {entry[0] for find in (pwd.getpwuid, grp.getgrgid) if (entry := look_up(find, number))}


def require_person(user: str) -> None:
    """Refuse what is no name of a user, and whoever is the system's or this guest's own."""
    if not is_name(user):
        raise Refused(504, "There can be no user of that name.")
    account = look_up(pwd.getpwnam, user)
    least = 1000 if account and not entries("/etc/passwd", user) else FIRST_NUMBER
    number = account.pw_uid if account else getattr(look_up(grp.getgrnam, user), "gr_gid", least)
    if number < least or not is_person(number):
        raise Refused(504, f"{user} is the system's or this guest's own.")


def number_of(user: str) -> int:
    """Give a user's number; from then on they have an account in this guest, and a home."""
    account = look_up(pwd.getpwnam, user)
    if account and not entries("/etc/passwd", user):
        # The directory says all there is to say, and to make homes is for those who keep it.
        if os.path.islink(account.pw_dir) or not os.path.isdir(account.pw_dir):
            raise Refused(451, f"{account.pw_dir} is missing or no directory. Make it by pam_mkhomedir or by hand.")
        return int(account.pw_uid)
    top, home = os.stat(HOMES), f"{HOMES}/{user}"
    if top.st_uid != 0 or top.st_mode & 0o022:
        raise Refused(451, f"Others than root may write to {HOMES}, so that it does not tell who is who.")
    if os.path.lexists(home) and (why := why_no_number(os.lstat(home))):
        raise Refused(451, f"{home} {why}.")
    number = group_of(home) or group_of(f"{CLAIMS}/{user}")
    if account and (account.pw_uid, account.pw_gid, account.pw_dir) != (number, number, home):
        raise Refused(504, f"{user} is this guest's own: {home} does not say the number of that account.")
    number = number or claim(user)
    if others := holders(number) - {user}:
        raise Refused(451, f"The number {number} of {user} is that of {min(others)} in this guest.")
    if not os.path.lexists(home):
        make_home(home, number)
    let_in(home, number)
    if not account:
        gid, shell = str(number), "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"
        if not holders(number):
            run("groupadd", "--gid", gid, user)
        run("useradd", "--uid", gid, "--gid", gid, "--no-create-home", "--home-dir", home, "--shell", shell, user)
    return number


def group_of(path: str) -> int:
    """Give the number that a home or a claim says: its group. 0 if it is not there."""
    return os.lstat(path).st_gid if os.path.lexists(path) else 0


def claim(user: str) -> int:
    """Claim a number for a user: whatever other guests do meanwhile, it is theirs in all of them, and nobody else's.

    To create a file and to link one is exclusive on every file system that guests share; locks are not.
    """
    os.makedirs(CLAIMS, 0o700, exist_ok=True)
    number = next_number()
    while not (given := group_of(f"{CLAIMS}/{user}")):
        if number > LAST_NUMBER:
            raise Refused(451, f"All numbers up to {LAST_NUMBER} are taken.")
        try:
            os.close(os.open(f"{CLAIMS}/{number}", os.O_CREAT | os.O_EXCL, 0o600))
            os.chown(f"{CLAIMS}/{number}", 0, number)
            if not holders(number):
                os.link(f"{CLAIMS}/{number}", f"{CLAIMS}/{user}")
        except FileExistsError:
            pass  # Another guest has taken the number; or, to the same user, given one.
        number += 1
    return given


def next_number() -> int:
    """Give the number after the highest of what there is: in this guest, in the folder of homes, and claimed."""
    numbers = [int(number) for account in entries("/etc/passwd") for number in account[2:4]]
    numbers += [int(group[2]) for group in entries("/etc/group")]
    numbers += [os.lstat(f"{HOMES}/{name}").st_gid for name in os.listdir(HOMES)]
    numbers += [int(name) for name in os.listdir(CLAIMS) if name.isdigit()]
    return max((each for each in numbers if FIRST_NUMBER <= each <= LAST_NUMBER), default=FIRST_NUMBER - 1) + 1


def make_home(home: str, number: int) -> None:
    """Make a home out of everybody's sight, and put it in its place whole, so that no guest finds half of one."""
    new = f"{CLAIMS}/{number}.home"
    try:
        os.makedirs(new, 0o700, exist_ok=True)
        os.chown(new, 0, number)
        let_in(new, number)
        if skeleton := os.path.isdir("/etc/skel") and os.listdir("/etc/skel"):
            run("cp", "-RPp", *(f"/etc/skel/{name}" for name in skeleton), new)
            run("chown", "-hR", f"{number}:{number}", *(f"{new}/{name}" for name in skeleton))
        os.rename(new, home)
    except (OSError, Refused):
        # Unless another guest, to which the same user is new, was faster.
        if not os.path.lexists(home):
            raise


def let_in(home: str, number: int) -> None:
    """See that a user may use their home, and change neither its group nor who may use it."""
    found = os.lstat(home)
    if why_no_number(found) or found.st_gid != number:
        raise Refused(451, f"The file system of {HOMES} has not kept the owner and group of {home}.")
    if found.st_uid != 0:
        return
    name, nobody, user = "system.posix_acl_access", 2**32 - 1, (0x02, 7, number)
    # As Linux keeps it: the owner and the user may do all; the group nothing, whoever is named at most all, others nothing.
    acl = ((0x01, 7, nobody), user, (0x04, 0, nobody), (0x10, 7, nobody), (0x20, 0, nobody))
    had = with_luck(os.getxattr, home, name) or bytes(4)
    if user not in struct.iter_unpack("<HHI", had[4:]):
        with_luck(os.setxattr, home, name, struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *each) for each in acl))
    # What heeds ACLs shows the most that one of them allows as what the group may do.
    if os.lstat(home).st_mode & 0o070 != 0o070:
        raise Refused(451, f"{HOMES} has no POSIX ACLs. Mount it with them: posixacl,access=client for 9p, else acl.")


def processes(user: str, number: int) -> dict[int, str]:
    """Give the names of the living processes that act for a user, or could; also by numbers lent to them for containers."""
    lent = [range(int(start), int(start) + int(count)) for _, start, count in entries("/etc/subuid", user)]
    found = {}
    for process in filter(str.isdigit, os.listdir("/proc")):
        status = dict(line.partition(":\t")[::2] for line in read(f"/proc/{process}/status").splitlines())
        # One whose first thread has ended looks like a zombie while others go on.
        is_living = status.get("State", "X")[0] not in "ZX" or int(status.get("Threads", 0)) > 1
        if is_living and any(int(uid) in some for uid in status["Uid"].split() for some in ([number], *lent)):
            found[int(process)] = status["Name"]
    return found


def in_session(user: str, number: int) -> set[int]:
    """Give a user's processes but for those that systemd runs for them without a session."""
    return {process for process in processes(user, number) if "/user@" not in read(f"/proc/{process}/cgroup")}


def end_processes(user: str, number: int) -> None:
    """End all processes of a user, however fast they make new ones."""
    deadline, left = time.monotonic() + ENDED_WITHIN, {0: ""}
    while left:
        if time.monotonic() > deadline:
            process, program = next(iter(left.items()))
            raise Refused(451, f"Process {process} ({program}) of {user} does not end. Reset this machine.")
        # At one stroke, before any of them can act. Its real number is nobody's, so that none of them can signal this one.
        child = with_luck(os.fork)
        if child == 0:
            try:
                os.setresuid(2**32 - 3, number, 2**32 - 3)
                os.kill(-1, 9)
            finally:
                os._exit(0)
        if child:
            os.waitpid(child, 0)
        for process in (left := processes(user, number)):
            with_luck(os.kill, process, 9)
        time.sleep(LOOK_EVERY if left else 0)


def with_luck(act: Callable[..., Any], *what: object) -> Any:
    """Do what may fail without harm."""
    try:
        return act(*what)
    except (OSError, Refused):
        return None


def screen() -> str:
    """Name the unit that shows sessions, or else ``SEAT``."""
    if os.path.exists(SEAT):
        return SEAT
    unit = os.path.basename(os.readlink(DISPLAY_MANAGER)) if os.path.islink(DISPLAY_MANAGER) else "getty@tty1.service"
    if unit not in AUTOLOGINS:
        raise Refused(451, f"The agent does not know the display manager {unit}. Let {SEAT} open sessions.")
    return unit


def show(user: str, *how: str) -> None:
    """Have a user's session on the screen, or nobody's; ``how`` is what systemd is to do with what shows it."""
    unit = screen()
    if unit == SEAT:
        return run(SEAT, user) if user else run(SEAT)
    path, text, link = AUTOLOGINS[unit]
    # GDM notes in the same file what it found out about the graphics.
    kept = "[daemon]\nWaylandEnable=false\n" if "WaylandEnable=false" in read(path) else ""
    write(path, kept + text.format(user) if user else kept)
    if link and not os.path.islink(link):
        os.makedirs(os.path.dirname(link), exist_ok=True)
        os.symlink(path, link)
    if path.startswith("/run/systemd/"):  # For it takes seconds.
        run("systemctl", "daemon-reload")
    with_luck(run, "systemctl", "reset-failed", unit)  # for one that was started too often in vain
    return run("systemctl", *how, unit)


def open_session(user: str, number: int) -> None:
    """Open a session, and return when it is seen to run: what is there twice has not ended at once."""
    deadline, before, last = time.monotonic() + SESSION_WITHIN, in_session(user, number), set[int]()
    show(user, "restart")
    while not (last & (last := in_session(user, number) - before)):
        if time.monotonic() > deadline:
            raise Refused(451, f"{user} has no session after {SESSION_WITHIN} seconds. Look into the guest's journal.")
        time.sleep(LOOK_EVERY)


def close_session() -> None:
    """End the session, if there is one; nothing of its user runs any more then, and nothing will that the agent began."""
    if not (session := logged_in()):
        return
    with_luck(show, "", "--no-block", "restart")
    with_luck(run, "loginctl", "disable-linger", session[0])
    with_luck(run, "loginctl", "terminate-user", session[0])
    end_processes(*session)
    # What showed it stops only without it; and before it had stopped, it may have begun another.
    show("", "start")
    end_processes(*session)
    os.unlink(SESSION)


def logged_in() -> tuple[str, int] | None:
    """Give the user of the session that the agent has opened since the guest booted, and their number."""
    user, _, number = read(SESSION).partition(" ")
    return (user, int(number)) if user else None


def log_in(user: str, say: Callable[[str], bool]) -> str:
    """Log a user in, and whoever is logged in out before."""
    require_person(user)
    if (session := logged_in()) and session[0] == user and in_session(*session):
        return f"201 {user} is logged in already"
    close_session()
    screen()
    number = number_of(user)
    say(f"102 Starting the session of {user}")
    write(SESSION, f"{user} {number}")
    try:
        open_session(user, number)
    except Exception:
        close_session()
        raise
    return f"201 {user} is logged in"


def obey(line: bytes, say: Callable[[str], bool]) -> str:
    """Do what a line says, and give the one reply to it."""
    words = line.decode("ascii", "replace").strip(" \r").split(" ")
    try:
        if len(words) == 2 and words[0] == "login":
            return log_in(words[1], say)
        if words != ["logout"]:
            return "504 This is neither login USER nor logout."
        close_session()
        return "202 Nobody is logged in"  # noqa: TRY300  # as plain as the others
    except Refused as refused:
        return f"{refused.args[0]} {refused.args[1]}"
    except Exception as error:  # noqa: BLE001  # whatever it is, the next command may be a logout
        return f"{451 if isinstance(error, OSError) else 450} {error}"


def commands(channel: int) -> Iterator[bytes]:
    """Give the lines that come, until the host hangs up; one that is too long as one that cannot be read."""
    line = b""
    while received := os.read(channel, 4096):
        *whole, line = (line + received).split(b"\n")
        yield from (each if len(each) <= LONGEST_COMMAND else b"\xff" for each in whole)
        line = line[: LONGEST_COMMAND + 1]


def main() -> None:
    """Talk with the host until it hangs up; whoever starts the agent starts it again then, to greet the next."""
    os.umask(0o022)
    channel = os.open(CHANNEL, os.O_RDWR)
    hung_up = select.poll()
    hung_up.register(channel, 0)

    def say(words: str) -> bool:
        plain = "".join(letter if letter.isprintable() else " " for letter in words)[:LONGEST_REPLY]
        return not hung_up.poll(0) and os.write(channel, f"{plain}\n".encode()) > 0

    os.write(channel, b"220 Hello\n")  # waits until somebody is there to hear it
    for command in commands(channel):
        if not say(obey(command, say)):
            break


if __name__ == "__main__":
    main()
