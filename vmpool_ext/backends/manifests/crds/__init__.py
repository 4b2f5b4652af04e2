"""The two resources as an API server is told of them: CustomResourceDefinitions, also what files are judged by here."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, cast

import yaml

GROUP_VERSION = "vmoperator.jdrupes.org/v1"

_FILES = ("vmpools.yaml", "vms.yaml")


def definitions() -> list[dict[str, Any]]:
    """Give the CustomResourceDefinitions of pools and VMs."""
    return [yaml.safe_load((files(__package__) / name).read_text(encoding="utf-8")) for name in _FILES]


def schema_of(definition: dict[str, Any]) -> dict[str, Any]:
    """Give the schema of a definition's one version."""
    [version] = definition["spec"]["versions"]
    return cast("dict[str, Any]", version["schema"]["openAPIV3Schema"])
