"""Where the cluster is, and how it is told who asks: read by the official client, and by nothing else here.

Its synchronous loader is used, in a thread: the asynchronous one of the same package never runs an exec plugin again, and
verifies no identity provider's certificate. The synchronous one does not either where the kubeconfig names no authority:
that is seen to here. docs/adr/0012 has the reasons.

Of what the loader says of a mistake only what we know to hold no secret is passed on: it quotes a user's whole entry.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import certifi
import yaml
from kubernetes import client
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.incluster_config import InClusterConfigLoader
from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger

from vmpool_ext.backends.kubernetes.errors import WrongCredentials

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

log = logging.getLogger(__name__)

GOOD_FOR = 30.0
"""Seconds after which it is asked again whether token and certificates are still the same."""
PATIENCE = 30.0
"""Seconds that a plugin or an identity provider has, until it is told that it does not answer."""

POD = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_DEFAULT_NAMESPACE = "default"
_MISSING = re.compile(
    r"Expected (?:key (?P<key>\S+) in |object with name (?P<name>\S+) in .*/(?P<list>\w+) list$)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Access:
    """What a request needs to reach the cluster."""

    url: str
    tls: ssl.SSLContext
    server_name: str | None
    proxy: str | None = field(repr=False)
    headers: dict[str, str] = field(repr=False)


class Credentials:
    """Those of a kubeconfig's context, or of the pod that this runs in."""

    def __init__(
        self,
        kubeconfig: str = "",
        context: str = "",
        *,
        pod: Path = POD,
        good_for: float = GOOD_FOR,
        patience: float = PATIENCE,
    ) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._pod = pod
        self._good_for = good_for
        self._patience = patience
        self._kube: _Kubeconfig | None = None
        self._configuration: client.Configuration | None = None
        self._access: Access | None = None
        self._files: tuple[object, ...] = ()
        self._asked_at = 0.0
        self._turn = asyncio.Lock()
        self._reading: asyncio.Task[Access] | None = None

    @property
    def of_the_pod(self) -> bool:
        """Whether the pod's own service account is used: where nothing else is named and there is one."""
        named = self._kubeconfig or self._context or os.environ.get("KUBECONFIG")
        return not named and "KUBERNETES_SERVICE_HOST" in os.environ and (self._pod / "token").exists()

    @property
    def source(self) -> str:
        """Say where they are from, by the option that whoever is to mend them would set."""
        if self.of_the_pod:
            return "the pod's service account"
        named = "$KUBECONFIG" if os.environ.get("KUBECONFIG") else "~/.kube/config"
        where = f"the kubeconfig ({'KubernetesBackend.kubeconfig' if self._kubeconfig else named})"
        return f'{where}, context "{self._context}" (KubernetesBackend.context)' if self._context else where

    async def access(self) -> Access:
        """Give what is good now; raise `WrongCredentials` where there is nothing that could be."""
        async with self._turn:
            if self._access is None or time.monotonic() > self._asked_at + self._good_for:
                self._access = await self._read_in_time()
                self._asked_at = time.monotonic()
            return self._access

    async def forget(self, refused: Access) -> None:
        """Read everything anew before the next request, since this was refused."""
        async with self._turn:
            if self._access is refused:
                self._access = self._configuration = None

    async def namespace(self) -> str:
        """Tell which namespace the context, or the pod, is in."""
        return await asyncio.to_thread(self._read_namespace)

    # Inside.

    async def _read_in_time(self) -> Access:
        """Read; what takes too long is not begun again before it has ended, or threads would pile up."""
        if self._reading is None:
            self._reading = asyncio.create_task(asyncio.to_thread(self._read), name="vmpool credentials")
            # Whoever waits for it may be cancelled, and then nobody asks what became of it.
            self._reading.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            async with asyncio.timeout(self._patience):
                return await asyncio.shield(self._reading)
        except TimeoutError:
            why = f"nothing has come within {self._patience:g} seconds"
            raise self._wrong(why) from None
        finally:
            if self._reading.done():
                self._reading = None

    def _wrong(self, why: str) -> WrongCredentials:
        return WrongCredentials(f"The cluster's credentials cannot be had from {self.source}: {why}.")

    # Inside: in a thread.

    def _read(self) -> Access:
        try:
            # A pod's token and authority are replaced in place, and cost nothing to read.
            if self._configuration is None or self.of_the_pod:
                self._configuration = self._load()
            return self._access_by(self._configuration)
        except Exception as error:  # noqa: BLE001  # the loader raises whatever its parts do
            raise self._wrong(_why(error)) from None

    def _load(self) -> client.Configuration:
        configuration = client.Configuration()
        configuration.host = ""  # not this machine, where nothing is named
        if self.of_the_pod:
            files = {"token_filename": str(self._pod / "token"), "cert_filename": str(self._pod / "ca.crt")}
            InClusterConfigLoader(**files, try_refresh_token=False).load_and_set(configuration)
        else:
            self._of_kubeconfig().load(configuration)
        return configuration

    def _of_kubeconfig(self) -> _Kubeconfig:
        if self._kube is None or self._kube.has_changed():
            paths = self._kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
            self._kube = _Kubeconfig(paths, self._context)
        return self._kube

    def _access_by(self, configuration: client.Configuration) -> Access:
        # Runs the plugin again if what it gave has expired.
        bearer = (configuration.get_api_key_with_prefix("BearerToken", "authorization") or "").strip()
        _require_usable(configuration.host, bearer)
        files = _state_of([configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file])
        known = self._access
        tls = known.tls if known and files == self._files else _tls(configuration)
        self._files = files
        return Access(
            url=configuration.host.rstrip("/"),
            tls=tls,
            server_name=configuration.tls_server_name or None,
            proxy=configuration.proxy or None,
            headers={"Authorization": bearer} if bearer else {},
        )

    def _read_namespace(self) -> str:
        try:
            if self.of_the_pod:
                return (self._pod / "namespace").read_text(encoding="utf-8").strip()
            return self._of_kubeconfig().namespace
        except Exception as error:  # noqa: BLE001  # as above
            raise self._wrong(_why(error)) from None


