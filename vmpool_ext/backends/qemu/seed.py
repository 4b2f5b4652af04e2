"""The seed that cloud-init sets a guest up with: a CD with the files of its data source NoCloud. Blocking."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import yaml
from pycdlib import PyCdlib

from vmpool_ext.domain.errors import InvalidDefinition

_LABEL = "cidata"
"""By which cloud-init finds it."""

_ISO_NAMES = {"meta-data": "METADATA", "user-data": "USERDATA", "network-config": "NETWORK"}
"""For readers that know neither Rock Ridge nor Joliet; cloud-init's guests do."""


def seed_files(vm: Mapping[str, Any], disk: str) -> dict[str, str] | None:
    """Give the files for cloud-init by their names; None if the VM's definition says nothing of it.

    Cloud-init sets a guest up once for each instance: a new disk is one, and so is a new definition.
    """
    spec = vm.get("spec")
    given = spec.get("cloudInit") if isinstance(spec, Mapping) else None
    if given is None:
        return None
    parts = _parts("spec.cloudInit", given, ("metaData", "userData", "networkConfig"))
    name, generation = vm["metadata"]["name"], vm["metadata"].get("generation", 1)
    instance = {"instance-id": "-".join([name, *filter(None, [disk]), str(generation)]), "local-hostname": name}
    files = {
        "meta-data": _text({**instance, **parts["metaData"]}),
        "user-data": "#cloud-config\n" + _text(parts["userData"]),
    }
    if parts["networkConfig"]:
        files["network-config"] = _text(parts["networkConfig"])
    return files


def write_seed(path: Path, files: Mapping[str, str]) -> None:
    """Write the CD, whole or not at all, and for nobody else's eyes: there are passwords on it."""
    disc = PyCdlib()
    disc.new(interchange_level=3, vol_ident=_LABEL, joliet=3, rock_ridge="1.09")
    for name, text in files.items():
        content = text.encode()
        iso_name = f"/{_ISO_NAMES[name]}.;1"
        disc.add_fp(BytesIO(content), len(content), iso_name, rr_name=name, joliet_path=f"/{name}")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file, draft = tempfile.mkstemp(prefix=f"{path.stem}.", suffix=".new", dir=path.parent)
    with os.fdopen(file, "wb") as image:
        disc.write_fp(image)
    disc.close()
    Path(draft).replace(path)


def _parts(what: str, given: object, names: tuple[str, ...]) -> dict[str, Mapping[str, Any]]:
    whole = _mapping(what, given)
    return {name: _mapping(f"{what}.{name}", whole.get(name)) for name in names}


def _mapping(what: str, value: object) -> Mapping[str, Any]:
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return value
    message = f"{what} is an object with keys, as in cloud-init's documentation, not {str(type(value).__name__)!r}."
    raise InvalidDefinition(message)


def _text(data: Mapping[str, Any]) -> str:
    # In ASCII: PyYAML reads some signs that it wrote as they are as a space.
    return yaml.safe_dump(dict(data), sort_keys=False)
