"""Where the cluster is, and how it is told who asks: read by the official client, and by nothing else here.

Its synchronous loader is used, in a thread: the asynchronous one of the same package does not verify the identity
provider's certificate and never runs an exec plugin again. docs/adr/0012 has the reasons.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException

from vmpool_ext.backends.kubernetes.errors import WrongCredentials

if TYPE_CHECKING:
    from collections.abc import Iterable

log = logging.getLogger(__name__)

GOOD_FOR = 30.0
"""Seconds after which it is asked again whether token and certificates are still the same."""

_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True, slots=True)
class Access:
    """What a request needs to reach the cluster."""

    url: str
    tls: ssl.SSLContext
    server_name: str | None
    proxy: str | None
    headers: dict[str, str]


class Credentials:
    """Those of a kubeconfig's context, or of the pod that this runs in."""

    def __init__(self, kubeconfig: str = "", context: str = "") -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._configuration: client.Configuration | None = None
        self._access: Access | None = None
        self._files: tuple[object, ...] = ()
        self._asked_at = 0.0
        self._turn = asyncio.Lock()

    @property
    def of_the_pod(self) -> bool:
        """Whether the pod's own service account is used: where nothing else is named and there is one."""
        named = self._kubeconfig or self._context or os.environ.get("KUBECONFIG")
        return not named and "KUBERNETES_SERVICE_HOST" in os.environ and (_POD / "token").exists()

    async def access(self) -> Access:
        """Give what is good now; raise `WrongCredentials` where there is nothing that could be."""
        async with self._turn:
            if self._access is None or time.monotonic() > self._asked_at + GOOD_FOR:
                self._access = await asyncio.to_thread(self._read)
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

    # Inside: in a thread.

    def _read(self) -> Access:
        try:
            if self._configuration is None:
                self._configuration, self._files = self._load(), ()
            return self._read_access(self._configuration)
        except (ConfigException, OSError, ValueError, TypeError, KeyError) as error:
            raise WrongCredentials(self._told(error)) from error

    def _load(self) -> client.Configuration:
        configuration = client.Configuration()
        if self.of_the_pod:
            config.load_incluster_config(client_configuration=configuration)
        else:
            config.load_kube_config(
                config_file=self._kubeconfig or None,
                context=self._context or None,
                client_configuration=configuration,
                persist_config=False,
            )
        return configuration

    def _read_access(self, configuration: client.Configuration) -> Access:
        # Runs the plugin, or reads the file, again if what was had has expired.
        bearer = configuration.get_api_key_with_prefix("BearerToken", "authorization")
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
        if self.of_the_pod:
            return (_POD / "namespace").read_text(encoding="utf-8").strip()
        try:
            contexts, active = config.list_kube_config_contexts(self._kubeconfig or None)
        except ConfigException as error:
            raise WrongCredentials(self._told(error)) from error
        chosen = next((each for each in contexts if each["name"] == self._context), active)
        return str(chosen["context"].get("namespace") or _DEFAULT_NAMESPACE)

    def _told(self, error: Exception) -> str:
        """Say which option it is that names what is not there."""
        where = "KubernetesBackend.kubeconfig" if self._kubeconfig else "the kubeconfig"
        asked = f', context "{self._context}" (KubernetesBackend.context)' if self._context else ""
        return f"The cluster's credentials cannot be read from {where}{asked}: {str(error)[:256]}"


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
