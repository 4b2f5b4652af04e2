"""The password of a VM's display, in the Secret that VM-Operator keeps for it.

The Secret is found by its labels, and its first match is the one that counts. A password that expires is put in place of
the one before it, in the same form as VM-Operator's manager puts it: the runner then tells QEMU, and counts it in
``status.displayPasswordSerial``. One that does not expire was set by an administrator, and is left as it is. What we have put
there is marked: by a clock that was wrong it may seem not to expire.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vmpool_ext.backends.kubernetes.objects import decode
from vmpool_ext.backends.resources import ANNOTATION, annotations_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from vmpool_ext.backends.kubernetes.client import ApiClient

PASSWORD, EXPIRY = "display-password", "password-expiry"  # the names of the parts
OURS = f"{ANNOTATION}password-expiry"
"""On a Secret: the expiry that we have put there last; if it stands there still, so does our password."""
EXPIRED = "now"
NEVER_EXPIRES = "never"
_PASSWORD_BYTES = 16


@dataclass(frozen=True, slots=True)
class DisplaySecret:
    """What stands in the Secret."""

    name: str
    version: str
    password: str = field(repr=False)
    expiry: str
    is_ours: bool

    def is_fixed(self, now: datetime, validity: timedelta) -> bool:
        """Whether the password outlives what one that we set would: then an administrator has set it."""
        if self.is_ours:
            return False
        if not self.expiry or self.expiry == NEVER_EXPIRES:
            return True
        seconds = self.expiry.removeprefix("+")
        return seconds.isdecimal() and int(seconds) > (now + validity).timestamp()


def selector_of(vm: str) -> str:
    """Name the labels that VM-Operator finds a VM's display secret by."""
    labels = {"name": "vm-runner", "component": "display-secret", "instance": vm}
    return ",".join(f"app.kubernetes.io/{key}={value}" for key, value in labels.items())


def new_password() -> str:
    """Make one as VM-Operator's manager does: the text of so many random bytes in Base64."""
    return base64.b64encode(secrets.token_bytes(_PASSWORD_BYTES)).decode()


class DisplaySecrets:
    """Those of one namespace."""

    def __init__(self, client: ApiClient, path: str) -> None:
        self._client = client
        self._path = path

    async def find(self, vm: str) -> DisplaySecret | None:
        """Give the VM's, if it has one."""
        found = decode(await self._client.get(self._path, {"labelSelector": selector_of(vm)}))["items"]
        return _secret_of(min(found, key=lambda each: each["metadata"]["name"])) if found else None

    async def put(self, secret: DisplaySecret, password: str, expiry: str) -> None:
        """Write a password and when it expires, unless somebody else has written since; `Conflict` then."""
        data = {PASSWORD: _base64(password), EXPIRY: _base64(expiry)}
        patch = {"metadata": {"resourceVersion": secret.version, "annotations": {OURS: expiry}}, "data": data}
        await self._client.patch(f"{self._path}/{secret.name}", patch)


def _secret_of(resource: Mapping[str, Any]) -> DisplaySecret:
    data, metadata = resource.get("data") or {}, resource["metadata"]
    expiry = _text(data.get(EXPIRY))
    return DisplaySecret(
        name=metadata["name"],
        version=metadata["resourceVersion"],
        password=_text(data.get(PASSWORD)),
        expiry=expiry,
        is_ours=annotations_of(resource).get(OURS) == expiry,
    )


def _text(data: str | None) -> str:
    return base64.b64decode(data or "").decode("utf-8", "replace")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
