"""The scene graph of a caption: the things that it names, what they are like, and how they stand to each other.

Every node knows the characters of the caption that say it, so a rewriter can exchange just those.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

Number = Literal["singular", "plural", "mass"]
_Node = TypeVar("_Node")
NUMBERS: tuple[Number, ...] = ("singular", "plural", "mass")


@dataclass(frozen=True, order=True)
class Span:
    """Characters start <= i < end of the caption; never empty."""

    start: int
    end: int

    def __post_init__(self) -> None:
        """Raises ValueError for a span that is empty, backward or before the text."""
        if not 0 <= self.start < self.end:
            raise ValueError(f"a span of characters needs 0 <= start < end, but got [{self.start}, {self.end}]")

    def of(self, caption: str) -> str:
        """Return the characters themselves."""
        return caption[self.start:self.end]


@dataclass(frozen=True)
class Thing:
    """A thing that the caption names ("two small red fire hydrants").

    span: the noun and its compound ("fire hydrants").  phrase: span with the adjectives, without the determiner or the
    number ("small red fire hydrants").  name: lower case and singular ("fire hydrant").  number: of the noun as said.
    again: the nouns of later mentions of the same thing ("... and the hydrant is old").
    """

    span: Span
    name: str
    number: Number
    phrase: Span
    again: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Attribute:
    """What a thing is like ("red"); name: lower case; thing: its index in SceneGraph.things."""

    span: Span
    name: str
    thing: int


@dataclass(frozen=True)
class Relation:
    """How the thing `subject` stands to the thing `object` (indices in SceneGraph.things).

    spans: the words that say it, in order, one span per unbroken run.  name: a preposition without its scaffolding
    ("to the left of" is "left of") or a verb's lemma with its preposition ("ride", "sit on").  Said from the other
    end ("a duck with a key to its left"), the relation still reads subject - name - object: key, left of, duck.
    """

    spans: tuple[Span, ...]
    name: str
    subject: int
    object: int


@dataclass(frozen=True)
class SceneGraph:
    """Things in the order of the text; attributes and relations point into them."""

    things: tuple[Thing, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    relations: tuple[Relation, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError for an attribute or a relation of a thing that is not there, or of a thing to itself."""
        for index in [a.thing for a in self.attributes] + [i for r in self.relations for i in (r.subject, r.object)]:
            if not 0 <= index < len(self.things):
                raise ValueError(f"there is no thing {index} in a graph of {len(self.things)} things")
        for relation in self.relations:
            if relation.subject == relation.object:
                raise ValueError(f"relation {relation.name!r} joins thing {relation.subject} to itself")

    def to_json(self) -> str:
        """Return the graph as one line of JSON; equal graphs give equal text."""
        content = {
            "things": [[*_pair(t.span), t.name, t.number, *_pair(t.phrase), [_pair(s) for s in t.again]]
                       for t in self.things],
            "attributes": [[*_pair(a.span), a.name, a.thing] for a in self.attributes],
            "relations": [[[_pair(s) for s in r.spans], r.name, r.subject, r.object] for r in self.relations],
        }
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> SceneGraph:
        """Return the graph of a line that to_json wrote.

        Raises ValueError, with the faulty part, for anything else.
        """
        content = json.loads(text)
        if not isinstance(content, dict) or sorted(content) != ["attributes", "relations", "things"]:
            raise ValueError(f"a scene graph has things, attributes and relations, but this has none: {text[:80]!r}")
        return cls(_read(content["things"], _thing), _read(content["attributes"], _attribute),
                   _read(content["relations"], _relation))


def _pair(span: Span) -> tuple[int, int]:
    """Return (start, end)."""
    return span.start, span.end


def _read(rows: Any, make: Callable[[Any], _Node]) -> tuple[_Node, ...]:
    """Return the nodes of one list; raises ValueError that shows the row that is none."""
    if not isinstance(rows, list):
        raise ValueError(f"expected a list of a scene graph's nodes, but got {str(rows)[:80]!r}")
    return tuple(_node(row, make) for row in rows)


def _node(row: Any, make: Callable[[Any], _Node]) -> _Node:
    """Return one node."""
    try:
        return make(row)
    except (TypeError, ValueError) as error:
        raise ValueError(f"this is no node of a scene graph: {str(row)[:80]!r} ({error})") from error


def _thing(row: Any) -> Thing:
    """Return the thing of [start, end, name, number, phrase start, phrase end, later mentions]."""
    start, end, name, number, phrase_start, phrase_end, again = row
    if number not in NUMBERS:
        raise ValueError(f"the number is one of {', '.join(NUMBERS)}")
    return Thing(_span(start, end), _name(name), cast(Number, number), _span(phrase_start, phrase_end),
                 tuple(_span(*span) for span in again))


def _attribute(row: Any) -> Attribute:
    """Return the attribute of [start, end, name, thing]."""
    start, end, name, thing = row
    return Attribute(_span(start, end), _name(name), _index(thing))


def _relation(row: Any) -> Relation:
    """Return the relation of [[[start, end], ...], name, subject, object]."""
    spans, name, subject, obj = row
    if not spans:
        raise ValueError("a relation needs a span")
    return Relation(tuple(_span(*span) for span in spans), _name(name), _index(subject), _index(obj))


def _span(start: Any, end: Any) -> Span:
    """Return the span of two whole numbers."""
    return Span(_index(start), _index(end))


def _name(value: Any) -> str:
    """Return the value if it is text."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"a name is text, but got {value!r}")
    return value


def _index(value: Any) -> int:
    """Return the value if it is a whole number."""
    if type(value) is not int:
        raise ValueError(f"expected a whole number, but got {value!r}")
    return value
