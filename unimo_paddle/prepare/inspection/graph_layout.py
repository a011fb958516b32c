"""Where the nodes of a scene graph are drawn: things in a row, attributes above them, relations below.

A relation leaves its subject downward, runs along a lane of its own and goes up to its object, so that lines never run
through a node and labels never lie on each other. All numbers are pixels, y grows downward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from unimo_paddle.plain_text import columns, visible
from unimo_paddle.prepare.rewriting.scene_graph import Relation, SceneGraph

LETTER, PADDING, HEIGHT = 7.8, 12.0, 28.0   # a letter's width, beside and above a label, a node's height
_GAP, _STACK, _LANE, _PORT = 32.0, 6.0, 44.0, 22.0   # between things, between attributes, between lanes and lines
_LONGEST = 30   # letters of a label


@dataclass(frozen=True)
class Label:
    """A node. x, y: its upper left corner; full: the whole text where `text` is shortened."""

    x: float
    y: float
    width: float
    text: str
    full: str

    @property
    def middle(self) -> float:
        """x of the middle."""
        return self.x + self.width / 2


@dataclass(frozen=True)
class Line:
    """A relation's way. begin, end: x at its subject and its object; bottom: y of the things; lane: y of its run."""

    begin: float
    end: float
    bottom: float
    lane: float
    label: Label


@dataclass(frozen=True)
class Layout:
    """A drawing. attributes: for each thing those above it, lowest first."""

    things: tuple[Label, ...]
    attributes: tuple[tuple[Label, ...], ...]
    lines: tuple[Line, ...]

    @property
    def frame(self) -> tuple[float, float, float, float]:
        """Return x, y, width and height around everything, with a margin."""
        labels = [*self.things, *(a for several in self.attributes for a in several), *(r.label for r in self.lines)]
        left, top = min(each.x for each in labels) - 4, min(each.y for each in labels) - 4
        return (left, top, max(each.x + each.width for each in labels) + 4 - left,
                max(each.y for each in labels) + HEIGHT + 4 - top)


def lay_out(graph: SceneGraph) -> Layout:
    """Place everything; the graph has at least one thing."""
    above = [[a.name for a in graph.attributes if a.thing == i] for i in range(len(graph.things))]
    lanes = _lanes(graph.relations)
    things, x = list[Label](), 0.0
    for i, thing in enumerate(graph.things):
        lines = sum(i in (relation.subject, relation.object) for relation in graph.relations)
        wide = max([label_width(thing.name), _PORT * (lines + 1), *map(label_width, above[i])])
        things.append(_label(thing.name, x, 0.0, max(label_width(thing.name), _PORT * (lines + 1)), wide))
        x += wide + _GAP
    _make_room(things, graph.relations)
    attributes = [tuple(_label(name, thing.middle - label_width(name) / 2, -(k + 1) * (HEIGHT + _STACK),
                               label_width(name)) for k, name in enumerate(names))
                  for thing, names in zip(things, above, strict=True)]
    return Layout(tuple(things), tuple(attributes), _lines(things, graph.relations, lanes))


def label_width(text: str) -> float:
    """Return how wide a label is drawn."""
    return columns(_shortened(visible(text))) * LETTER + 2 * PADDING


def _make_room(things: list[Label], relations: Sequence[Relation]) -> None:
    """Move things apart until the label of each relation fits between the middles of its two things."""
    for relation in relations:
        left, right = sorted((relation.subject, relation.object))
        lacking = label_width(relation.name) + _PORT - (things[right].middle - things[left].middle)
        for i in range(right, len(things) if lacking > 0 else 0):
            things[i] = replace(things[i], x=things[i].x + lacking)


def _lanes(relations: Sequence[Relation]) -> list[int]:
    """Return each relation's lane: the first that is free over its whole run, short runs first."""
    taken: list[list[range]] = []
    lanes = [0] * len(relations)
    for i in sorted(range(len(relations)), key=lambda i: abs(relations[i].subject - relations[i].object)):
        run = range(*sorted((relations[i].subject, relations[i].object)))
        lane = next((n for n, runs in enumerate(taken) if not any(_overlap(run, other) for other in runs)), len(taken))
        taken += [[]] * (lane == len(taken))
        taken[lane] = [*taken[lane], run]
        lanes[i] = lane
    return lanes


def _overlap(one: range, other: range) -> bool:
    return one.start < other.stop and other.start < one.stop


def _lines(things: Sequence[Label], relations: Sequence[Relation], lanes: Sequence[int]) -> tuple[Line, ...]:
    ports = _ports(things, relations, lanes)
    lines = []
    for i, (relation, lane) in enumerate(zip(relations, lanes, strict=True)):
        begin, end = ports[i, relation.subject], ports[i, relation.object]
        y, width = HEIGHT + (lane + 1) * _LANE - HEIGHT / 2, label_width(relation.name)
        left, right = sorted((things[relation.subject].middle, things[relation.object].middle))
        x = min(max((begin + end - width) / 2, left + _PORT / 2), right - _PORT / 2 - width)
        label = _label(relation.name, x, y - HEIGHT / 2, width)
        lines.append(Line(begin, end, HEIGHT, y, label))
    return tuple(lines)


def _ports(things: Sequence[Label], relations: Sequence[Relation],
           lanes: Sequence[int]) -> dict[tuple[int, int], float]:
    """Return (relation, thing) -> x of its line at the thing.

    Lines to the left stand on the left, the deeper the nearer to the middle, so that they do not cross there.
    """
    ports: dict[tuple[int, int], float] = {}
    for i, thing in enumerate(things):
        to = {n: r.subject + r.object - i for n, r in enumerate(relations) if i in (r.subject, r.object)}
        order = sorted(to, key=lambda n, i=i, to=to: (to[n] > i, lanes[n] if to[n] < i else -lanes[n]))  # type: ignore[misc]
        for k, n in enumerate(order):
            ports[n, i] = thing.x + thing.width * (k + 1) / (len(order) + 1)
    return ports


def _label(text: str, x: float, y: float, width: float, within: float = 0.0) -> Label:
    """Return a label at x, or in the middle of a place that begins there and is wider."""
    shown = visible(text)
    return Label(x + max(0.0, within - width) / 2, y, width, _shortened(shown), shown)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST - 1] + "…"
