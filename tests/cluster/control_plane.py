"""A real etcd and a real kube-apiserver on this machine, for as long as a test needs them."""

import ctypes
import json
import os
import secrets
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.cluster.build import assets
from tests.cluster.ports import free_ports

PATIENCE = 120
ADMINISTRATOR = "administrator"
_AGAIN_AFTER = 0.05
_SET_PARENT_DEATH_SIGNAL = 1


class ControlPlane:
    """Starts, stops, freezes and restarts; everything that it keeps is in one folder."""

    def __init__(self, **api_server_options):
        self.folder = Path(tempfile.mkdtemp(prefix="vmpool-cluster-", dir=_room()))
        self.etcd_port, self._etcd_peers, self.port = free_ports(3)
        self.token = secrets.token_hex(16)
        self._options = api_server_options
        self._etcd = self._api_server = None
        self._prepare()

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    @property
    def access(self):
        """Give what an administrator needs to ask it."""
        return self.url, self.certificate, self.token

    @property
    def certificate(self):
        """What the server shows, which nobody else has signed."""
        return self.folder / "certs" / "apiserver.crt"

    def start(self):
        self.start_etcd()
        self.start_api_server()

    def stop(self):
        for process in (self._api_server, self._etcd):
            _end(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_etcd(self):
        client, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{self._etcd_peers}"
        options = {
            "data-dir": self.folder / "etcd",
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
            "unsafe-no-fsync": "true",
            "log-level": "error",
        }
        self._etcd = self._spawn("etcd", options)

    def start_api_server(self):
        options = {
            "etcd-servers": f"http://127.0.0.1:{self.etcd_port}",
            "secure-port": self.port,
            "bind-address": "127.0.0.1",
            "cert-dir": self.folder / "certs",
            "token-auth-file": self.folder / "tokens.csv",
            "authorization-mode": "RBAC",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": self.folder / "service-accounts.key",
            "service-account-signing-key-file": self.folder / "service-accounts.key",
            "service-cluster-ip-range": "10.0.0.0/24",
            "disable-admission-plugins": "ServiceAccount",
            **{name.replace("_", "-"): value for name, value in self._options.items()},
        }
        self._api_server = self._spawn("kube-apiserver", options)
        self._wait_until_ready()

    def kill_api_server(self, by=signal.SIGKILL):
        _end(self._api_server, by)

    def restart_api_server(self, by=signal.SIGKILL):
        self.kill_api_server(by)
        self.start_api_server()

    def freeze(self):
        self._api_server.send_signal(signal.SIGSTOP)

    def thaw(self):
        self._api_server.send_signal(signal.SIGCONT)

    def wait(self, seconds):
        """Let time pass for everybody: what is frozen does not tell when it has been so for long enough."""
        time.sleep(seconds)

    def compact(self):
        """Have etcd forget all that was before now."""
        revision = self._etcd_call("kv/range", {"key": "Lw=="})["header"]["revision"]
        self._etcd_call("kv/compaction", {"revision": revision, "physical": True})

    def kubeconfig(self, name="administrator", token=None, server=None, **context):
        """Write a file with one context of this name; give its path."""
        cluster = {"server": server or self.url, "certificate-authority": str(self.certificate)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": name, "user": {"token": token or self.token}}],
            "contexts": [{"name": name, "context": {"cluster": "test", "user": name, **context}}],
        }
        path = self.folder / f"{name}-{secrets.token_hex(4)}.kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return str(path)

    def kubectl(self, *arguments, check=True, **options):
        """Run kubectl as an administrator; give what it said."""
        command = [str(assets() / "kubectl"), "--kubeconfig", self._administrators, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **options)  # noqa: S603  # a test's own words
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def api_server_time(self):
        """Tell the CPU seconds that the API server has used."""
        fields = Path(f"/proc/{self._api_server.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # Inside.

    def _prepare(self):
        groups = '"system:masters"'
        (self.folder / "tokens.csv").write_text(f"{self.token},{ADMINISTRATOR},{ADMINISTRATOR},{groups}\n")
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        (self.folder / "service-accounts.key").write_bytes(pem)
        self._administrators = self.kubeconfig()

    def _spawn(self, program, options):
        command = [str(assets() / program), *(f"--{name}={value}" for name, value in options.items())]
        with (self.folder / f"{program}.log").open("ab") as log:
            streams = {"stdout": log, "stderr": log, "stdin": subprocess.DEVNULL}
            return subprocess.Popen(command, **streams, start_new_session=True, preexec_fn=_die_with_us)  # noqa: S603, PLW1509  # as above; nothing else is forked meanwhile

    def _wait_until_ready(self):
        end = time.monotonic() + PATIENCE
        while not self._is_ready():
            assert self._api_server.poll() is None and time.monotonic() < end, self._last_words()  # noqa: PT018  # both end the wait
            time.sleep(_AGAIN_AFTER)

    def _is_ready(self):
        try:
            self._ask("/readyz")
        except (OSError, urllib.error.URLError):
            return False
        return True

    def _ask(self, path):
        context = ssl.create_default_context(cafile=self.certificate)
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self.token}"})  # noqa: S310  # https
        with urllib.request.urlopen(request, context=context, timeout=5) as answer:  # noqa: S310  # as above
            return answer.read()

    def _etcd_call(self, what, body):
        url = f"http://127.0.0.1:{self.etcd_port}/v3/{what}"
        with urllib.request.urlopen(url, json.dumps(body).encode(), timeout=5) as answer:  # as above
            return json.load(answer)

    def _last_words(self):
        return "\n".join((self.folder / f"{name}.log").read_text()[-2000:] for name in ("etcd", "kube-apiserver"))


def _room():
    # It is what is decided that is tested, not the disk; but never where a computer's memory would not do.
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # in a folder of its own


def _end(process, by=signal.SIGKILL):
    if process and process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.send_signal(by)
        process.wait(PATIENCE)


def _die_with_us():
    """Ask Linux to end this process when the tests are killed, which then cannot."""
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
