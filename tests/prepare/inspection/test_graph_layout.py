"""The drawing of a scene graph: nothing lies on anything else, whatever the graph."""

from itertools import combinations

import numpy as np
import pytest

from tests.prepare.whole_corpus import CAPTIONS, HOSTILE, graph
from unimo_paddle.prepare.inspection.graph_drawing import drawing, marked_caption
from unimo_paddle.prepare.inspection.graph_layout import HEIGHT, Label, lay_out
from unimo_paddle.prepare.rewriting.scene_graph import Attribute, Relation, SceneGraph, Span, Thing

SPAN = Span(0, 1)


def random_graph(seed: int) -> SceneGraph:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 8))
    word = lambda: "x" * int(rng.integers(1, 25))  # noqa: E731
    things = tuple(Thing(SPAN, word(), "singular", SPAN) for _ in range(count))
    attributes = tuple(Attribute(SPAN, word(), int(rng.integers(count))) for _ in range(rng.integers(0, 6)))
    ends = [rng.permutation(count)[:2] for _ in range(rng.integers(0, 8))] if count > 1 else []
    return SceneGraph(things, attributes, tuple(Relation((SPAN,), word(), int(a), int(b)) for a, b in ends))


def overlap(one: Label, other: Label) -> bool:
    return (one.x < other.x + other.width and other.x < one.x + one.width
            and one.y < other.y + HEIGHT and other.y < one.y + HEIGHT)


@pytest.mark.parametrize("seed", range(60))
def test_nodes_do_not_overlap_and_all_is_in_the_frame(seed: int) -> None:
    layout = lay_out(random_graph(seed))
    labels = [*layout.things, *(each for several in layout.attributes for each in several),
              *(line.label for line in layout.lines)]
    assert not [pair for pair in combinations(labels, 2) if overlap(*pair)]
    x, y, width, height = layout.frame
    assert all(x <= each.x and each.x + each.width <= x + width for each in labels)
    assert all(y <= each.y and each.y + HEIGHT <= y + height for each in labels)


@pytest.mark.parametrize("seed", range(60))
def test_lines_leave_and_reach_their_things_and_share_no_place(seed: int) -> None:
    graph = random_graph(seed)
    layout = lay_out(graph)
    for relation, line in zip(graph.relations, layout.lines, strict=True):
        for index, x in ((relation.subject, line.begin), (relation.object, line.end)):
            assert layout.things[index].x < x < layout.things[index].x + layout.things[index].width
    ends = [x for line in layout.lines for x in (line.begin, line.end)]
    assert len(set(ends)) == len(ends)
    for one, other in combinations(layout.lines, 2):   # two runs in one lane stand apart
        apart = max(one.begin, one.end) < min(other.begin, other.end) or max(other.begin, other.end) < min(
            one.begin, one.end)
        assert one.lane != other.lane or apart


def test_the_drawing_names_every_node_once() -> None:
    svg = drawing(graph())
    for label in ("dog", "sofa", "small", "red", "sit on"):
        assert svg.count(f">{label}</text>") == 1
    assert "Things: 2, attributes: 2, relations: 1;" in svg


def test_hostile_and_long_names_are_harmless() -> None:
    svg = drawing(SceneGraph((Thing(SPAN, HOSTILE, "singular", SPAN),)))
    assert "<script" not in svg and "…</text>" in svg and "\x1b" not in svg


def test_caption_marks_the_words_of_the_nodes() -> None:
    marked = marked_caption(CAPTIONS[0], graph())
    assert '<span class="attribute" title="attribute">small</span> <span class="thing"' in marked
    assert '<span class="relation" title="relation">sits on</span>' in marked and marked.endswith("sofa</span>.")
    assert marked_caption("a < b", None) == "a &lt; b"


def test_spans_that_overlap_or_leave_the_caption_are_not_marked() -> None:
    both = SceneGraph((Thing(Span(0, 4), "fire", "singular", Span(0, 4)),
                       Thing(Span(2, 9), "x", "singular", Span(2, 9)),
                       Thing(Span(5, 99), "y", "singular", Span(5, 99))))
    assert marked_caption("fire truck", both) == '<span class="thing" title="thing">fire</span> truck'
