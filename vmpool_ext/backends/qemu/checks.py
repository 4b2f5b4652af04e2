"""What is wrong with a definition that its schema lets pass: read by the same parsers that would meet it later."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from vmpool_ext.backends.manifests import schema
from vmpool_ext.backends.manifests.violations import InvalidManifests, shown
from vmpool_ext.backends.qemu.command_line import GUEST_ANNOTATION, guest_of, parse_quantity, size_of
from vmpool_ext.backends.qemu.definitions import kind_and_name
from vmpool_ext.backends.qemu.homes import HOME_ANNOTATION, home_of
from vmpool_ext.backends.qemu.images import IMAGE_ANNOTATION, image_of
from vmpool_ext.backends.qemu.store import check_name
from vmpool_ext.backends.resources import (
    ANNOTATION,
    END_ACTION,
    OWN_VM_ANNOTATIONS,
    POOL_KIND,
    VM_KIND,
    annotations_of,
    pool_from_resource,
)
from vmpool_ext.domain.errors import InvalidDefinition, VmPoolError
from vmpool_ext.domain.retention import DEFAULT_RETENTION, parse_retention
from vmpool_ext.domain.user import User

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from vmpool_ext.backends.manifests.reading import Manifest
    from vmpool_ext.backends.manifests.violations import Path, Violation
    from vmpool_ext.backends.resources import Resource

    Checks = Iterator[tuple[Path, Callable[[], object]]]
    """Where something stands, and what raises if it cannot be used."""


def _refuse_image(resource: Resource) -> None:
    image_of(resource, ())


def _refuse_home(resource: Resource) -> None:
    home_of(resource, ())


def _refuse_end_action(pool: Resource) -> None:
    _refuse_misconfigured({"metadata": {"name": "", "annotations": {END_ACTION: annotations_of(pool)[END_ACTION]}}})


_ANNOTATIONS: dict[str, dict[str, Callable[[Resource], object]]] = {
    POOL_KIND: {IMAGE_ANNOTATION: _refuse_image, HOME_ANNOTATION: _refuse_home, END_ACTION: _refuse_end_action},
    VM_KIND: {IMAGE_ANNOTATION: _refuse_image, HOME_ANNOTATION: _refuse_home, GUEST_ANNOTATION: guest_of},
}


def require_valid(manifests: Iterable[Manifest], violations: Iterable[Violation] = ()) -> list[Resource]:
    """Give the resources, or raise `InvalidManifests` with all that is wrong with any of them."""
    manifests = list(manifests)
    found = [*violations, *_repeated(manifests)]
    for manifest in manifests:
        found.extend(violations_of(manifest))
    if found:
        raise InvalidManifests(found)
    return [manifest.value for manifest in manifests]


def violations_of(manifest: Manifest) -> Iterator[Violation]:
    """Tell all that is wrong with one resource."""
    value = manifest.value
    if not isinstance(value, dict) or value.get("kind") not in schema.kinds():
        kind = value.get("kind") if isinstance(value, dict) else value
        message = f"{shown(kind)} cannot be defined here: only {' and '.join(schema.kinds())}."
        yield manifest.violation(("kind",), message)
        return
    wrong = [*schema.wrong_fields(value), *_met(_name_check(value))]
    for path, message in wrong or _met(_checks(schema.with_defaults(value))):
        yield manifest.violation(path, message)


def _repeated(manifests: Iterable[Manifest]) -> Iterator[Violation]:
    seen: dict[tuple[str, str], Violation] = {}
    for manifest in manifests:
        try:
            kind, name = kind_and_name(manifest.value)
        except (InvalidDefinition, AttributeError):
            continue
        again = manifest.violation(("metadata", "name"), "")
        first = seen.setdefault((kind, name), again)
        if first is not again:
            message = f"{kind} {name} is defined in {first.source}:{first.line} too: remove one."
            yield manifest.violation(("metadata", "name"), message)


def _met(checks: Checks) -> list[tuple[Path, str]]:
    met = []
    for path, check in checks:
        try:
            check()
        except VmPoolError as error:
            met.append((path, str(error)))
    return met


def _name_check(resource: Resource) -> Checks:
    metadata = resource.get("metadata")
    if isinstance(metadata, dict) and isinstance(name := metadata.get("name"), str):
        yield ("metadata", "name"), partial(check_name, name)


def _checks(resource: Resource) -> Checks:
    spec = resource.get("spec", {})
    yield from _annotation_checks(resource)
    for index, entry in enumerate(spec.get("permissions", ())):
        yield from _grant_checks(("spec", "permissions", index), entry)
    if resource["kind"] == POOL_KIND:
        yield ("spec", "retention"), partial(parse_retention, spec.get("retention", DEFAULT_RETENTION))
    else:
        yield from _vm_checks(resource, spec)


def _annotation_checks(resource: Resource) -> Checks:
    known = _ANNOTATIONS[resource["kind"]]
    for name in resource["metadata"].get("annotations", ()):
        if name.startswith(ANNOTATION) and name not in OWN_VM_ANNOTATIONS:
            read = known.get(name) or partial(_refuse_annotation, name, known)
            yield ("metadata", "annotations", name), partial(read, resource)


def _grant_checks(path: Path, entry: Mapping[str, Any]) -> Checks:
    if user := entry.get("user"):
        yield (*path, "user"), partial(User, user)
    yield path, partial(_refuse_misconfigured, {"metadata": {"name": ""}, "spec": {"permissions": [entry]}})


def _vm_checks(resource: Resource, spec: Mapping[str, Any]) -> Checks:
    for index, pool in enumerate(spec.get("pools", ())):
        yield ("spec", "pools", index), partial(check_name, pool)
    vm = spec.get("vm", {})
    amounts = [key for key in ("maximumRam", "currentRam") if key in vm]
    for key in amounts:
        yield ("spec", "vm", key), partial(parse_quantity, vm[key])
    # The amounts have been looked at; the rest is told at once.
    others = {key: value for key, value in vm.items() if key not in amounts}
    yield ("spec", "vm"), partial(size_of, {**resource, "spec": {"vm": others}})


def _refuse_misconfigured(pool: Resource) -> None:
    if why := pool_from_resource(pool, 0).misconfigured:
        raise InvalidDefinition(why)


def _refuse_annotation(name: str, known: Iterable[str], _: Resource) -> None:
    advice = f"there is {', '.join(known)}" if known else "remove it"
    message = f"There is no annotation {name} for this kind: {advice}."
    raise InvalidDefinition(message)
