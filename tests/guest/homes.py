"""The folder that guests share as their /home, as the host sees it: whose a file is, is an attribute of it."""

import os
import stat
import struct

from tests.guest.patience import within

NOBODY = 2**32 - 1
_ACL = "user.virtfs.system.posix_acl_access"
_KINDS = {0x01: "owner", 0x02: "user", 0x04: "group", 0x08: "named group", 0x10: "mask", 0x20: "other"}


class Homes:
    """Lays and reads what guests find under /home, with owners that only they see."""

    def __init__(self, folder):
        self.folder = folder
        self._note(".", uid=0, gid=0, mode=stat.S_IFDIR | 0o755)

    def lay(self, name, kind=stat.S_IFDIR, owner=0, group=1100, permissions=0o770):
        """Make something of the given kind, owner and group."""
        path = self.folder / name
        if kind == stat.S_IFDIR:
            path.mkdir()
        else:
            path.write_text("elsewhere")
        self._note(name, uid=owner, gid=group, mode=kind | permissions)
        return path

    def owner(self, name):
        return self._attribute(name, "uid")

    def group(self, name):
        return self._attribute(name, "gid")

    def permissions(self, name):
        return stat.S_IMODE(self._attribute(name, "mode"))

    def access(self, name):
        """Give the ACL: kinds of entries, what each allows, and whom those for users and groups name."""
        acl = os.getxattr(self.folder / name, _ACL)
        return [(_KINDS[kind], may, who) for kind, may, who in struct.iter_unpack("<HHI", acl[4:])]

    def allow(self, name, *entries):
        """Set the ACL, in the same words."""
        codes = {word: code for code, word in _KINDS.items()}
        packed = (struct.pack("<HHI", codes[kind], may, who) for kind, may, who in entries)
        os.setxattr(self.folder / name, _ACL, struct.pack("<I", 2) + b"".join(packed))

    def has_access_list(self, name):
        return _ACL in os.listxattr(self.folder / name)

    def at_login(self, name, script):
        """Have a user's shell run something when it starts, and then make a file ``done``."""
        (self.folder / name / ".profile").write_text(f"{script}\ntouch ~/done\n")

    def done(self, name):
        """Wait until that has run."""
        within(60, (self.folder / name / "done").exists)

    def wrote(self, name, file):
        return (self.folder / name / file).read_text()

    def set_group(self, name, group):
        self._note(name, gid=group)

    def set_permissions(self, name, permissions):
        self._note(name, mode=stat.S_IFDIR | permissions)

    def names(self):
        return {path.name for path in self.folder.iterdir()}

    def claims(self):
        """Give the names that stand for claims of a number."""
        return {path.name for path in (self.folder / ".vmpool-agent").glob("*")}

    def _attribute(self, name, attribute):
        return struct.unpack("<I", os.getxattr(self.folder / name, f"user.virtfs.{attribute}"))[0]

    def _note(self, name, **attributes):
        for attribute, value in attributes.items():
            os.setxattr(self.folder / name, f"user.virtfs.{attribute}", struct.pack("<I", value))
