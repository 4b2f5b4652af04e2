"""One namespace of one cluster: the addresses of what is asked for there, and who asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmpool_ext.backends.kubernetes.display_secret import DisplaySecrets
from vmpool_ext.backends.kubernetes.objects import read_pool, read_vm
from vmpool_ext.backends.kubernetes.watch import Patience, Reflector, T
from vmpool_ext.backends.kubernetes.writes import Writes

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

    from vmpool_ext.backends.kubernetes.client import ApiClient
    from vmpool_ext.domain.machine import VirtualMachine
    from vmpool_ext.domain.pool import Pool

GROUP_VERSION = "vmoperator.jdrupes.org/v1"


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything is."""

    client: ApiClient
    namespace: str

    @property
    def vms(self) -> str:
        """The VMs."""
        return f"/apis/{GROUP_VERSION}/namespaces/{self.namespace}/vms"

    @property
    def pools(self) -> str:
        """The pools."""
        return f"/apis/{GROUP_VERSION}/namespaces/{self.namespace}/vmpools"

    @property
    def pods(self) -> str:
        """The pods."""
        return f"/api/v1/namespaces/{self.namespace}/pods"

    @property
    def events(self) -> str:
        """The events."""
        return f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events"

    @property
    def secrets(self) -> DisplaySecrets:
        """The display secrets."""
        return DisplaySecrets(self.client, f"/api/v1/namespaces/{self.namespace}/secrets")

    @property
    def writes(self) -> Writes:
        """What writes to VMs."""
        return Writes(self.client, self.vms)

    def watch_vms(self, patience: Patience | None = None) -> Reflector[VirtualMachine]:
        """Give what tells of all VMs."""
        return Reflector(self.client, self.vms, read_vm, patience)

    def watch_vm(self, name: str, read: Callable[[bytes | msgspec.Raw], T]) -> Reflector[T]:
        """Give what tells of one VM, or of what is read of it."""
        return Reflector(self.client, self.vms, read, selector=f"metadata.name={name}")

    def watch_pools(self, patience: Patience | None = None) -> Reflector[Pool]:
        """Give what tells of the pools."""
        return Reflector(self.client, self.pools, read_pool, patience)
