"""What a VM's annotations say, or those of its pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmpool_ext.backends.resources import annotations_of
from vmpool_ext.domain.errors import InvalidDefinition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def said_of(vm: Mapping[str, Any], pools: Iterable[Mapping[str, Any]], name: str) -> object:
    """Give the VM's own annotation, else that of its pools; None if there is none, `InvalidDefinition` if pools differ."""
    if (own := annotations_of(vm).get(name)) is not None:
        return own
    # A list: what somebody wrote there may be anything.
    given = [said for pool in pools if (said := annotations_of(pool).get(name)) is not None]
    if any(said != given[0] for said in given):
        what = name.rpartition("/")[2]
        message = f"The VM's pools have different {what}s: name one in the VM's own annotation {name}."
        raise InvalidDefinition(message)
    return given[0] if given else None
