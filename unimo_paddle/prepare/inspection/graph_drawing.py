"""The scene graph as an SVG drawing, and the caption with the words that its nodes stand on."""

from __future__ import annotations

from collections.abc import Iterable

from unimo_paddle.markup import Markup, join, tag
from unimo_paddle.prepare.inspection.graph_layout import HEIGHT, Label, Layout, Line, lay_out
from unimo_paddle.prepare.rewriting.scene_graph import SceneGraph, Span

_ROUND = {"thing": 6.0, "attribute": HEIGHT / 2, "relation": 3.0}


def drawing(graph: SceneGraph) -> Markup:
    """Return the drawing of a graph with at least one thing; what it says is told in words beside it."""
    layout = lay_out(graph)
    x, y, width, height = layout.frame
    head = tag("marker", tag("path", d="M0 0L8 4L0 8z", class_="head"), id="head", viewbox="0 0 8 8", refX="7",
               refY="4", markerWidth="7", markerHeight="7", orient="auto")
    told = (f"Scene graph. Things: {len(graph.things)}, attributes: {len(graph.attributes)}, "
            f"relations: {len(graph.relations)}; the tables below say the same")
    return tag("svg", tag("defs", head), *_nodes(layout), class_="graph", role="img", aria_label=told,
               viewbox=f"{x:.6g} {y:.6g} {width:.6g} {height:.6g}", width=width, height=height)


def marked_caption(caption: str, graph: SceneGraph | None) -> Markup:
    """Return the caption, with each thing, attribute and relation in a span of its class; overlaps go to the first."""
    parts: list[str] = []
    end = 0
    for span, kind in sorted(_spans(graph) if graph else []):
        if end <= span.start and span.end <= len(caption):
            parts += [caption[end:span.start], tag("span", span.of(caption), class_=kind, title=kind)]
            end = span.end
    return join(*parts, caption[end:])


def _spans(graph: SceneGraph) -> Iterable[tuple[Span, str]]:
    yield from ((thing.span, "thing") for thing in graph.things)
    yield from ((attribute.span, "attribute") for attribute in graph.attributes)
    yield from ((span, "relation") for relation in graph.relations for span in relation.spans)


def _nodes(layout: Layout) -> Iterable[Markup]:
    """Yield the drawing's parts; lines first, so that no line crosses a label."""
    for thing, attributes in zip(layout.things, layout.attributes, strict=True):
        top = min((each.y for each in attributes), default=thing.y)
        yield tag("path", d=f"M{thing.middle:.6g} {thing.y:.6g}V{top:.6g}", class_="stem")
    yield from map(_way, layout.lines)
    yield from (_node(each, "attribute") for several in layout.attributes for each in several)
    yield from (_node(each, "thing") for each in layout.things)
    yield from (_node(line.label, "relation") for line in layout.lines)


def _way(line: Line) -> Markup:
    way = f"M{line.begin:.6g} {line.bottom:.6g}V{line.lane:.6g}H{line.end:.6g}V{line.bottom + 1:.6g}"
    return tag("path", d=way, class_="way", marker_end="url(#head)")


def _node(label: Label, kind: str) -> Markup:
    box = tag("rect", x=label.x, y=label.y, width=label.width, height=HEIGHT, rx=_ROUND[kind])
    text = tag("text", label.text, x=label.middle, y=label.y + HEIGHT / 2)
    return tag("g", tag("title", f"{kind}: {label.full}"), box, text, class_=f"node-{kind}")