class _Mistake(Exception):
    """What is wrong, in words of ours."""


class _Kubeconfig:
    """One context of a kubeconfig, which may be several files.

    It is kept as long as these do not change: a provider may take each refresh token once only, and then the next one
    stands nowhere but here.
    """

    def __init__(self, paths: str, context: str) -> None:
        merger = KubeConfigMerger(paths)
        if merger.config is None:
            message = "there is no such file"
            raise _Mistake(message)
        self._merged, self._context = merger.config, context or None
        self._paths, self._state = merger.paths, _state_of(merger.paths)
        chosen = self._loader().current_context["context"]
        self.namespace = str(chosen.get("namespace") or _DEFAULT_NAMESPACE)
        found = self._merged["users"].get_with_name(chosen.get("user"), safe=True)
        self._user: dict[str, Any] = (found.value.get("user") if found else None) or {}

    def has_changed(self) -> bool:
        """Whether the files are not as they were read."""
        return self._state != _state_of(self._paths)

    def load(self, configuration: client.Configuration) -> None:
        """Run the plugin or ask the identity provider, where it has one, and set what comes of it."""
        _have_provider_verified(self._user.get("auth-provider") or {})
        self._loader().load_and_set(configuration)
        if configuration.api_key or configuration.cert_file:
            return
        # The loader only logs that, and goes on as nobody.
        if plugin := self._user.get("exec"):
            command = Path(plugin["command"]).name
            message = f'its plugin "{command}" gives no credentials, and the log has what it says'
            raise _Mistake(message)
        if "auth-provider" in self._user:
            message = "its auth-provider has no token"
            raise _Mistake(message)

    def _loader(self) -> Any:
        return KubeConfigLoader(self._merged, active_context=self._context, config_base_path=None)


def _require_usable(server: str, bearer: str) -> None:
    if not _is_address(server):
        message = "its server is not an address such as https://host:port"
        raise _Mistake(message)
    if not (bearer.isascii() and bearer.isprintable()):
        message = "its token is none, it has characters that no token has"
        raise _Mistake(message)


def _is_address(server: str) -> bool:
    try:
        parts = urlsplit(server)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return named and parts.scheme in {"http", "https"} and "@" not in parts.netloc


def _have_provider_verified(provider: dict[str, Any]) -> None:
    """Have an identity provider's certificate verified where the kubeconfig names no authority: the loader would not.

    Whoever could pretend to be the provider would otherwise say where the refresh token is to be sent.
    """
    told = provider.get("config") or {}
    data, file = "idp-certificate-authority-data", "idp-certificate-authority"
    if provider.get("name") == "oidc" and not (told.get(data) or told.get(file)):
        told.pop(data, None)
        told[file] = ssl.get_default_verify_paths().cafile or certifi.where()


def _why(error: Exception) -> str:
    """Say what is wrong without a word that might be a secret."""
    if isinstance(error, _Mistake):
        return str(error)
    if isinstance(error, ConfigException) and (missing := _MISSING.search(str(error))):
        key, name, kind = missing["key"], missing["name"], (missing["list"] or "").removesuffix("s")
        return f'it has no "{key}"' if key else f'it has no {kind} "{name[:64]}"'
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1} is no YAML"
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in _chain(error)):
        return "its identity provider's certificate is not trusted (idp-certificate-authority-data)"
    said = error.strerror if isinstance(error, OSError) else None
    return f"{said or 'it cannot be read'} ({type(error).__name__})"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__ or error.__context__


def _state_of(paths: Iterable[str | None]) -> tuple[object, ...]:
    """Tell files from what they were: certificates are renewed in place."""
    return tuple((path, os.stat(path).st_mtime_ns) for path in paths if path)  # noqa: PTH116  # a text, given to OpenSSL next


def _tls(configuration: client.Configuration) -> ssl.SSLContext:
    tls = ssl.create_default_context(cafile=configuration.ssl_ca_cert or None)
    if not configuration.verify_ssl:
        log.warning("the API server's certificate is not verified: its kubeconfig says insecure-skip-tls-verify")
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    if configuration.cert_file:
        tls.load_cert_chain(configuration.cert_file, configuration.key_file or None)
    return tls
