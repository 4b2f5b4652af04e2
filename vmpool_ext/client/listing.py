"""Pools or VMs, in the order of their names and to be had by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from vmpool_ext.client.drawing import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Drawn(Protocol):
    """What has a name, and can be drawn as a line of a table."""

    name: str

    def cells(self) -> Mapping[str, str]:
        """Give what stands in the columns."""
        ...


N = TypeVar("N", bound=Drawn)


class Listing(Generic[N]):
    """What the server listed: ``listing["demo"]``, or ``listing.demo`` where the name is one that Python has.

    Tab completes the names in both, and asks the server nothing.
    """

    def __init__(self, things: Iterable[N]) -> None:
        self._things = {each.name: each for each in things}

    def __getitem__(self, name: str) -> N:
        """Give what has this name; raise KeyError, with the names that there are, if nothing has."""
        if name not in self._things:
            there = ", ".join(self._things) or "nothing"
            message = f'There is no "{name}" here; there is: {there}.'
            raise KeyError(message)
        return self._things[name]

    def __getattr__(self, name: str) -> N:
        """Give what has this name."""
        if name.startswith("_") or name not in self._things:
            message = f'There is no "{name}" here.'
            raise AttributeError(message)
        return self._things[name]

    def __iter__(self) -> Iterator[N]:
        """Go through the things, not their names."""
        return iter(self._things.values())

    def __len__(self) -> int:
        """Tell how many there are."""
        return len(self._things)

    def __contains__(self, name: object) -> bool:
        """Tell whether something has this name."""
        return name in self._things

    def __dir__(self) -> list[str]:
        """List what can be written behind a dot."""
        return [*super().__dir__(), *(name for name in self._things if name.isidentifier())]

    def __repr__(self) -> str:
        """Give all of them."""
        return f"[{', '.join(map(repr, self))}]"

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._things)

    def _repr_html_(self) -> str:
        return table([each.cells() for each in self])
