"""``jupyter vmpool apply``, ``get`` and ``delete``: for hands that know kubectl."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from jupyter_core.application import JupyterApp
from traitlets import Bool, Enum, List, Unicode
from traitlets.config.loader import KVArgParseConfigLoader

from vmpool_ext._version import __version__
from vmpool_ext.app.files import read_files
from vmpool_ext.app.missing import MISSING
from vmpool_ext.app.tables import as_json, as_names, as_tables, as_yaml, full_name
from vmpool_ext.backends.manifests.violations import InvalidManifests, printable
from vmpool_ext.backends.resources import POOL_KIND, VM_KIND
from vmpool_ext.broker.clock import SystemClock
from vmpool_ext.domain.errors import InvalidDefinition, VmPoolError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmpool_ext.backends.resources import Resource

_INTERRUPTED = 130
_CALLED = {
    **dict.fromkeys(("pool", "pools", "vmpool", "vmpools"), POOL_KIND),
    **dict.fromkeys(("vm", "vms", "virtualmachine", "virtualmachines"), VM_KIND),
}


class UsageError(VmPoolError):
    """The command cannot be understood: says which word of it, and what is expected."""

    code = "usage"


class UnknownKind(UsageError):
    """No kind has this name."""

    sentence = "there is no kind {}: there are vmpools and vms"


class NotExpected(UsageError):
    """A word where none belongs."""

    sentence = "{} is not expected here: files are given by -f"


class NothingNamed(UsageError):
    """Nothing is named that it could be done to."""

    sentence = "say to what: jupyter vmpool {}"


class _Loader(KVArgParseConfigLoader):
    """Refuses what it does not know: half of an order is not to be carried out."""

    def _handle_unrecognized_alias(self, arg: str) -> None:
        self.parser.error(f"there is no option --{arg}")


class ResourceApp(JupyterApp):
    """What the three commands have in common."""

    version = __version__
    files = List(
        Unicode(), help="Files, folders of them, or - for what comes in; several are given by several -f."
    ).tag(config=True)

    def _create_loader(self, argv: Any, aliases: Any, flags: Any, classes: Any) -> _Loader:
        return _Loader(argv, aliases, flags, classes=classes, log=self.log, subcommands=self.subcommands)

    def start(self) -> None:
        """Do it, and end with what is wrong if it cannot be done."""
        try:
            asyncio.run(self.run())
        except InvalidManifests as error:
            sys.exit(f"{error}\nerror: nothing was changed: {len(error.violations)} to be mended in the files")
        except VmPoolError as error:
            sys.exit(f"error: {printable(str(error))}")
        except ImportError as error:
            sys.exit(MISSING.format(error=error))
        except KeyboardInterrupt:
            sys.exit(_INTERRUPTED)

    async def run(self) -> None:
        """Do it."""
        raise NotImplementedError

    async def ask(self, request: Mapping[str, Any]) -> list[Resource]:
        """Have a request done; print what was done when it was, and give the resources that were asked for."""
        from vmpool_ext.backends.qemu.backend import QemuBackend  # noqa: PLC0415  # an extra that may be missing

        found = []
        async for answer in QemuBackend(SystemClock(), parent=self).administer(request):
            if "done" in answer:
                print(f"{full_name(answer['kind'], answer['name'])} {answer['done']}", flush=True)
            else:
                found.append(answer)
        return found

    def _require_no_names(self) -> None:
        if self.extra_args:
            raise NotExpected(self.extra_args[0])


class ApplyApp(ResourceApp):
    """Define pools and VMs, or define them anew, by YAML or JSON files; all of them, or none if one is not valid."""

    name = "jupyter-vmpool-apply"
    usage = "apply -f FILE"
    description = __doc__ or ""
    examples = "jupyter vmpool apply -f pools.yaml -f vms/"
    aliases: Any = {**JupyterApp.aliases, ("f", "filename"): "ResourceApp.files"}  # noqa: RUF012  # as in the base class

    async def run(self) -> None:
        """Read, judge and apply."""
        from vmpool_ext.backends.qemu.administration import to_apply  # noqa: PLC0415  # an extra that may be missing
        from vmpool_ext.backends.qemu.checks import require_valid  # noqa: PLC0415

        self._require_no_names()
        if not self.files:
            raise NothingNamed(self.usage)
        await self.ask(to_apply(require_valid(*read_files(self.files))))


class GetApp(ResourceApp):
    """Show pools and VMs: all, those of a kind, or some by name."""

    name = "jupyter-vmpool-get"
    description = __doc__ or ""
    examples = "jupyter vmpool get\njupyter vmpool get vms -o wide\njupyter vmpool get vmpool win11 -o yaml"
    output = Enum(("table", "wide", "yaml", "json", "name"), "table", help="How to show them.").tag(config=True)
    aliases: Any = {  # noqa: RUF012  # as in the base class
        **JupyterApp.aliases,
        ("f", "filename"): "ResourceApp.files",
        ("o", "output"): "GetApp.output",
    }

    async def run(self) -> None:
        """Ask and show."""
        from vmpool_ext.backends.qemu.administration import to_get  # noqa: PLC0415  # an extra that may be missing

        wanted = _of_files(self.files) if self.files else _wanted(self.extra_args)
        found = [each for kind, name in wanted for each in await self.ask(to_get(kind, name))]
        one = len(wanted) == 1 and wanted[0][1] is not None
        print(self._shown(found, one=one))

    def _shown(self, found: list[Resource], *, one: bool) -> str:
        if self.output == "yaml":
            return as_yaml(found, one=one)
        if self.output == "json":
            return as_json(found, one=one)
        if self.output == "name":
            return as_names(found)
        return as_tables(found, SystemClock().now(), wide=self.output == "wide")


class DeleteApp(ResourceApp):
    """Remove pools and VMs, by files or by name; all of them, or none if one is not there. VMs are shut down first."""

    name = "jupyter-vmpool-delete"
    usage = "delete -f FILE, or delete KIND NAME"
    description = __doc__ or ""
    examples = "jupyter vmpool delete -f pools.yaml\njupyter vmpool delete vm win11-1 --wait=false"
    wait = Bool(default_value=True, help="Whether to wait until VMs have shut down and are gone.").tag(config=True)
    ignore_not_found = Bool(default_value=False, help="Whether what is not there counts as removed.").tag(config=True)
    aliases: Any = {  # noqa: RUF012  # as in the base class
        **JupyterApp.aliases,
        ("f", "filename"): "ResourceApp.files",
        "wait": "DeleteApp.wait",
        "ignore-not-found": "DeleteApp.ignore_not_found",
    }
    flags: Any = {  # noqa: RUF012  # as in the base class
        **JupyterApp.flags,
        "ignore-not-found": (
            {"DeleteApp": {"ignore_not_found": True}},
            "Count what is not there as removed.",
        ),
    }

    async def run(self) -> None:
        """Ask, and wait."""
        from vmpool_ext.backends.qemu.administration import to_delete  # noqa: PLC0415  # an extra that may be missing

        if self.files:
            self._require_no_names()
        wanted = _of_files(self.files) if self.files else _wanted(self.extra_args)
        names = [(kind, name) for kind, name in wanted if kind and name]
        if len(names) < len(wanted):
            raise NothingNamed(self.usage)
        await self.ask(to_delete(names, ignore_missing=self.ignore_not_found, wait=self.wait))


def _of_files(files: list[str]) -> list[tuple[str | None, str | None]]:
    """Name what is in the files; the rest of a definition need not be valid to be removed or shown."""
    from vmpool_ext.backends.qemu.definitions import kind_and_name  # noqa: PLC0415  # an extra that may be missing

    manifests, violations = read_files(files)
    names: list[tuple[str | None, str | None]] = []
    for manifest in manifests:
        try:
            names.append(kind_and_name(manifest.value))
        except InvalidDefinition as error:
            violations.append(manifest.violation((), str(error)))
    if violations:
        raise InvalidManifests(violations)
    return names


def _wanted(words: list[str]) -> list[tuple[str | None, str | None]]:
    """Read ``KIND NAME...``, ``KIND,KIND`` or ``KIND/NAME...``; nothing means everything."""
    if not words:
        return [(None, None)]
    if any("/" in word for word in words):
        return [(_kind(kind), name) for kind, _, name in (word.partition("/") for word in words)]
    kinds = [_kind(word) for word in words[0].split(",")]
    names: list[str | None] = [*words[1:]]
    return [(kind, name) for kind in kinds for name in names or [None]]


def _kind(word: str) -> str | None:
    kind = _CALLED.get(word.lower().partition(".")[0])
    if kind is None and word != "all":
        raise UnknownKind(word)
    return kind
