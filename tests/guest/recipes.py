"""What the guests of Debian's packages are made of: one with a login on the console, and one with a display manager."""

from tests.guest.systemd_guest import Recipe

_PAM = {
    "auth": "auth required pam_permit.so\n",
    "account": "account required pam_unix.so\n",
    "session": "session required pam_unix.so\nsession optional pam_systemd.so\n",
    "password": "password required pam_deny.so\n",
}
_LOGIN = "".join(_PAM.values())

# What only takes time here.
_MASKED = (
    "dev-hugepages.mount dev-mqueue.mount modprobe@.service serial-getty@.service sys-kernel-debug.mount "
    "sys-kernel-tracing.mount systemd-hwdb-update.service systemd-journal-flush.service systemd-modules-load.service "
    "systemd-network-generator.service systemd-random-seed.service systemd-remount-fs.service systemd-sysctl.service "
    "systemd-sysusers.service systemd-update-utmp-runlevel.service systemd-update-utmp.service"
)
_NO_GENERATORS = (
    "cryptsetup debug getty gpt-auto hibernate-resume integritysetup rc-local run system-update sysv veritysetup"
)

_SYSTEMD = Recipe(
    packages=(
        "dbus dbus-bin dbus-daemon dbus-system-bus-common libpam-modules libpam-modules-bin libpam-systemd login passwd systemd "
        "udev util-linux"
    ),
    files={
        "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nmessagebus:x:100:100::/nonexistent:/usr/sbin/nologin\n",
        "etc/group": "root:x:0:\ntty:x:5:\nutmp:x:43:\nmessagebus:x:100:\n",
        "etc/shadow": "root:*:19000:0:99999:7:::\nmessagebus:!:19000::::::\n",
        "etc/gshadow": "root:*::\ntty:*::\nutmp:*::\nmessagebus:!::\n",
        "etc/pam.d/login": _LOGIN,
        "etc/pam.d/systemd-user": _LOGIN,
        "etc/pam.d/other": _LOGIN,
        # Else it would be a first boot, in which systemd asks for a time zone.
        "etc/machine-id": f"{'1' * 32}\n",
        "etc/hostname": "guest\n",
        "etc/fstab": "home /home 9p trans=virtio,version=9p2000.L,access=client,posixacl,cache=mmap 0 0\n",
        "etc/systemd/journald.conf.d/console.conf": "[Journal]\nStorage=volatile\nForwardToConsole=yes\nMaxLevelConsole=notice\nTTYPath=/dev/ttyS0\n",
        "init": (
            "#!/bin/busybox sh\n/bin/busybox --install -s\nrm -r /etc/vmpool-agent /etc/modules\n"
            "while read -r module; do insmod $module; done </lib/modules/order\n"
        ),
    },
    links={
        "etc/systemd/system/default.target": "/lib/systemd/system/multi-user.target",
        "var/run": "/run",
        **{f"etc/systemd/system/{name}": "/dev/null" for name in _MASKED.split()},
        **{f"etc/systemd/system-generators/systemd-{name}-generator": "/dev/null" for name in _NO_GENERATORS.split()},
    },
    folders="root tmp var/cache var/lib/dbus var/log var/lib/systemd opt var/mail",
)

# A directory as LDAP would be, only that it is a file: the guest's own accounts are elsewhere, and here nothing is ever written.
_DIRECTORY = {
    "lena": "71000:71001::/home/staff-lena",
    "otto": "900:900::/home/otto",
    "rosa": "71003:71003::/home/staff-rosa",
    "lutz": "71004:71004::/home/staff-lutz",
    "nils": "2100:2100::/home/nils",
}

CONSOLE = _SYSTEMD.and_also(
    Recipe(
        packages="libnss-extrausers",
        files={
            "etc/passwd": "ops:x:1300:1300::/opt:/bin/sh\nshut:x:1440:1440::/home/shut:/bin/sh\n",
            "etc/group": "ops:x:1300:\nshut:x:1440:\n",
            "etc/shadow": "ops:!:19000::::::\nshut:!:19000:::::1:\n",
            "etc/gshadow": "ops:!::\nshut:!::\n",
            "etc/nsswitch.conf": "passwd: files extrausers\ngroup: files extrausers\nshadow: files extrausers\n",
            "var/lib/extrausers/passwd": "".join(f"{name}:x:{entry}:/bin/sh\n" for name, entry in _DIRECTORY.items()),
            "var/lib/extrausers/group": "staff:x:71001:\nnils:x:2100:\n",
            "var/lib/extrausers/shadow": "".join(f"{name}:!:19000::::::\n" for name in _DIRECTORY),
            "etc/skel/.hello": "hello\n",
            "etc/skel/folder/file": "in a folder\n",
            "init": "exec /lib/systemd/systemd\n",
        },
        links={"etc/systemd/system/getty.target.wants/getty@tty1.service": "/lib/systemd/system/getty@.service"},
        folders="",
    )
)

LIGHTDM = _SYSTEMD.and_also(
    Recipe(
        packages="lightdm x11-xkb-utils xkb-data xserver-xorg-core",
        files={
            "etc/passwd": "lightdm:x:110:110::/var/lib/lightdm:/bin/false\n",
            "etc/group": "lightdm:x:110:\nvideo:x:44:\ninput:x:106:\n",
            "etc/shadow": "lightdm:!:19000::::::\n",
            "etc/gshadow": "lightdm:!::\nvideo:!::\ninput:!::\n",
            "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\n",
            **{f"etc/pam.d/common-{kind}": text for kind, text in _PAM.items()},
            # As Debian's does, only that it does nothing else.
            "etc/X11/Xsession": "#!/bin/sh\n. ~/.profile\nexec $1\n",
            "etc/lightdm/lightdm.conf": "[Seat:*]\nuser-session=desk\n",
            "usr/share/xsessions/desk.desktop": "[Desktop Entry]\nName=Desk\nExec=/bin/sleep 1000000\n",
            # What is on the screen while LightDM waits for somebody, says who runs something then.
            "usr/share/xgreeters/lightdm-greeter.desktop": "[Desktop Entry]\nName=Greeter\nExec=/usr/bin/greeter\n",
            "usr/bin/greeter": (
                "#!/bin/sh\necho Seen: $(ps -o user | sort -u), and nobody else |\n"
                "systemd-cat --identifier=greeter --priority=notice\nexec sleep 1000000\n"
            ),
            "usr/lib/tmpfiles.d/lightdm.conf": "d /var/lib/lightdm 0750 lightdm lightdm\n",
            "init": "while read -r module; do insmod $module; done </lib/modules/order-later\nexec /lib/systemd/systemd\n",
        },
        links={
            "etc/systemd/system/display-manager.service": "/lib/systemd/system/lightdm.service",
            "etc/systemd/system/multi-user.target.wants/display-manager.service": "/lib/systemd/system/lightdm.service",
            # The guest has no disk. So that this outlasts a reset, it is where the homes are.
            "etc/lightdm/lightdm.conf.d": "/home/.lightdm.conf.d",
        },
        folders="var/lib/lightdm-data",
    )
)
