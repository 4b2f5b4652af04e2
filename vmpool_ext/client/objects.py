"""What both faces have in common: objects that are as the server showed them last."""

from __future__ import annotations

import os
from dataclasses import fields

from vmpool_ext.client.drawing import line, pool_cells, table, vm_cells
from vmpool_ext.client.errors import NoServer
from vmpool_ext.client.finding import find_server
from vmpool_ext.client.server import Server, named_server
from vmpool_ext.client.views import PoolFacts, VmFacts

PATIENCE = 600.0
"""Seconds for which a VM is waited for unless the caller says otherwise."""


class ShownVm(VmFacts):
    """A VM that can be drawn and can become another picture of itself."""

    def __init__(self, facts: VmFacts) -> None:
        self._become(facts)

    def cells(self) -> dict[str, str]:
        """Give what stands in the columns of a table."""
        return vm_cells(self)

    def __repr__(self) -> str:
        """Say it in a line."""
        return line("VM", self.name, self.cells())

    def _repr_html_(self) -> str:
        return table([self.cells()])

    def _become(self, facts: VmFacts) -> None:
        for each in fields(VmFacts):
            setattr(self, each.name, getattr(facts, each.name))


class ShownPool(PoolFacts):
    """A pool that can be drawn and can become another picture of itself."""

    vm: ShownVm | None

    def cells(self) -> dict[str, str]:
        """Give what stands in the columns of a table."""
        return pool_cells(self, self.vm)

    def __repr__(self) -> str:
        """Say it in a line."""
        return line("Pool", self.name, self.cells())

    def _repr_html_(self) -> str:
        return table([self.cells()])

    def _become(self, facts: PoolFacts) -> None:
        for each in fields(PoolFacts):
            setattr(self, each.name, getattr(facts, each.name))


def meant_server(url: str | None, token: str | None, ca_file: str | None) -> Server:
    """Give the server that a caller means: the one that they name, else the one that is found.

    A token out of the environment is not sent to a server that is not named there.
    """
    try:
        if url is not None:
            return named_server(url, token, ca_file)
        return find_server({**os.environ, **({"VMPOOL_TOKEN": token} if token else {})}, ca_file)
    except NoServer as error:
        # Without the frames that hold what was looked through: some tracebacks show the values in them.
        raise error.with_traceback(None) from None
