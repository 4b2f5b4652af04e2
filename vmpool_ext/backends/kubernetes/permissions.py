"""What has to be there and allowed in the cluster, asked at once and before anything else.

Else it would come out one by one: the first refusal when the picture is read, the next when somebody presses Start. The Role
in `examples/kubernetes/rbac` allows exactly what is needed here; a test holds the two equal.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from vmpool_ext.backends.kubernetes.errors import NotAllowed, NotFound
from vmpool_ext.backends.kubernetes.objects import decode
from vmpool_ext.backends.kubernetes.telling import asking
from vmpool_ext.backends.kubernetes.together import together
from vmpool_ext.domain.errors import BackendUnavailable

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from vmpool_ext.backends.kubernetes.client import ApiClient

log = logging.getLogger(__name__)

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_GROUP, _VERSION = "vmoperator.jdrupes.org", "v1"
_RESOURCES = ("vmpools", "vms")
_ADVICE = "Grant it by a Role and a RoleBinding: docs/kubernetes.md has them."


class Right(NamedTuple):
    """One verb on one resource, or on a part of it."""

    verb: str
    resource: str
    group: str


@dataclass(frozen=True, slots=True)
class Need:
    """What is allowed with one rule of a Role."""

    group: str
    resource: str
    verbs: tuple[str, ...]

    def rights(self) -> tuple[Right, ...]:
        """Give them one by one."""
        return tuple(Right(verb, self.resource, self.group) for verb in self.verbs)


ESSENTIAL = (
    Need(_GROUP, "vmpools", ("get", "list", "watch")),
    Need(_GROUP, "vms", ("get", "list", "watch", "patch")),
    Need(_GROUP, "vms/status", ("patch",)),
)
CONSOLE = (Need("", "pods", ("get",)), Need("", "secrets", ("list", "patch")))
EVENTS = (Need("events.k8s.io", "events", ("create",)),)

NEEDS = (*ESSENTIAL, *CONSOLE, *EVENTS)


class Permissions:
    """What our account may do in one namespace."""

    def __init__(self, client: ApiClient, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._warned: set[str] = set()

    async def require(self) -> None:
        """Raise `BackendUnavailable` where something is missing that nothing goes without; warn of what else is."""
        with asking():
            absent, missing = await self._absent(), await self._missing()
        if absent:
            raise BackendUnavailable(not_installed(absent), code="resources-missing")
        if lacking := _words(ESSENTIAL, missing):
            message = f'The cluster does not allow in the namespace "{self._namespace}": {lacking}. {_ADVICE}'
            raise BackendUnavailable(message, code="cluster-forbids")
        self._warn("consoles do not open, and VMs are not handed on", _words(CONSOLE, missing))
        self.warn_of_events(missing)

    def warn_of_events(self, missing: Container[Right] = EVENTS[0].rights()) -> None:
        """Say once that no events can be written, as far as that is missing."""
        self._warn("nothing is told in the cluster's events", _words(EVENTS, missing))

    # Inside.

    async def _missing(self) -> set[Right]:
        rights = [right for need in NEEDS for right in need.rights()]
        try:
            allowed = await together(map(self._is_allowed, rights))
        except NotAllowed:
            log.info("the cluster does not say what is allowed there: what is not is told when it is asked for")
            return set()
        return {right for right, is_allowed in zip(rights, allowed, strict=True) if not is_allowed}

    async def _is_allowed(self, right: Right) -> bool:
        resource, _, part = right.resource.partition("/")
        asked = {"namespace": self._namespace, "verb": right.verb, "group": right.group}
        spec = {"resourceAttributes": {**asked, "resource": resource, "subresource": part}}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}
        return bool(decode(await self._client.post(_REVIEWS, review))["status"]["allowed"])

    async def _absent(self) -> list[str]:
        try:
            found = decode(await self._client.get(f"/apis/{_GROUP}/{_VERSION}"))["resources"]
        except NotFound:
            return list(_RESOURCES)
        except NotAllowed:
            return []
        return [name for name in _RESOURCES if all(each["name"] != name for each in found)]

    def _warn(self, what: str, lacking: str) -> None:
        if lacking and lacking not in self._warned:
            self._warned.add(lacking)
            log.warning('%s: not allowed in the namespace "%s": %s. %s', what, self._namespace, lacking, _ADVICE)


def not_installed(names: Iterable[str] = _RESOURCES) -> str:
    """Say which resources the cluster has not, as far as it is known."""
    named = " and ".join(f"{name}.{_GROUP}" for name in names)
    what = f"The resources {named} are" if " and " in named else f"The resource {named} is"
    return f"{what} not installed in the cluster, or not as {_VERSION}. VM-Operator brings them: install it first."


def _words(needs: Iterable[Need], missing: Container[Right]) -> str:
    """Name what is missing as `kubectl auth can-i` would be asked for it."""
    words = []
    for need in needs:
        if verbs := [right.verb for right in need.rights() if right in missing]:
            resource, slash, part = need.resource.partition("/")
            words.append(f"{', '.join(verbs)} {resource}{need.group and '.'}{need.group}{slash}{part}")
    return "; ".join(words)
