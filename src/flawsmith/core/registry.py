"""Named, interchangeable parts: a registry per kind, filled by a decorator, walked by tests, docs and the CLI."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Generic, TypeVar

from flawsmith.core.errors import RegistryError

Part = TypeVar("Part")


class Registry(Generic[Part]):
    """Parts of one kind by name, in order of registration.

    >>> shapes = Registry[Callable[[], str]]("mask shape")
    >>> @shapes.register("blob")
    ... def blob() -> str:
    ...     return "round"
    >>> shapes["blob"]()
    'round'
    >>> list(shapes)
    ['blob']
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._parts: dict[str, Part] = {}

    def register(self, name: str) -> Callable[[Part], Part]:
        """Return a decorator that enters a part under `name`; a second part of that name is an error."""

        def enter(part: Part) -> Part:
            if name in self._parts:
                raise RegistryError(f"the {self.kind} {name!r} is registered twice: give one of the two another name")
            self._parts[name] = part
            return part

        return enter

    def __getitem__(self, name: str) -> Part:
        if name not in self._parts:
            raise RegistryError(unknown(self.kind, name, self._parts))
        return self._parts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __contains__(self, name: object) -> bool:
        return name in self._parts


def unknown(kind: str, name: str, known: object) -> str:
    """Word the message for a name that nobody knows, proposing the nearest one that exists.

    >>> unknown("setting", "step", ["steps", "seed"])
    "unknown setting 'step'; did you mean 'steps'? known: steps, seed"
    """
    names = [str(each) for each in known]  # type: ignore[attr-defined]
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    proposal = f" did you mean {near[0]!r}?" if near else ""
    return f"unknown {kind} {name!r};{proposal} known: {', '.join(names) or 'none'}"
