import json

import pytest

from unimo_paddle.prepare.rewriting.scene_graph import Attribute, Relation, SceneGraph, Span, Thing

CAPTION = "Two small fire hydrants are to the left of a café; the hydrants are red."
GRAPH = SceneGraph(
    (Thing(Span(10, 23), "fire hydrant", "plural", Span(4, 23), (Span(55, 63),)),
     Thing(Span(45, 49), "café", "singular", Span(45, 49))),
    (Attribute(Span(4, 9), "small", 0), Attribute(Span(68, 71), "red", 0)),
    (Relation((Span(24, 27), Span(28, 42)), "left of", 0, 1),))


def test_spans_are_characters_of_the_caption():
    assert [thing.phrase.of(CAPTION) for thing in GRAPH.things] == ["small fire hydrants", "café"]
    assert [span.of(CAPTION) for span in (*GRAPH.things[0].again, *GRAPH.relations[0].spans)] == \
        ["hydrants", "are", "to the left of"]


def test_a_graph_comes_back_from_its_line():
    line = GRAPH.to_json()
    assert SceneGraph.from_json(line) == GRAPH and SceneGraph.from_json(line).to_json() == line
    assert "\n" not in line and ": " not in line and "café" in line
    assert SceneGraph.from_json(SceneGraph().to_json()) == SceneGraph()


@pytest.mark.parametrize(("start", "end"), [(3, 3), (4, 2), (-1, 2)])
def test_an_empty_span_is_refused(start, end):
    with pytest.raises(ValueError, match=rf"0 <= start < end.*\[{start}, {end}\]"):
        Span(start, end)


def test_a_node_that_points_nowhere_is_refused():
    with pytest.raises(ValueError, match="no thing 2 in a graph of 2 things"):
        SceneGraph(GRAPH.things, (Attribute(Span(0, 1), "red", 2),))
    with pytest.raises(ValueError, match="'near' joins thing 1 to itself"):
        SceneGraph(GRAPH.things, (), (Relation((Span(0, 1),), "near", 1, 1),))


@pytest.mark.parametrize(("path", "value", "fault"), [
    (("things", 0, 3), "dual", "singular, plural, mass"), (("things", 0, 2), "", "a name is text"),
    (("things", 0, 0), 10.0, "whole number, but got 10.0"), (("things", 0, 0), True, "whole number, but got True"),
    (("things", 0), [1, 2], "no node of a scene graph.*1, 2"), (("things",), None, "a list of a scene graph's nodes"),
    (("attributes", 1, 3), 7, "no thing 7"), (("relations", 0, 0), [], "needs a span"),
    (("relations", 0, 0), [[5, 1]], "0 <= start < end"), (("relations", 0, 1), 3, "a name is text, but got 3"),
])
def test_a_spoilt_line_is_refused_with_its_fault(path, value, fault):
    content = json.loads(GRAPH.to_json())
    place = content
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ValueError, match=fault):
        SceneGraph.from_json(json.dumps(content))


@pytest.mark.parametrize("line", ["", "{", "[]", "null", '{"things":[]}', '{"things":[],"attributes":[],"nodes":[]}'])
def test_what_is_no_graph_is_refused(line):
    with pytest.raises(ValueError, match=r"."):
        SceneGraph.from_json(line)
