"""What a value read from JSON must be, as rules, and the places where one is broken.

    >>> shape = Record({"step": whole(0, 9)}, {"loss": number()})
    >>> list(shape.faults({"step": 10, "loss": 1}))
    ['step is 10, expected an integer from 0 to 9']
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from deeplab.support.entry import fault

LONGEST = 400  # characters of a text


class Shape(Protocol):
    """What a value may look like."""

    def faults(self, value: Any, where: str = "") -> Iterator[str]:
        """A sentence for each place at or below `where` that breaks the rules."""


@dataclass(frozen=True)
class Rule:
    """A single value; `expected` says in words what `holds` asks of it."""

    expected: str
    holds: Callable[[Any], bool]

    def faults(self, value: Any, where: str = "") -> Iterator[str]:
        """A sentence if `value` is another one."""
        if not self.holds(value):
            yield fault(where or "it", value, self.expected)


@dataclass(frozen=True)
class ListOf:
    """A list of at most `most` members that all look alike."""

    member: Shape
    most: int

    def faults(self, value: Any, where: str = "") -> Iterator[str]:
        """A sentence for each member that breaks the rules, or for the list."""
        if not isinstance(value, list) or len(value) > self.most:
            yield fault(where or "it", value, f"a list of at most {self.most:,}")
            return
        for index, one in enumerate(value):
            yield from self.member.faults(one, f"{where}[{index}]")


@dataclass(frozen=True)
class MapOf:
    """An object of at most `most` members with names of one shape, texts by default, all alike."""

    member: Shape
    most: int
    name: Shape = field(default_factory=lambda: text())

    def faults(self, value: Any, where: str = "") -> Iterator[str]:
        """A sentence for each name and member that breaks the rules, or for the object."""
        if not isinstance(value, Mapping) or len(value) > self.most:
            yield fault(where or "it", value, f"an object of at most {self.most:,} members")
            return
        for name, one in value.items():
            yield from self.name.faults(name, f"a name in {where or 'it'}")
            yield from self.member.faults(one, _below(where, name))


@dataclass(frozen=True)
class Record:
    """An object with the members `required`, maybe those `optional`, and others if `is_open`."""

    required: Mapping[str, Shape]
    optional: Mapping[str, Shape] = field(default_factory=dict)
    is_open: bool = True

    def faults(self, value: Any, where: str = "") -> Iterator[str]:
        """A sentence for each member that is missing, unknown or breaks the rules."""
        if not isinstance(value, Mapping):
            yield fault(where or "it", value, "an object")
            return
        for name in self.required.keys() - value.keys():
            yield f"{_below(where, name)} is missing"
        for name, one in value.items():
            shape = self.required.get(name) or self.optional.get(name)
            if shape is not None:
                yield from shape.faults(one, _below(where, name))
            elif not self.is_open:
                yield fault(f"a name in {where or 'it'}", name, ", ".join(
                    [*self.required, *self.optional]))


def whole(low: int = 0, high: int = 2**53) -> Rule:
    """An integer of a range; True and False are none."""
    return Rule(f"an integer from {low:,} to {high:,}",
                lambda value: type(value) is int and low <= value <= high)


def number(low: float = -1e9, high: float = 1e9) -> Rule:
    """A number of a range."""
    return Rule(f"a number from {low:g} to {high:g}",
                lambda value: type(value) in (int, float) and low <= value <= high)


def text(longest: int = LONGEST) -> Rule:
    """A text of characters that can be printed; "" is one."""
    return Rule(f"a text of at most {longest:,} printable characters",
                lambda value: isinstance(value, str) and len(value) <= longest
                and value.isprintable())


def flag() -> Rule:
    """True or False."""
    return Rule("true or false", lambda value: isinstance(value, bool))


def maybe(rule: Rule) -> Rule:
    """What `rule` allows, or null."""
    return Rule(f"{rule.expected}, or null",
                lambda value: value is None or rule.holds(value))


def _below(where: str, name: str) -> str:
    name = name if name.isprintable() and len(name) <= LONGEST else repr(name[:LONGEST])
    return f"{where}.{name}" if where else name
